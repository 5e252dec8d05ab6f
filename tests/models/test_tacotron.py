"""Tacotron: alignment, padding, voices, streaming, and texts without content."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.mel_vocoder import TINY as VOCODER
from zoo.models.tacotron import TINY
from zoo.nn.audio.speech_batch import CENTRE, SCALE, SILENCE, mel_frames

KEY = jax.random.key(0)
PLAIN = dataclasses.replace(TINY, dropout=0.0)
VARIANTS = {
    "durations": PLAIN,
    "attention": dataclasses.replace(PLAIN, alignment="attention", attention_width=4),
    "convolutions": dataclasses.replace(PLAIN, decoder="convolutions", blocks=1),
}


@functools.cache
def perturbed(family):
    """Returns parameters none of which is 0, as some are initially."""
    params = jax.jit(lambda rng: family.init(rng, {}))(KEY)
    rng = np.random.default_rng(0)
    noisy = lambda x: x + 0.2 * rng.normal(size=x.shape).astype(x.dtype)
    return jax.tree.map(noisy, params)


@functools.cache
def loss_of(family):
    return jax.jit(lambda params, batch: family.loss(params, batch, KEY, None))


def batch_of(family, n=2):
    """Returns rows of three phonemes and an end, two frames each."""
    rows = {k: np.array(v) for k, v in family.example(n).items()}
    ends = np.tile(np.array([2, 4, 6, 8], np.int32) * family.hop, (n, 1))
    samples = np.full(n, 8 * family.hop, np.int32)
    few = {"phonemes": rows["phonemes"][:, -4:], "ends": ends, "samples": samples}
    return {**rows, **few, "audio": rows["audio"][:, : 8 * family.hop]}


def samples(family, params, **options):
    """Returns samples of two rows; `frames` is static."""
    rows = batch_of(family)
    given = {"phonemes": rows["phonemes"], "voice": rows["voice"], **options}
    return jax.jit(lambda p, given: family.sample(p, KEY, 2, **given))(params, given)


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_and_masked_rows_do_not_count(name):
    family = VARIANTS[name]
    params, alone = perturbed(family), batch_of(family)
    padded = {k: np.concatenate([v, v[:1]]) for k, v in alone.items()}
    more = {"phonemes": 3, "audio": 5 * family.hop}
    for key, count in more.items():
        padded[key] = np.pad(padded[key], ((0, 0), (0, count)))
    padded["ends"] = np.pad(padded["ends"], ((0, 0), (0, 3)), mode="edge")
    padded["mask"] = np.array([True, True, False])
    loss, metrics = loss_of(family)(params, alone)
    other, further = loss_of(family)(params, padded)
    np.testing.assert_allclose(other, loss, rtol=1e-4)
    for key, value in metrics.items():
        np.testing.assert_allclose(further[key], value, rtol=1e-4, err_msg=key)


def test_rows_with_unknown_durations_do_not_count():
    rows = batch_of(PLAIN)
    rows["ends"][1, 2] = -1
    _, metrics = loss_of(PLAIN)(perturbed(PLAIN), rows)
    assert metrics["events"] == rows["samples"][0] // PLAIN.hop


@pytest.mark.parametrize("name", ["durations", "attention"])
def test_steps_are_the_sample(name):
    family = dataclasses.replace(VARIANTS[name], dropout=0.5)
    params, rows = perturbed(family), batch_of(family)
    given = {"phonemes": rows["phonemes"], "voice": rows["voice"]}
    plan = jax.jit(lambda p: family.plan(p, **given))(params)
    state, step, drafts = family.begin(KEY, plan), jax.jit(family.step), []
    for _ in range(family.steps()):
        state, frames = step(params, state)
        drafts.append(frames)
    draft = jnp.concatenate(drafts, axis=1)
    mel = jax.jit(family.refine)(params, draft, state.plan.frames)
    np.testing.assert_allclose(mel, samples(family, params), atol=1e-4)


def test_a_teacher_forced_row_is_what_the_decoder_writes_after_the_same_frames():
    """A decoder that only ever read its own frames is taught them: nothing changes."""
    params, rows = perturbed(PLAIN), batch_of(PLAIN)
    durations = np.full((2, 4), 1.5, np.float32)
    given = {"phonemes": rows["phonemes"], "voice": rows["voice"]}

    def both(params):
        plan = PLAIN.plan(params, durations=durations, **given)
        step = lambda state, _: PLAIN.step(params, state)
        _, drafts = jax.lax.scan(step, PLAIN.begin(KEY, plan), length=3)
        draft = drafts.swapaxes(0, 1).reshape(2, 6, PLAIN.mel_bands)
        read = PLAIN.read(rows)
        forced = read._replace(
            durations=durations,
            mel=(draft - CENTRE) / SCALE,
            frames=jnp.full(2, 6, jnp.int32),
        )
        return draft, PLAIN.forced(params, forced, KEY).draft

    written, forced = jax.jit(both)(params)
    np.testing.assert_allclose(forced * SCALE + CENTRE, written, atol=1e-4)


@pytest.mark.parametrize("name", ["durations", "attention"])
def test_a_mixture_of_one_voice_is_that_voice(name):
    family = VARIANTS[name]
    params = perturbed(family)
    voice = np.array([1, 0], np.int32)
    plain = samples(family, params, voice=voice)
    mixed = samples(family, params, voice=np.eye(2, dtype=np.float32)[voice])
    between = samples(family, params, voice=np.full((2, 2), 0.5, np.float32))
    np.testing.assert_array_equal(plain, mixed)
    assert np.abs(plain - between).max() > 1e-3


@pytest.mark.parametrize("name", ["durations", "convolutions"])
def test_durations_and_pace_decide_the_length(name):
    family = VARIANTS[name]
    params, rows = perturbed(family), batch_of(family)
    given = {"phonemes": rows["phonemes"], "voice": rows["voice"]}
    durations = np.array([[1, 0, 1, 1], [2, 1, 0.5, 0]], np.float32)

    def lengths(durations, pace):
        plan = family.plan(params, durations=durations, pace=pace, **given)
        return family.synthesize(params, KEY, plan)

    speech = jax.jit(lengths)(durations, 1.0)
    assert np.isfinite(speech.mel).all()
    assert speech.frames.tolist() == [3, 4]
    for mel, frames in zip(np.asarray(speech.mel), [3, 4], strict=True):
        assert (mel[frames:] == np.float32(SILENCE)).all()
        assert not (mel[:frames] == np.float32(SILENCE)).all()
    assert jax.jit(lengths)(durations, 0.5).frames.tolist() == [6, 7]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_duration_of_zero_and_an_empty_text_are_finite(name):
    family = VARIANTS[name]
    rows, params = batch_of(family), perturbed(family)
    rows["ends"][0, 1] = rows["ends"][0, 0]
    rows["phonemes"][1], rows["ends"][1] = 0, rows["ends"][1, 0]
    grads = jax.jit(jax.grad(lambda p: loss_of(family)(p, rows)[0]))(params)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(grads))
    empty = samples(family, params, phonemes=np.zeros((2, 1), np.int32))
    assert np.isfinite(empty).all()


def test_the_attention_of_durations_is_where_they_say():
    family = VARIANTS["convolutions"]
    params = jax.jit(lambda rng: family.init(rng, {}))(KEY)
    rows = batch_of(family)
    weights = jax.jit(family.attention)(params, rows)
    ends = rows["ends"][0] / family.hop
    frames = np.arange(weights.shape[1])
    expected = np.searchsorted(ends, frames, side="right")
    middle = np.isin(frames, np.floor(ends - 0.5))
    at = np.asarray(weights[0]).argmax(axis=-1)
    assert (at[middle] == expected[middle]).all()


def test_the_spectra_are_those_of_the_vocoder():
    audio = np.random.default_rng(0).normal(size=(1, 320)).astype(np.float32)
    theirs = jax.jit(VOCODER.latents)({}, audio)
    ours = jax.jit(lambda x: mel_frames(VOCODER.mel, x))(audio)
    np.testing.assert_allclose(ours, theirs[:, : ours.shape[1]], atol=1e-5)


@pytest.mark.parametrize("name", ["durations", "attention"])
def test_it_learns_two_rows(name):
    sizes = {"width": 16, "decoder_width": 16, "prenet": 16, "attention_width": 8}
    family = dataclasses.replace(VARIANTS[name], **sizes)
    rows, tx = family.example(2), optax.adam(1e-2)

    def train(rng):
        params = family.init(rng, rows)

        def step(state, i):
            params, opt = state
            key = jax.random.fold_in(rng, i)
            grad = jax.grad(family.loss, has_aux=True)
            grads, metrics = grad(params, rows, key, i)
            updates, opt = tx.update(grads, opt)
            return (optax.apply_updates(params, updates), opt), metrics

        return jax.lax.scan(step, (params, tx.init(params)), jnp.arange(150))[1]

    metrics = jax.jit(train)(KEY)
    first, last = ({k: v[i] for k, v in metrics.items()} for i in (0, -1))
    assert last["mel"] < 0.25 * first["mel"]
    if name == "durations":
        assert last["duration_ms"] < 1 < first["duration_ms"]
    else:
        assert last["diagonality"] > first["diagonality"]


def test_contradictions_raise():
    for options, message in {
        ("voices", ()): "needs a voice",
        ("alignment", "attention"): "cannot attend",
    }.items():
        name, value = options
        with pytest.raises(UsageError, match=message):
            dataclasses.replace(VARIANTS["convolutions"], **{name: value})
    family = VARIANTS["attention"]
    rows = batch_of(family)
    given = {"phonemes": rows["phonemes"], "voice": rows["voice"]}
    with pytest.raises(UsageError, match="leave `pace`"):
        family.plan(perturbed(family), pace=2.0, **given)
