"""Critics of waveforms by periods, and of spectra by bands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.nn.audio.band_critic import MultiBandCritic
from zoo.nn.audio.multiperiod_critic import MultiPeriodCritic, folded

CRITICS = {
    "period": MultiPeriodCritic(1, (2, 3), layers=2),
    "band": MultiBandCritic(1, (16,), layers=1, edges=(0.0, 0.5, 1.0)),
}


def noise(samples=64, n=2):
    return np.random.default_rng(0).normal(size=(n, samples)).astype(np.float32)


def test_signals_are_folded_by_their_period():
    x = noise(10)
    y = np.asarray(folded(jnp.asarray(x), 3))
    assert y.shape == (2, 3, 4)
    padded = np.concatenate([x, x[:, [8, 7]]], axis=1)
    for phase in range(3):
        np.testing.assert_array_equal(y[:, phase], padded[:, phase::3])


@pytest.mark.parametrize("name", [*CRITICS])
def test_rows_are_judged_by_themselves(name):
    critic, x = CRITICS[name], noise()
    params = jax.jit(critic.init)(jax.random.key(0), x)
    judge = jax.jit(critic.apply)
    verdicts, features = judge(params, x)
    alone, own = judge(params, np.stack([x[1], x[1]]))
    np.testing.assert_allclose(verdicts[1], alone[0], atol=1e-5)
    assert verdicts.ndim == 2
    for both, one in zip(features, own, strict=True):
        assert both.ndim == 3
        np.testing.assert_allclose(both[1], one[0], atol=1e-5)


def test_a_period_sees_no_other_phase_in_its_verdict():
    """The verdicts of phase 0 do not depend on the samples of phase 1."""
    critic = MultiPeriodCritic(1, (2,), layers=2)
    x, changed = noise(), noise()
    changed[:, 1::2] = 0
    params = jax.jit(critic.init)(jax.random.key(0), x)
    judge = jax.jit(lambda x: critic.apply(params, x)[0])
    a, b = judge(x), judge(changed)
    half = a.shape[1] // 2
    np.testing.assert_array_equal(a[:, :half], b[:, :half])
    assert np.abs(a[:, half:] - b[:, half:]).max() > 1e-4


@pytest.mark.parametrize("name", [*CRITICS])
def test_short_audio_is_refused(name):
    critic = CRITICS[name]
    with pytest.raises(UsageError, match=f"a length of {critic.min_samples} samples"):
        critic.init(jax.random.key(0), noise(critic.min_samples - 1))
