"""Mel spectra against librosa, and phase retrieval."""

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.nn.audio.mel import Mel, hz_to_mel, mel_to_hz
from zoo.nn.audio.phase_retrieval import griffin_lim, sinusoidal_phases
from zoo.nn.audio.stft import STFT

RATE = 8000


@functools.cache
def tones() -> np.ndarray:
    """Returns half a second of three decaying partials."""
    t = np.arange(RATE // 2) / RATE
    sound = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in (1, 2, 3)) * np.exp(-4 * t)
    return sound.astype(np.float32)


@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(
    ("rate", "size", "bands", "low"), [(16000, 1024, 80, 0), (44100, 2048, 128, 40)]
)
def test_filters_equal_those_of_librosa(rate, size, bands, low, htk):
    ours = Mel(rate, bands, low, htk=htk, stft=STFT(size, 256)).filters
    norm = None if htk else "slaney"
    theirs = librosa.filters.mel(
        sr=rate,
        n_fft=size,
        n_mels=bands,
        fmin=low,
        htk=htk,
        norm=norm,
        dtype=np.float64,
    )
    np.testing.assert_allclose(ours, theirs.T, atol=1e-5 * theirs.max())


def test_the_scales_equal_those_of_librosa_and_invert():
    hz = np.array([0, 50, 999, 1000, 1001, 8000])
    for htk in (False, True):
        np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, htk), htk), hz, atol=1e-6)
        np.testing.assert_allclose(hz_to_mel(hz, htk), librosa.hz_to_mel(hz, htk=htk))


def test_magnitudes_reproduce_the_mel_spectrum():
    mel = Mel(RATE, 40, stft=STFT(512, 128))
    target = mel(jnp.asarray(tones()))
    spectrum = jax.jit(mel.magnitudes)(target)
    assert spectrum.min() >= 0
    assert np.abs(spectrum @ mel.filters - target).max() < 1e-3 * target.max()


def test_griffin_lim_converges_faster_with_momentum_and_good_phases():
    stft = STFT(512, 128)
    x = jnp.asarray(tones())
    spectrum = jnp.abs(stft(x))
    phases = jax.random.uniform(jax.random.key(0), spectrum.shape, maxval=2 * np.pi)
    sines = jax.jit(functools.partial(sinusoidal_phases, stft))(spectrum)
    find = functools.partial(griffin_lim, stft, spectrum, length=len(x))
    error = lambda x: float(
        20
        * jnp.log10(
            jnp.linalg.norm(jnp.abs(stft(x)) - spectrum) / jnp.linalg.norm(spectrum)
        )
    )
    slow, fast = (
        jax.jit(functools.partial(find, phases, momentum=m))() for m in (0.0, 0.99)
    )
    assert error(fast) < error(slow) < -12
    assert error(fast) < -20
    from_random, from_sines = (
        jax.jit(functools.partial(find, y, steps=2))() for y in (phases, sines)
    )
    assert error(from_sines) < -20 < error(from_random)


def test_bands_without_a_frequency_bin_raise():
    with pytest.raises(UsageError, match="of 80 mel bands contain no frequency bin"):
        Mel(48_000, 80, stft=STFT(256, 64))
    with pytest.raises(
        UsageError, match="at 16000 Hz cannot have 80 bands from 0 to 9000 Hz"
    ):
        Mel(high=9000)
