"""MelGAN: mel spectra, streaming, critics and the phases of training."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models import mel_gan, mel_vocoder
from zoo.models.mel_gan import MelGAN, averaged
from zoo.nn.audio.spectral_loss import multi_resolution_stft_loss
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)
TINY = mel_gan.TINY
CAUSAL = dataclasses.replace(TINY, causal=True)
UPSAMPLING = dataclasses.replace(
    TINY, generator="upsampling", factors=(4, 2), kernels=(3,), dilations=(1,)
)


@functools.cache
def initial(family):
    return jax.jit(lambda rng: family.init(rng, family.example(1)))(KEY)


def noise(samples, n=2):
    x = np.random.default_rng(1).normal(size=(n, samples))
    return 0.3 * x.astype(np.float32)


def decoded(family, params, z):
    return np.asarray(jax.jit(lambda z: family.decode(params, z, KEY))(z))


def test_the_mel_spectrum_is_that_of_the_other_vocoder():
    other = dataclasses.replace(mel_vocoder.TINY, rate=1600)
    family = dataclasses.replace(TINY, rate=1600, mel_bands=16, hop=other.hop)
    x = noise(100)
    a, b = (jax.jit(lambda x, f=f: f.latents({}, x))(x) for f in (family, other))
    count = min(a.shape[1], b.shape[1])
    np.testing.assert_allclose(a[:, :count], b[:, :count], atol=1e-5)


@pytest.mark.parametrize("size", [1, 3])
def test_streaming_equals_the_whole_signal_delayed(size):
    params, x = initial(CAUSAL), noise(12 * TINY.hop)
    whole = jax.jit(lambda x: CAUSAL.reconstructed(params, x, KEY))(x)
    step = jax.jit(CAUSAL.step, donate_argnums=1)
    state, outputs = CAUSAL.begin(params, KEY, 2), []
    padded = np.pad(x, ((0, 0), (0, CAUSAL.delay)))
    for block in np.split(padded, 15 // size, axis=1):
        state, output = step(params, state, block)
        outputs.append(output)
    streamed = np.concatenate(outputs, axis=1)[:, CAUSAL.delay :]
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(streamed, whole, atol=1e-5)
    assert step._cache_size() == 1  # the first block has the shapes of all others


@pytest.mark.parametrize("family", [TINY, CAUSAL, UPSAMPLING])
def test_a_causal_generator_depends_on_no_later_frame(family):
    z = np.random.default_rng(0).normal(size=(1, 12, 4)).astype(np.float32)
    later = np.concatenate([z[:, :8], z[:, 8:] + 1], axis=1)
    params = initial(family)
    a, b = (decoded(family, params, z) for z in (z, later))
    assert a.shape == (1, 12 * family.hop)
    # frame 8 overlaps the two hops before its centre
    same = (a == b)[:, : (8 - 2) * family.hop]
    assert same.all() == family.causal


def test_a_causal_generator_without_overlap_is_causal_to_the_sample():
    family = dataclasses.replace(UPSAMPLING, causal=True)
    z = np.random.default_rng(0).normal(size=(1, 6, 4)).astype(np.float32)
    later = np.concatenate([z[:, :3], z[:, 3:] + 1], axis=1)
    params = initial(family)
    a, b = (decoded(family, params, z) for z in (z, later))
    np.testing.assert_array_equal(a[:, : 3 * family.hop], b[:, : 3 * family.hop])
    assert np.abs(a - b).max() > 1e-4
    assert not family.streams


def test_gains_multiply_the_loudness_and_the_audio():
    z = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32) - 3
    gain = np.full((2, 3, 1), 2.0, np.float32)
    louder = np.asarray(jax.jit(TINY.amplified)(z, gain))
    loudness = jax.jit(TINY.loudness)
    np.testing.assert_allclose(loudness(louder), gain * loudness(z), rtol=1e-5)


def test_it_overfits_a_tone_better_than_griffin_lim_begins():
    family = dataclasses.replace(TINY, width=16, rate=1600, mel_bands=8, hop=16)
    tone = 0.3 * np.sin(np.arange(512) / 3).astype(np.float32)
    x = np.tile(tone, (2, 1))
    rules, batch = optimizers(family, optax.adam(1e-2)), {"audio": x}
    step = jax.jit(make_step(family, rules), static_argnames="due")
    state = jax.jit(lambda rng: init(family, rules, rng, batch))(KEY)
    for _ in range(80):
        state, metrics = step(state, batch, due=("reconstruct",))
    start = jax.jit(lambda x: family.mel.inverse(family.mel(x), 512, KEY, 0))(x)
    log_mel = jax.jit(family.reconstruction.mel.log)
    error = np.abs(np.asarray(log_mel(start)) - np.asarray(log_mel(x)))
    assert float(metrics["reconstruct/log_mel"]) < 0.5 * float(error.mean())
    distance = jax.jit(
        lambda x, y: multi_resolution_stft_loss(x, y, family.fft_sizes).mean()
    )
    assert float(metrics["reconstruct/distance"]) < float(distance(x, start))


def test_the_critics_begin_after_the_first_phase():
    assert [due(TINY, step) for step in (0, 2)] == [("reconstruct",)] * 2
    assert [due(TINY, step) for step in (3, 9)] == [("critic", "generator")] * 2


@pytest.mark.parametrize("name", ["reconstruct", "critic", "generator"])
def test_masked_rows_do_not_count(name):
    params, x = initial(TINY), noise(256)
    loss = TINY.objectives()[name].loss
    evaluate = jax.jit(lambda batch: loss(params, batch, KEY, None)[1])
    alone = evaluate({"audio": x[:1]})
    padded = evaluate({"audio": x, "mask": np.array([True, False])})
    for key, value in alone.items():
        np.testing.assert_allclose(
            padded[key], value, rtol=2e-3, atol=1e-5, err_msg=key
        )


def test_the_verdict_is_the_mean_of_all_critics():
    family = dataclasses.replace(
        TINY, critics=("scale", "period", "band"), critic_scales=1, critic_sizes=(16,)
    )
    params, x = initial(family), noise(256)
    means = [
        np.asarray(jax.jit(a.verdicts)(params["critic"][name], x)[0]).mean(axis=1)
        for name, a in family.adversaries.items()
    ]
    verdict = jax.jit(family.verdict)(params, x)
    np.testing.assert_allclose(verdict, np.mean(means, axis=0), atol=1e-5)


def test_losses_of_critics_are_averaged():
    losses = [(jnp.float32(x), {"a": jnp.float32(x + 1)}) for x in (1, 3)]
    loss, metrics = averaged(losses)
    assert (float(loss), float(metrics["a"])) == (2, 3)


def test_invalid_fields_raise():
    with pytest.raises(UsageError, match="generator is 'wave': choose from istft"):
        MelGAN(generator="wave")
    for critics in ((), ("period", "ear")):
        with pytest.raises(UsageError, match="choose from scale, period, band"):
            MelGAN(critics=critics)
    with pytest.raises(UsageError, match="whose product is the hop, 256"):
        MelGAN(generator="upsampling", factors=(4, 4))
    with pytest.raises(UsageError, match="even number"):
        MelGAN(hop=255)
    with pytest.raises(UsageError, match="mel bands contain no frequency bin"):
        dataclasses.replace(TINY, mel_bands=80)
    with pytest.raises(UsageError, match="choose a length of 162 samples"):
        TINY.init(KEY, {"audio": jnp.zeros((1, 80))})
    with pytest.raises(UsageError, match="cannot stream in blocks"):
        TINY.begin({}, KEY, 1)
