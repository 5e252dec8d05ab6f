"""The mel vocoder: shapes, the draft before training, and the phases of training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.mel_vocoder import TINY
from zoo.train.step import due

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


def test_latents_are_the_log_mel_spectrum():
    params, x = perturbed(TINY), noise(6)
    assert params.keys() == {"decoder", "critic"}
    mel = jax.jit(TINY.latents)(params, x)
    count = TINY.frames(x.shape[1])
    padded = np.pad(x, ((0, 0), (0, count * TINY.hop - x.shape[1])))
    expected = jax.jit(TINY.mel.log)(padded)[:, :count]
    np.testing.assert_allclose(mel, expected, atol=1e-5)


def test_a_sample_is_decoded_from_the_mel_spectrum_of_audio():
    params, x = perturbed(TINY), noise(6)
    sample = jax.jit(lambda x: TINY.sample(params, KEY, 2, audio=x))(x)
    count = TINY.frames(x.shape[1])
    assert sample.shape == (2, count * TINY.hop - TINY.delay)
    whole = jax.jit(lambda x: TINY.vocoded(params, x, KEY))(x)
    np.testing.assert_allclose(sample[:, : x.shape[1]], whole, atol=1e-5)


def test_an_untrained_model_reproduces_mel_spectra():
    t = np.arange(40 * TINY.hop) / TINY.rate
    tones = np.stack([np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 333 * t)])
    x = (0.5 * tones * np.minimum(1, 4 * t)).astype(np.float32)
    params = initial(TINY)
    y = np.asarray(jax.jit(lambda x: TINY.reconstructed(params, x, KEY))(x))
    mel = jax.jit(TINY.mel.__call__)
    a, b = (np.asarray(mel(z))[:, 2:-4] for z in (x, y))
    assert np.abs(a - b).mean() < 0.1 * a.mean()
    assert (a.argmax(-1) == b.argmax(-1)).all()


def test_gains_multiply_the_loudness():
    z = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    gain = np.tile(np.array([0.5, 1.0, 2.0], np.float32), (2, 1))[..., None]
    loudness = jax.jit(TINY.loudness)
    louder = loudness(jax.jit(TINY.amplified)(z, gain))
    np.testing.assert_allclose(louder, gain * loudness(z), rtol=1e-5)


def test_the_critic_begins_after_the_first_phase():
    assert [due(TINY, step) for step in (0, 2)] == [("reconstruct",)] * 2
    assert [due(TINY, step) for step in (3, 9)] == [("critic", "generator")] * 2
    objectives = TINY.objectives()
    assert [objectives[name].wrt for name in ("reconstruct", "generator")] == [
        ("decoder",)
    ] * 2


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


def test_it_does_not_stream():
    assert not TINY.streams
    assert not dataclasses.replace(TINY, causal=True).streams


def test_invalid_fields_raise():
    with pytest.raises(UsageError, match=r"factors are \(4, 1\)"):
        dataclasses.replace(TINY, factors=(4, 1))
    with pytest.raises(UsageError, match="80 mel bands contain no frequency bin"):
        dataclasses.replace(TINY, mel_bands=80)
    with pytest.raises(UsageError, match="5 bands"):
        dataclasses.replace(TINY, bands=5)
    with pytest.raises(UsageError, match="choose a length of 256 samples"):
        TINY.init(KEY, {"audio": jnp.zeros((1, 80))})
