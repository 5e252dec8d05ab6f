"""Synthesis against closed forms, and resampling against sines of the new rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from zoo.errors import UsageError
from zoo.nn.audio.ddsp import (
    fft_convolve,
    filtered_noise,
    interpolate_hann,
    interpolate_linear,
    oscillator_bank,
    oscillator_phase,
    reverb,
)
from zoo.nn.audio.resample import Resample

RATE = 16384  # exact in floating point, so that only sums have errors


def level(x) -> float:
    return 10 * np.log10((np.asarray(x, np.float64) ** 2).mean())


def test_harmonics_are_sines_without_aliases():
    t = np.arange(RATE) / RATE
    amplitudes = np.broadcast_to(np.array([1.0, 0.5, 0.25], np.float32), (RATE, 3))
    hz = np.full(RATE, 3000.0, np.float32)
    expected = np.sin(2 * np.pi * 3000 * t) + 0.5 * np.sin(2 * np.pi * 6000 * t)
    found = jax.jit(lambda f, a: oscillator_bank(f, a, RATE))(hz, amplitudes)
    assert level(found - expected) < -80


def test_phases_stay_exact_for_minutes():
    hz = np.full(300 * RATE, 441.0, np.float32)
    found = jax.jit(lambda x: oscillator_phase(x, RATE))(hz)
    expected = (np.arange(len(hz)) * 441.0 / RATE) % 1
    error = np.abs(np.asarray(found) - expected)
    assert np.minimum(error, 1 - error).max() < 1e-6


def test_the_phase_of_a_glide_is_the_integral_of_its_frequency():
    t = np.arange(RATE) / RATE
    hz = (200 + 300 * t).astype(np.float32)
    total = 2 * np.pi * np.cumsum(hz.astype(np.float64) / RATE) - 2 * np.pi * hz / RATE
    ones = np.ones((RATE, 1), np.float32)
    sound = jax.jit(lambda f: oscillator_bank(f, ones, RATE))
    assert level(sound(hz) - np.sin(total)) < -70
    tangent = np.sin(5 * t).astype(np.float32)
    _, slope = jax.jvp(sound, (hz,), (tangent,))
    by = (
        2 * np.pi * np.cumsum(tangent.astype(np.float64) / RATE)
        - 2 * np.pi * tangent / RATE
    )
    np.testing.assert_allclose(slope, np.cos(total) * by, atol=1e-3)


def test_controls_are_interpolated_between_frames():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    for upsample in (interpolate_linear, interpolate_hann):
        found = upsample(jnp.asarray(x), 8)
        assert found.shape == (2, 40, 3)
        np.testing.assert_allclose(found[:, ::8], x, atol=1e-6)
        np.testing.assert_allclose(
            found[:, 4:32:8], (x[:, 1:] + x[:, :-1]) / 2, atol=1e-6
        )


def test_filtered_noise_has_the_requested_spectrum():
    magnitudes = np.zeros((400, 65), np.float32)
    magnitudes[:, 16:32] = 1.0  # a quarter of the bins
    found = filtered_noise(jnp.asarray(magnitudes), 64, jax.random.key(0))
    assert found.shape == (400 * 64,)
    hz, power = scipy.signal.welch(np.asarray(found), RATE, nperseg=512)
    inside, outside = power[(hz > 2250) & (hz < 3900)], power[(hz < 1500) | (hz > 4500)]
    white = (1 / 3) / (RATE / 2)  # the density of uniform noise, per Hz
    np.testing.assert_allclose(inside.mean(), white, rtol=0.15)
    assert 10 * np.log10(outside.mean() / inside.mean()) < -40


def test_convolution_and_reverb():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 300), (50,)))
    expected = np.stack([np.convolve(row, y) for row in x])
    np.testing.assert_allclose(fft_convolve(x, y[None]), expected, atol=1e-4)
    room = np.r_[0.7, np.zeros(9), 0.5].astype(np.float32)
    echo = x + 0.5 * np.pad(x, ((0, 0), (10, 0)))[:, :300]
    np.testing.assert_allclose(
        reverb(jnp.asarray(x), jnp.asarray(room)), echo, atol=1e-5
    )


RATES = [(44100, 16000), (16000, 48000), (48000, 44100), (48000, 16000)]


@pytest.mark.parametrize(("old", "new"), RATES)
def test_resampling_keeps_a_sine(old, new):
    resample = Resample(old, new)
    at = lambda rate: np.sin(2 * np.pi * 1234.5 * np.arange(rate // 10) / rate).astype(
        np.float32
    )
    found = jax.jit(resample.__call__)(at(old))
    assert len(found) == resample.length(old // 10) == new // 10
    inside = slice(new // 100, -new // 100)
    assert level((found - at(new))[inside]) < -80


def test_frequencies_above_the_new_nyquist_are_removed():
    tone = np.sin(2 * np.pi * 9000 * np.arange(4410) / 44100).astype(np.float32)
    assert level(Resample(44100, 16000)(tone)[200:-200]) < -80
    same = Resample(16000, 16000)
    assert same(tone) is tone
    with pytest.raises(UsageError, match="resample 0 Hz to 16000 Hz"):
        Resample(0, 16000)
    with pytest.raises(UsageError, match="of 44100 Hz and 22051 Hz is only 1 Hz"):
        Resample(44100, 22051)
