"""Distances of sounds, loudness and instantaneous frequency."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np

from zoo.nn.audio.spectral_loss import a_weighting, distance, loudness, turned, turning
from zoo.nn.audio.stft import STFT

RATE = 16000


def tone(hz, seconds=0.5, amplitude=1.0):
    t = np.arange(int(RATE * seconds)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def test_weights_are_librosas():
    hz = np.array([31.5, 100, 1000, 4000, 8000])
    np.testing.assert_allclose(a_weighting(hz), librosa.A_weighting(hz), atol=0.01)


def test_loudness_is_of_the_signal_not_of_its_frames():
    for stft in (STFT(1024, 256), STFT(2048, 512)):
        loud = jax.jit(lambda x, stft=stft: loudness(x, RATE, stft))
        inside = slice(4, -5)
        for amplitude, expected in ((1.0, -3.0), (0.1, -23.0)):
            found = loud(tone(1000, amplitude=amplitude))[inside]
            np.testing.assert_allclose(found, expected, atol=0.1)
        assert loud(tone(1000) * 0).max() == -100
        lower = loud(tone(100))[inside].mean() - loud(tone(1000))[inside].mean()
        np.testing.assert_allclose(lower, -19.1, atol=0.3)


def test_the_nearer_a_sound_the_less_its_distance():
    x = tone(440)
    noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    far = jax.jit(lambda x, y: distance(x, y, (512, 128), 1e-7))
    found = [float(far(x, x + level * noise)) for level in (0, 0.001, 0.01, 0.1)]
    assert found[0] < 1e-4
    assert found == sorted(found)
    np.testing.assert_allclose(far(x, 0.5 * x), 2 * (0.5 + np.log(2)), rtol=0.05)
    assert far(0 * x, 0.001 * noise) < 10 * far(
        x, x + 0.001 * noise
    )  # silence is not divided by
    slope = jax.grad(far, 1)(x, x + 0.01 * noise)
    assert np.isfinite(slope).all()
    assert far(x, x + 0.01 * noise - 1e-3 * slope / np.abs(slope).max()) < found[2]


def test_phases_go_on_and_back():
    y = STFT(256, 64)(jnp.asarray(tone(437)))
    phases = jnp.angle(y)
    by = turning(phases)
    assert jnp.abs(by).max() <= 1
    np.testing.assert_allclose(
        jnp.exp(1j * turned(by)), jnp.exp(1j * phases), atol=1e-3
    )
    peak = round(437 * 256 / RATE)
    steady = np.asarray(by)[5:-5, peak]
    expected = 2 * 437 * 64 / RATE
    np.testing.assert_allclose(steady, expected - 2 * round(expected / 2), atol=0.01)
