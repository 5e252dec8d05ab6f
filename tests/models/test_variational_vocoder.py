"""The vocoder: in blocks as of the whole, no later than its bank, and each phase at its step."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.variational_vocoder import TINY
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)
MEL = dataclasses.replace(TINY, mel=4)


def born(family):
    return jax.jit(lambda rng: family.init(rng, family.example(1)))(KEY)


def noise(frames, n=2):
    x = np.random.default_rng(1).normal(size=(n, frames * TINY.hop))
    return 0.3 * x.astype(np.float32)


def back(family, params, x):
    """Signals by the means of their latents."""
    decode = lambda x: family.decode(params, family.encode(params, x).mean, KEY)
    return np.asarray(jax.jit(decode)(x))


@pytest.mark.parametrize("size", [1, 3])
def test_blocks_are_the_whole_delayed(size):
    params, x = born(TINY), noise(12)
    whole = back(TINY, params, x)
    step, state = jax.jit(TINY.step, donate_argnums=1), TINY.begin(params, jax.random.clone(KEY), 2)
    parts = []
    for block in np.split(x, 12 // size, axis=1):
        state, part = step(params, state, block)
        parts.append(part)
    streamed = np.concatenate(parts, axis=1)[:, TINY.delay :]
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(streamed, whole[:, : streamed.shape[1]], atol=1e-5)
    assert step._cache_size() == 1  # the first block is no other than the rest


def test_what_is_causal_is_late_by_its_frame_and_its_bank():
    """A latent's frame is heard when it ends, and sounds from where it began."""
    later = noise(12)
    later[:, 8 * TINY.hop :] = 0
    for family in (TINY, dataclasses.replace(TINY, causal=False)):
        params = born(family)
        one, other = (back(family, params, x) for x in (noise(12), later))
        same = (one == other).all(axis=0)
        first = 8 * TINY.hop - TINY.delay
        assert same[:first].all() == family.causal
        assert not same[first:].any()


def test_signals_come_back_as_long_as_they_were():
    params = born(TINY)
    for samples in (1, 15, 64, 100):
        frames = TINY.frames(samples)
        assert samples <= frames * TINY.hop - TINY.delay < samples + TINY.hop
        x = jax.ShapeDtypeStruct((1, samples), jnp.float32)
        assert jax.eval_shape(TINY.encode, params, x).mean.shape == (1, frames, 3)


def test_noise_is_that_of_a_row_and_a_frame():
    white = lambda n, first, count: TINY.white(KEY, jnp.zeros((n, count, 3)), jnp.array(first))
    whole = white(3, 0, 6)
    assert whole.shape == (3, 24, 4)
    assert np.array_equal(white(2, 2, 3), whole[:2, 8:20])
    assert len(np.unique(whole)) > 280
    assert np.abs(whole).max() <= 1


def test_of_a_mel_spectrum_it_is_the_way_back():
    params, x = born(MEL), noise(6)
    assert params.keys() == {"decoder", "critic"}
    assert MEL.objectives()["reconstruct"].wrt == ("decoder",)
    z = jax.jit(MEL.encode)(params, x).mean
    count = MEL.frames(x.shape[1])
    padded = np.pad(x, ((0, 0), (0, count * MEL.hop - x.shape[1])))
    np.testing.assert_allclose(z, MEL.spectrum.log(padded)[:, :count], atol=1e-5)
    made = jax.eval_shape(lambda z: MEL.sample(params, KEY, 2, latents=z), z)
    assert made.shape == (2, count * MEL.hop - MEL.delay)
    measure = jax.jit(lambda batch: MEL.reconstruct(params, batch, KEY, None)[1])
    assert measure({"audio": noise(16)})["rate"] == 0
    with pytest.raises(UsageError, match="give one"):
        MEL.sample(params, KEY, 2)
    with pytest.raises(UsageError, match="looks ahead"):
        MEL.begin(params, KEY, 1)


def test_a_nat_is_counted_by_the_second():
    """An encoder whose latents are all N(1, 1): each is half a nat from the prior."""
    params = born(TINY)
    last = params["encoder"]["last"]["taps"]
    still = {"kernel": jnp.zeros_like(last["kernel"]), "bias": jnp.array([1.0, 1, 1, 0, 0, 0])}
    params["encoder"]["last"]["taps"] = still
    measure = jax.jit(lambda batch: TINY.reconstruct(params, batch, KEY, None))
    loss, metrics = measure({"audio": noise(16)})
    np.testing.assert_allclose(metrics["rate"], 1.5 * 800 / 16, rtol=1e-6)
    np.testing.assert_allclose(loss, metrics["distance"] + 0.1 * 1.5, rtol=1e-6)


def test_the_critic_comes_in_at_its_step():
    assert [due(TINY, step) for step in (0, 2)] == [("reconstruct",)] * 2
    assert [due(TINY, step) for step in (3, 9)] == [("discriminate", "refine")] * 2


def test_it_learns_what_it_hears():
    tone = 0.3 * jnp.sin(jnp.arange(256.0) / 2)
    rules, batch = optimizers(TINY, optax.adam(2e-2)), {"audio": jnp.tile(tone, (4, 1))}
    step = jax.jit(make_step(TINY, rules), static_argnames="due")
    state = jax.jit(lambda rng: init(TINY, rules, rng, batch))(KEY)
    far = []
    for _ in range(60):
        state, metrics = step(state, batch, due=("reconstruct",))
        far.append(float(metrics["reconstruct/distance"]))
    assert far[-1] < 0.5 * far[0]


def test_bad_requests_say_so():
    with pytest.raises(UsageError, match=r"factors of \(4, 1\)"):
        dataclasses.replace(TINY, factors=(4, 1))
    with pytest.raises(UsageError, match="5 bands"):
        dataclasses.replace(TINY, bands=5)
    with pytest.raises(UsageError, match="80 samples: give it 256"):
        TINY.init(KEY, {"audio": jnp.zeros((1, 80))})
    ahead = dataclasses.replace(TINY, causal=False)
    with pytest.raises(UsageError, match="cannot go on in blocks"):
        ahead.begin(born(ahead), KEY, 1)
