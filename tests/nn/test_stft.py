"""The short-time Fourier transform against librosa."""

import jax
import librosa
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.errors import UsageError
from zoo.nn.audio.stft import STFT, frames, hann, magnitude, overlap_add


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


LENGTHS = [
    (1024, 256, 5000),
    (2048, 1024, 9001),
    (64, 8, 999),
    (4096, 1024, 9000),
    (600, 250, 3001),
]


@pytest.mark.parametrize(("size", "hop", "length"), LENGTHS)
def test_it_equals_that_of_librosa(size, hop, length):
    x = noise(2, length)
    ours = jax.jit(STFT(size, hop))(x)
    theirs = librosa.stft(x, n_fft=size, hop_length=hop, pad_mode="constant")
    np.testing.assert_allclose(ours, theirs.swapaxes(1, 2), atol=2e-4)


@pytest.mark.parametrize(
    ("size", "hop", "length"), [(512, 128, 4000), (600, 250, 3001)]
)
def test_the_inverse_restores_the_signal(size, hop, length):
    x, stft = noise(3, length), STFT(size, hop)
    back = jax.jit(lambda x: stft.inverse(stft(x), length))(x)
    inside = slice(0, length - length % hop)  # later samples are in no frame
    assert 20 * np.log10(np.abs(np.asarray(back) - x)[:, inside].max()) < -100


def test_frames_and_their_sum_are_adjoint():
    """<frames(x), y> = <x, overlap_add(y)>: each is the other's gradient."""
    cut = jax.jit(frames, static_argnums=(1, 2))
    add = jax.jit(overlap_add, static_argnums=1)
    for size, hop, length in [(8, 2, 41), (7, 3, 30), (4, 6, 40)]:
        x, count = noise(length), 1 + (length - size) // hop
        y = noise(count, size, seed=1)
        rows, total = np.asarray(cut(x, size, hop)), np.asarray(add(y, hop))
        np.testing.assert_array_equal(rows, [x[i * hop :][:size] for i in range(count)])
        np.testing.assert_allclose(
            (rows * y).sum(), (x[: total.shape[-1]] * total).sum(), rtol=1e-4
        )


@pytest.mark.parametrize("hop", [16, 24])  # by matrix products, and by FFT
def test_gradients_equal_finite_differences(hop):
    power = jax.jit(lambda x: (magnitude(STFT(64, hop)(x)) ** 2).mean())
    check_grads(power, (noise(2, 150),), order=2, rtol=2e-2, atol=2e-2)


def test_a_sine_120_db_below_another_keeps_its_level():
    time = np.arange(4096) / 1024
    x = np.sin(2 * np.pi * 100 * time) + 1e-6 * np.sin(2 * np.pi * 400 * time)
    whole = np.stack([x[i : i + 1024] for i in range(0, 3073, 256)]) * hann(1024)
    found = np.abs(jax.jit(STFT())(x))[2:-2]
    error = 20 * np.log10(found[:, 400] / np.abs(np.fft.rfft(whole))[:, 400])
    assert np.abs(error).max() < 1.5


def test_hops_that_leave_samples_out_raise():
    with pytest.raises(UsageError, match="512 samples cannot be 400 samples apart"):
        STFT(512, 400)


def test_the_gradient_of_magnitudes_is_finite_at_zero():
    y = np.array([3 + 4j, -1e-3j, 0], np.complex64)
    np.testing.assert_allclose(jax.jit(magnitude)(y), np.abs(y), rtol=1e-6, atol=2e-10)
    slope = jax.jit(jax.grad(lambda x: magnitude(x * y).sum()))(0.0)
    assert np.isfinite(slope)
