"""Partials, noise and rooms, against closed forms; another rate, against sines of that rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from zoo.errors import UsageError
from zoo.nn.audio.ddsp import (
    convolve,
    cycles,
    harmonic,
    held,
    noise,
    reverberated,
    smooth,
)
from zoo.nn.audio.resample import Resample

RATE = 16384  # exact in floating point, so that errors are of sums alone


def level(x) -> float:
    return 10 * np.log10((np.asarray(x, np.float64) ** 2).mean())


def test_partials_are_sines_and_none_is_heard_as_another():
    t = np.arange(RATE) / RATE
    amplitudes = np.broadcast_to(np.array([1.0, 0.5, 0.25], np.float32), (RATE, 3))
    hz = np.full(RATE, 3000.0, np.float32)
    expected = np.sin(2 * np.pi * 3000 * t) + 0.5 * np.sin(2 * np.pi * 6000 * t)
    found = jax.jit(lambda f, a: harmonic(f, a, RATE))(hz, amplitudes)
    assert level(found - expected) < -80


def test_phases_lose_nothing_in_minutes():
    hz = np.full(300 * RATE, 441.0, np.float32)
    found = jax.jit(lambda x: cycles(x, RATE))(hz)
    expected = (np.arange(len(hz)) * 441.0 / RATE) % 1
    apart = np.abs(np.asarray(found) - expected)
    assert np.minimum(apart, 1 - apart).max() < 1e-6


def test_a_fundamental_that_glides_has_the_phase_of_its_integral():
    t = np.arange(RATE) / RATE
    hz = (200 + 300 * t).astype(np.float32)
    total = 2 * np.pi * np.cumsum(hz.astype(np.float64) / RATE) - 2 * np.pi * hz / RATE
    ones = np.ones((RATE, 1), np.float32)
    sound = jax.jit(lambda f: harmonic(f, ones, RATE))
    assert level(sound(hz) - np.sin(total)) < -70
    way = np.sin(5 * t).astype(np.float32)
    _, slope = jax.jvp(sound, (hz,), (way,))
    by = 2 * np.pi * np.cumsum(way.astype(np.float64) / RATE) - 2 * np.pi * way / RATE
    np.testing.assert_allclose(slope, np.cos(total) * by, atol=1e-3)


def test_controls_go_from_frame_to_frame():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    for between in (held, smooth):
        found = between(jnp.asarray(x), 8)
        assert found.shape == (2, 40, 3)
        np.testing.assert_allclose(found[:, ::8], x, atol=1e-6)
        np.testing.assert_allclose(
            found[:, 4:32:8], (x[:, 1:] + x[:, :-1]) / 2, atol=1e-6
        )


def test_noise_has_the_spectrum_it_was_given():
    magnitudes = np.zeros((400, 65), np.float32)
    magnitudes[:, 16:32] = 1.0  # a quarter of them
    found = noise(jnp.asarray(magnitudes), 64, jax.random.key(0))
    assert found.shape == (400 * 64,)
    hz, power = scipy.signal.welch(np.asarray(found), RATE, nperseg=512)
    inside, outside = power[(hz > 2250) & (hz < 3900)], power[(hz < 1500) | (hz > 4500)]
    white = (1 / 3) / (RATE / 2)  # the power of what is even from -1 to 1, per Hz
    np.testing.assert_allclose(inside.mean(), white, rtol=0.15)
    assert 10 * np.log10(outside.mean() / inside.mean()) < -40


def test_rooms_answer():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 300), (50,)))
    expected = np.stack([np.convolve(row, y) for row in x])
    np.testing.assert_allclose(convolve(x, y[None]), expected, atol=1e-4)
    room = np.r_[0.7, np.zeros(9), 0.5].astype(np.float32)
    echo = x + 0.5 * np.pad(x, ((0, 0), (10, 0)))[:, :300]
    np.testing.assert_allclose(
        reverberated(jnp.asarray(x), jnp.asarray(room)), echo, atol=1e-5
    )


RATES = [(44100, 16000), (16000, 48000), (48000, 44100), (48000, 16000)]


@pytest.mark.parametrize(("old", "new"), RATES)
def test_another_rate_has_the_same_sound(old, new):
    go = Resample(old, new)
    at = lambda rate: np.sin(2 * np.pi * 1234.5 * np.arange(rate // 10) / rate).astype(
        np.float32
    )
    found = jax.jit(go.__call__)(at(old))
    assert len(found) == go.length(old // 10) == new // 10
    inside = slice(new // 100, -new // 100)
    assert level((found - at(new))[inside]) < -80


def test_what_the_lower_rate_cannot_hold_is_silent():
    tone = np.sin(2 * np.pi * 9000 * np.arange(4410) / 44100).astype(np.float32)
    assert level(Resample(44100, 16000)(tone)[200:-200]) < -80
    same = Resample(16000, 16000)
    assert same(tone) is tone
    with pytest.raises(UsageError, match="0 Hz to 16000 Hz"):
        Resample(0, 16000)
    with pytest.raises(UsageError, match="44100 Hz and 22051 Hz have only 1 in common"):
        Resample(44100, 22051)
