"""The variational vocoder: streaming, delay, skip path, and the phases of training."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.variational_vocoder import TINY
from zoo.nn.audio.subband_autoencoder import INIT_LOG_STD, RESIDUAL_SCALE
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)


def initial(family):
    return jax.jit(lambda rng: family.init(rng, family.example(1)))(KEY)


def perturbed(family):
    """Returns parameters none of which is 0, as some are initially."""
    rng = np.random.default_rng(0)
    noisy = lambda x: x + 0.1 * rng.normal(size=x.shape).astype(x.dtype)
    return jax.tree.map(noisy, initial(family))


def noise(frames, n=2):
    x = np.random.default_rng(1).normal(size=(n, frames * TINY.hop))
    return 0.3 * x.astype(np.float32)


def decoded(family, params, x):
    """Returns the reconstruction of x, all of its samples."""
    decode = lambda x: family.decode(params, family.latents(params, x), KEY)
    return np.asarray(jax.jit(decode)(x))


@pytest.mark.parametrize("size", [1, 3])
def test_streaming_equals_the_whole_signal_delayed(size):
    params, x = perturbed(TINY), noise(12)
    whole = decoded(TINY, params, x)
    step = jax.jit(TINY.step, donate_argnums=1)
    state = TINY.begin(params, jax.random.clone(KEY), 2)
    outputs = []
    for block in np.split(x, 12 // size, axis=1):
        state, output = step(params, state, block)
        outputs.append(output)
    streamed = np.concatenate(outputs, axis=1)[:, TINY.delay :]
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(streamed, whole[:, : streamed.shape[1]], atol=1e-5)
    assert step._cache_size() == 1  # the first block has the shapes of all others


def test_a_causal_model_depends_on_no_later_frame():
    """A frame of latents needs its last sample, and sounds from its first."""
    changed = noise(12)
    changed[:, 8 * TINY.hop :] = 0
    for family in (TINY, dataclasses.replace(TINY, causal=False)):
        params = perturbed(family)
        a, b = (decoded(family, params, x) for x in (noise(12), changed))
        same = (a == b).all(axis=0)
        first = 8 * TINY.hop - TINY.delay
        assert same[:first].all() == family.causal == family.streams
        assert not same[first:].any()


def test_reconstructions_are_as_long_as_the_audio():
    params = perturbed(TINY)
    for samples in (1, 15, 64, 100):
        frames = TINY.frames(samples)
        assert samples <= frames * TINY.hop - TINY.delay < samples + TINY.hop
        x = jax.ShapeDtypeStruct((1, samples), jnp.float32)
        assert jax.eval_shape(TINY.encode, params, x).mean.shape == (1, frames, 6)


def test_noise_depends_on_row_and_frame_only():
    def white(n, first, count):
        return TINY.noise(KEY, jnp.zeros((n, count, 6)), jnp.array(first))

    whole = white(3, 0, 6)
    assert whole.shape == (3, 24, 4)
    assert np.array_equal(white(2, 2, 3), whole[:2, 8:20])
    assert len(np.unique(whole)) > 280
    assert np.abs(whole).max() <= 1


def test_the_rate_is_in_nats_per_second():
    """A posterior N(1, 1) is half a nat from the prior; loudness is that of silence."""
    params = perturbed(TINY)
    taps = params["encoder"]["last"]["taps"]
    bias = jnp.array(2 * [1 / RESIDUAL_SCALE] + 6 * [-INIT_LOG_STD])
    params["encoder"]["last"]["taps"] = {
        "kernel": jnp.zeros_like(taps["kernel"]),
        "bias": bias,
    }
    evaluate = jax.jit(lambda batch: TINY.reconstruction_loss(params, batch, KEY, None))
    loss, metrics = evaluate({"audio": jnp.zeros((2, 256))})
    nats = 1 + 4 * 0.5 * ((math.log(1e-6) + 7) / 3) ** 2
    np.testing.assert_allclose(metrics["rate"], nats * 800 / 16, rtol=1e-5)
    distance = metrics["distance"] + metrics["waveform"] + 4 * metrics["log_mel"]
    np.testing.assert_allclose(loss, distance + 1e-4 * nats, rtol=1e-6)


def test_the_critic_begins_after_the_first_phase():
    assert [due(TINY, step) for step in (0, 2)] == [("reconstruct",)] * 2
    assert [due(TINY, step) for step in (3, 9)] == [("critic", "generator")] * 2


def test_initially_it_keeps_the_lowest_frequencies():
    """The skip path keeps 8 of 16 coefficients; noise of equal power fills the rest."""
    family = dataclasses.replace(TINY, latent=12)
    params = initial(family)
    hz = np.array([[50.0], [350.0]])  # the skip path keeps those below 200
    x = 0.3 * np.sin(2 * np.pi * hz * np.arange(640) / 800).astype(np.float32)
    y = decoded(family, params, x)[:, :640]
    ratio = lambda x, y: 10 * np.log10((x**2).mean(axis=1) / (y**2).mean(axis=1))
    low, high = ratio(x, x - y)
    assert low > 30
    assert -5 < high < -1
    assert np.abs(ratio(x, y)).max() < 1.5


def test_reconstructions_scale_with_the_audio():
    params, x = initial(TINY), noise(12)
    loud, quiet = decoded(TINY, params, x), decoded(TINY, params, 0.01 * x)
    assert np.isfinite(decoded(TINY, params, 0 * x)).all()
    np.testing.assert_allclose(quiet, 0.01 * loud, atol=1e-2 * np.abs(quiet).max())


def test_it_overfits_a_tone():
    tone = 0.3 * jnp.sin(jnp.arange(256.0) / 2)
    rules, batch = optimizers(TINY, optax.adam(5e-3)), {"audio": jnp.tile(tone, (4, 1))}
    step = jax.jit(make_step(TINY, rules), static_argnames="due")
    state = jax.jit(lambda rng: init(TINY, rules, rng, batch))(KEY)
    losses = []
    for _ in range(80):
        state, metrics = step(state, batch, due=("reconstruct",))
        losses.append(float(metrics["reconstruct/loss"]))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("name", ["reconstruct", "critic", "generator"])
def test_masked_rows_do_not_count(name):
    params, x = perturbed(TINY), noise(16)
    loss = TINY.objectives()[name].loss
    evaluate = jax.jit(lambda batch: loss(params, batch, KEY, None)[1])
    alone = evaluate({"audio": x[:1]})
    padded = evaluate({"audio": x, "mask": np.array([True, False])})
    for key, value in alone.items():
        np.testing.assert_allclose(
            padded[key], value, rtol=2e-3, atol=1e-5, err_msg=key
        )


def test_invalid_fields_raise():
    with pytest.raises(UsageError, match=r"factors are \(4, 1\)"):
        dataclasses.replace(TINY, factors=(4, 1))
    with pytest.raises(UsageError, match="latent is 4"):
        dataclasses.replace(TINY, latent=4)
    with pytest.raises(UsageError, match="choose 5 to 20"):
        dataclasses.replace(TINY, latent=21)
    with pytest.raises(UsageError, match="5 bands"):
        dataclasses.replace(TINY, bands=5)
    with pytest.raises(UsageError, match="choose a length of 256 samples"):
        TINY.init(KEY, {"audio": jnp.zeros((1, 80))})
    centred = dataclasses.replace(TINY, causal=False)
    with pytest.raises(UsageError, match="cannot stream in blocks"):
        centred.begin(perturbed(centred), KEY, 1)
