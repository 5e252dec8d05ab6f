"""The multi-resolution STFT loss, loudness and instantaneous frequency."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np

from zoo.nn.audio.spectral_loss import (
    a_weighting,
    instantaneous_frequency,
    integrated_phase,
    loudness,
    multi_resolution_stft_loss,
)
from zoo.nn.audio.stft import STFT

RATE = 16000


def tone(hz, seconds=0.5, amplitude=1.0):
    t = np.arange(int(RATE * seconds)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def test_a_weighting_equals_that_of_librosa():
    hz = np.array([31.5, 100, 1000, 4000, 8000])
    np.testing.assert_allclose(a_weighting(hz), librosa.A_weighting(hz), atol=0.01)


def test_loudness_does_not_depend_on_the_frame_size():
    for stft in (STFT(1024, 256), STFT(2048, 512)):
        loud = jax.jit(lambda x, stft=stft: loudness(x, RATE, stft))
        inside = slice(4, -5)
        for amplitude, expected in ((1.0, -3.0), (0.1, -23.0)):
            found = loud(tone(1000, amplitude=amplitude))[inside]
            np.testing.assert_allclose(found, expected, atol=0.1)
        assert loud(tone(1000) * 0).max() == -100
        lower = loud(tone(100))[inside].mean() - loud(tone(1000))[inside].mean()
        np.testing.assert_allclose(lower, -19.1, atol=0.3)


def test_the_loss_grows_with_noise_and_its_gradient_descends():
    x = tone(440)
    noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    loss = jax.jit(
        lambda x, y: multi_resolution_stft_loss(x, y, (512, 128), log_offset=1e-7)
    )
    found = [float(loss(x, x + level * noise)) for level in (0, 0.001, 0.01, 0.1)]
    assert found[0] < 1e-4
    assert found == sorted(found)
    np.testing.assert_allclose(loss(x, 0.5 * x), 2 * (0.5 + np.log(2)), rtol=0.05)
    assert loss(0 * x, 0.001 * noise) < 10 * loss(
        x, x + 0.001 * noise
    )  # the norm of silence has a floor
    slope = jax.grad(loss, 1)(x, x + 0.01 * noise)
    assert np.isfinite(slope).all()
    assert loss(x, x + 0.01 * noise - 1e-3 * slope / np.abs(slope).max()) < found[2]


def test_instantaneous_frequency_of_a_tone_and_its_inverse():
    y = STFT(256, 64)(jnp.asarray(tone(437)))
    phases = jnp.angle(y)
    advance = instantaneous_frequency(phases)
    assert jnp.abs(advance).max() <= 1
    np.testing.assert_allclose(
        jnp.exp(1j * integrated_phase(advance)), jnp.exp(1j * phases), atol=1e-3
    )
    peak = round(437 * 256 / RATE)
    steady = np.asarray(advance)[5:-5, peak]
    expected = 2 * 437 * 64 / RATE
    np.testing.assert_allclose(steady, expected - 2 * round(expected / 2), atol=0.01)
