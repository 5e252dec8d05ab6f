"""The filter bank: perfect reconstruction and separation of bands."""

import jax
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.nn.audio.pqmf import PQMF, prototype


@pytest.mark.parametrize(("bands", "overlap"), [(16, 16), (4, 8)])
def test_the_bank_reconstructs_perfectly(bands, overlap):
    bank = PQMF(bands, overlap)
    x = np.random.default_rng(0).normal(size=(2, 40 * bands)).astype(np.float32)
    bands_of, back = jax.jit(lambda x: (y := bank(x), bank.inverse(y)))(x)
    assert bands_of.shape == (2, 40 + bank.extra_frames, bands)
    assert 20 * np.log10(np.abs(back - x).max() / np.abs(x).max()) < -110
    np.testing.assert_allclose((bands_of**2).sum(), (x**2).sum(), rtol=1e-5)  # Parseval


def test_bands_are_convolutions_with_the_modulated_prototype():
    """The oracle sums the products of each band's filter and the signal."""
    bank, n = PQMF(4, 3), np.arange(24)
    low = prototype(4, 3)
    x = np.random.default_rng(0).normal(size=32).astype(np.float32)
    padded = np.pad(x, 20)
    for k in range(4):
        turn = (2 * k + 1) * np.pi / 8 * (n - 23 / 2) + (-1) ** k * np.pi / 4
        expected = [
            padded[f * 4 :][:24] @ (2 * low * np.cos(turn)) for f in range(8 + 5)
        ]
        np.testing.assert_allclose(bank(x)[:, k], expected, atol=1e-5)


def test_a_tone_is_in_its_own_and_the_adjacent_bands():
    bank, t = PQMF(16, 16), np.arange(16 * 200)
    for k in (0, 5, 15):
        tone = np.sin(np.pi * (k + 0.5) / 16 * t).astype(np.float32)
        power = (np.asarray(bank(tone))[40:-40] ** 2).mean(axis=0)
        away = np.delete(power, [i for i in (k - 1, k, k + 1) if 0 <= i < 16])
        assert power.argmax() == k
        assert 10 * np.log10(away.max() / power[k]) < -95


def test_invalid_banks_and_lengths_raise():
    with pytest.raises(UsageError, match="15 bands and an overlap of 16"):
        PQMF(15)
    with pytest.raises(
        UsageError, match="100 samples are not a multiple of the 16 bands"
    ):
        PQMF()(np.zeros(100))
