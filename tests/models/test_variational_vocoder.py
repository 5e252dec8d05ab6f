"""The vocoder: in blocks as of the whole, no later than its bank, and each phase at its step."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.variational_vocoder import TINY
from zoo.nn.audio.subband_autoencoder import LITTLE, SURE
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)
MEL = dataclasses.replace(TINY, mel=4)


def born(family):
    return jax.jit(lambda rng: family.init(rng, family.example(1)))(KEY)


def grown(family):
    """Parameters none of which is 0, as some are at birth."""
    rng = np.random.default_rng(0)
    more = lambda x: x + 0.1 * rng.normal(size=x.shape).astype(x.dtype)
    return jax.tree.map(more, born(family))


def noise(frames, n=2):
    x = np.random.default_rng(1).normal(size=(n, frames * TINY.hop))
    return 0.3 * x.astype(np.float32)


def back(family, params, x):
    """Signals by the means of their latents."""
    decode = lambda x: family.decode(params, family.encode(params, x).mean, KEY)
    return np.asarray(jax.jit(decode)(x))


@pytest.mark.parametrize("size", [1, 3])
def test_blocks_are_the_whole_delayed(size):
    params, x = grown(TINY), noise(12)
    whole = back(TINY, params, x)
    step, state = (
        jax.jit(TINY.step, donate_argnums=1),
        TINY.begin(params, jax.random.clone(KEY), 2),
    )
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
        params = grown(family)
        one, other = (back(family, params, x) for x in (noise(12), later))
        same = (one == other).all(axis=0)
        first = 8 * TINY.hop - TINY.delay
        assert same[:first].all() == family.causal
        assert not same[first:].any()


def test_signals_come_back_as_long_as_they_were():
    params = grown(TINY)
    for samples in (1, 15, 64, 100):
        frames = TINY.frames(samples)
        assert samples <= frames * TINY.hop - TINY.delay < samples + TINY.hop
        x = jax.ShapeDtypeStruct((1, samples), jnp.float32)
        assert jax.eval_shape(TINY.encode, params, x).mean.shape == (1, frames, 6)


def test_noise_is_that_of_a_row_and_a_frame():
    white = lambda n, first, count: TINY.white(
        KEY, jnp.zeros((n, count, 6)), jnp.array(first)
    )
    whole = white(3, 0, 6)
    assert whole.shape == (3, 24, 4)
    assert np.array_equal(white(2, 2, 3), whole[:2, 8:20])
    assert len(np.unique(whole)) > 280
    assert np.abs(whole).max() <= 1


def test_of_a_mel_spectrum_it_is_the_way_back():
    params, x = grown(MEL), noise(6)
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


def test_a_mel_spectrum_sounds_like_itself_before_anything_is_learnt():
    family = dataclasses.replace(MEL, rate=1600, mel=16)
    t = np.arange(40 * family.hop) / family.rate
    tones = np.stack([np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 333 * t)])
    x = (0.5 * tones * np.minimum(1, 4 * t)).astype(np.float32)
    y = back(family, born(family), x)[:, : len(t)]
    one, other = (np.asarray(family.spectrum(z))[:, 2:-4] for z in (x, y))
    assert np.abs(one - other).mean() < 0.1 * one.mean()
    assert (one.argmax(-1) == other.argmax(-1)).all()


def test_a_nat_is_counted_by_the_second():
    """An encoder of silence whose latents are N(1, 1): each is half a nat from the prior, and that
    of loudness, which is where silence is, as far as that is."""
    params = grown(TINY)
    last = params["encoder"]["last"]["taps"]
    bias = jnp.array(2 * [1 / LITTLE] + 6 * [-SURE])
    params["encoder"]["last"]["taps"] = {
        "kernel": jnp.zeros_like(last["kernel"]),
        "bias": bias,
    }
    measure = jax.jit(lambda batch: TINY.reconstruct(params, batch, KEY, None))
    loss, metrics = measure({"audio": jnp.zeros((2, 256))})
    nats = 1 + 4 * 0.5 * ((math.log(1e-6) + 7) / 3) ** 2
    np.testing.assert_allclose(metrics["rate"], nats * 800 / 16, rtol=1e-5)
    cost = metrics["distance"] + metrics["wave"] + 4 * metrics["envelope"]
    np.testing.assert_allclose(loss, cost + 1e-4 * nats, rtol=1e-6)


def test_the_critic_comes_in_at_its_step():
    assert [due(TINY, step) for step in (0, 2)] == [("reconstruct",)] * 2
    assert [due(TINY, step) for step in (3, 9)] == [("discriminate", "refine")] * 2


def test_at_birth_it_keeps_the_lowest_frequencies():
    """Of 16 coefficients of a frame it keeps as many as it has latents but for loudness, and makes
    noise of the others that is as loud."""
    family = dataclasses.replace(TINY, latent=12)
    params = born(family)
    hz = np.array([[50.0], [350.0]])  # of 400, of which it keeps 200
    x = 0.3 * np.sin(2 * np.pi * hz * np.arange(640) / 800).astype(np.float32)
    y = back(family, params, x)[:, :640]
    decibels = lambda x, y: 10 * np.log10((x**2).mean(axis=1) / (y**2).mean(axis=1))
    low, high = decibels(x, x - y)
    assert low > 30
    assert -5 < high < -1
    assert np.abs(decibels(x, y)).max() < 1.5


def test_a_quiet_sound_is_as_good_as_a_loud_one():
    params, x = born(TINY), noise(12)
    loud, quiet = back(TINY, params, x), back(TINY, params, 0.01 * x)
    assert np.isfinite(back(TINY, params, 0 * x)).all()
    np.testing.assert_allclose(quiet, 0.01 * loud, atol=1e-2 * np.abs(quiet).max())


def test_it_learns_what_it_hears():
    tone = 0.3 * jnp.sin(jnp.arange(256.0) / 2)
    rules, batch = optimizers(TINY, optax.adam(5e-3)), {"audio": jnp.tile(tone, (4, 1))}
    step = jax.jit(make_step(TINY, rules), static_argnames="due")
    state = jax.jit(lambda rng: init(TINY, rules, rng, batch))(KEY)
    lost = []
    for _ in range(80):
        state, metrics = step(state, batch, due=("reconstruct",))
        lost.append(float(metrics["reconstruct/loss"]))
    assert lost[-1] < 0.6 * lost[0]


def test_rows_that_fill_up_a_batch_count_for_nothing():
    params, x = grown(TINY), noise(16)
    measure = lambda name: jax.jit(
        lambda b: getattr(TINY, name)(params, b, KEY, None)[1]
    )
    for name in ("reconstruct", "discriminate", "refine"):
        alone = measure(name)({"audio": x[:1]})
        filled = measure(name)({"audio": x, "mask": np.array([True, False])})
        for key, value in alone.items():
            np.testing.assert_allclose(
                filled[key], value, rtol=2e-3, atol=1e-5, err_msg=key
            )


def test_bad_requests_say_so():
    with pytest.raises(UsageError, match=r"factors of \(4, 1\)"):
        dataclasses.replace(TINY, factors=(4, 1))
    with pytest.raises(UsageError, match="4 latents are asked for"):
        dataclasses.replace(TINY, latent=4)
    with pytest.raises(UsageError, match="choose 5 to 20"):
        dataclasses.replace(TINY, latent=21)
    with pytest.raises(UsageError, match="5 bands"):
        dataclasses.replace(TINY, bands=5)
    with pytest.raises(UsageError, match="80 samples: give it 256"):
        TINY.init(KEY, {"audio": jnp.zeros((1, 80))})
    ahead = dataclasses.replace(TINY, causal=False)
    with pytest.raises(UsageError, match="cannot go on in blocks"):
        ahead.begin(grown(ahead), KEY, 1)
