"""Mel spectra, beside librosa's, and the way back from them."""

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.nn.audio.mel import Mel, hertz, mels
from zoo.nn.audio.phase_retrieval import coherent, griffin_lim
from zoo.nn.audio.stft import STFT

RATE = 8000


@functools.cache
def tones() -> np.ndarray:
    """Half a second of three partials that decay, float32 [s]."""
    t = np.arange(RATE // 2) / RATE
    sound = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in (1, 2, 3)) * np.exp(-4 * t)
    return sound.astype(np.float32)


@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(
    ("rate", "size", "bands", "low"), [(16000, 1024, 80, 0), (44100, 2048, 128, 40)]
)
def test_filters_are_librosas(rate, size, bands, low, htk):
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


def test_the_scales_have_inverses():
    hz = np.array([0, 50, 999, 1000, 1001, 8000])
    for htk in (False, True):
        np.testing.assert_allclose(hertz(mels(hz, htk), htk), hz, atol=1e-6)
        np.testing.assert_allclose(mels(hz, htk), librosa.hz_to_mel(hz, htk=htk))


def test_what_mels_leave_of_a_spectrum_is_found_again():
    mel = Mel(RATE, 40, stft=STFT(512, 128))
    there = mel(jnp.asarray(tones()))
    spectrum = jax.jit(mel.spectrum)(there)
    assert spectrum.min() >= 0
    assert np.abs(spectrum @ mel.filters - there).max() < 1e-3 * there.max()


def test_phases_are_found_that_fit():
    stft = STFT(512, 128)
    x = jnp.asarray(tones())
    spectrum = jnp.abs(stft(x))
    phases = jax.random.uniform(jax.random.key(0), spectrum.shape, maxval=2 * np.pi)
    sines = jax.jit(functools.partial(coherent, stft))(spectrum)
    find = functools.partial(griffin_lim, stft, spectrum, len(x))
    far = lambda x: float(
        20
        * jnp.log10(
            jnp.linalg.norm(jnp.abs(stft(x)) - spectrum) / jnp.linalg.norm(spectrum)
        )
    )
    slow, fast = (
        jax.jit(functools.partial(find, phases, momentum=m))() for m in (0.0, 0.99)
    )
    assert far(fast) < far(slow) < -12
    assert far(fast) < -20
    some, near = (
        jax.jit(functools.partial(find, y, steps=2))() for y in (phases, sines)
    )
    assert far(near) < -20 < far(some)


def test_bands_without_a_frequency_are_refused():
    with pytest.raises(UsageError, match="of 80 mel bands lie between the frequencies"):
        Mel(48_000, 80, stft=STFT(256, 64))
    with pytest.raises(UsageError, match="from 0 to 9000 Hz are asked for at 16000 Hz"):
        Mel(high=9000)
