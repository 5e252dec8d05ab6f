"""The NoteTransformer: exact likelihoods of frames, members, streaming."""

import dataclasses
import functools
import itertools

import jax
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models import note_transformer
from zoo.models.note_transformer import TINY
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
VOICES = dataclasses.replace(TINY, roll=False)
ROLL = np.array(
    [[[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 1]]], np.uint8
)
FAMILIES = {
    "rolls": TINY,
    "voices": VOICES,
    "members": dataclasses.replace(TINY, members=3),
}


def music(family):
    """Returns two rows of five frames."""
    rolls = np.concatenate([ROLL, ROLL[:, ::-1]])
    return rolls if family.roll else jitted(TINY, "notes")(rolls)


@functools.cache
def random_params(family):
    """Returns parameters so large that all of them have an effect."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: family.init(KEY, family.example(2)))
    return jax.tree.map(lambda x: rng.normal(0, 0.6, x.shape).astype(x.dtype), shapes)


@functools.cache
def jitted(family, name):
    """Returns a compiled method that takes and returns NumPy arrays."""
    static = {"sample": ("n", "length", "draw"), "start": ("n", "frames")}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def note_log_probs(family, *args):
    return jitted(family, "note_log_probs")(*args)


def frame_log_probs(family, *args):
    return jitted(family, "token_log_probs")(*args)


def sample(family, params, n, **options):
    return jitted(family, "sample")(params, KEY, n, **options)


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_probabilities_of_all_pieces_sum_to_one(family):
    """Over all pairs of frames of a tiny keyboard."""
    if family.roll:
        frames = [
            f for f in itertools.product((0, 1), repeat=4) if sum(f) <= family.slots
        ]
    else:
        frames = list(itertools.product(range(5), repeat=2))
    pairs = np.array(list(itertools.product(frames, repeat=2)))
    log_p = jitted(family, "log_prob")(
        random_params(family), pairs, np.ones(pairs.shape[:2], bool)
    )
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, atol=1e-5)


def test_a_frame_of_too_many_notes_is_impossible():
    roll, mask = music(TINY), np.ones((2, 5), bool)
    roll[0, 3], mask[0, 3] = 1, False
    log_p, _ = frame_log_probs(TINY, random_params(TINY), roll)
    assert log_p[0, 3] == -np.inf
    assert np.isfinite(log_p[0, :3]).all()
    assert np.isfinite(jitted(TINY, "log_prob")(random_params(TINY), roll, mask)).all()


def test_streaming_is_the_forward_pass(family):
    params, tokens = random_params(family), music(family)
    notes = jitted(family, "notes")(tokens)
    whole, _ = note_log_probs(family, params, tokens)
    step, note_step, state = (
        jitted(family, "step"),
        jitted(family, "note_step"),
        jitted(family, "start")(2, 5),
    )
    last = np.zeros((2, 2), np.int32)
    for t in range(5):
        state = step(params, state, last)
        for slot in range(2):
            known = np.where(np.arange(2)[None] < slot, notes[:, t], 0)
            log_p = note_step(params, state, known, slot)[
                np.arange(2), notes[:, t, slot]
            ]
            np.testing.assert_allclose(log_p, whole[:, t, slot], atol=1e-5)
        last = notes[:, t]


def test_chunks_change_nothing(family, monkeypatch):
    params, tokens = random_params(family), music(family)
    whole = note_log_probs(family, params, tokens)
    monkeypatch.setattr(note_transformer, "CHUNK", 2)
    for a, b in zip(
        whole,
        jax.jit(lambda *x: family.note_log_probs(*x))(params, tokens),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_predictions_are_causal(family):
    params, tokens = random_params(family), music(family)
    notes = jitted(family, "notes")(tokens)
    before, _ = note_log_probs(family, params, tokens)
    for t, slot in itertools.product(range(5), range(2)):
        other = notes.copy()
        other[:, t, slot:] = 0 if slot else [[1, 0], [4, 2]]
        after, _ = note_log_probs(family, params, jitted(family, "tokens")(other))
        changed = np.abs(before - after).reshape(2, -1)
        assert (changed[:, : 2 * t + slot] < 1e-6).all()
        if (t, slot) == (1, 0):
            assert (changed[:, 4:].reshape(2, 3, 2).max(axis=-1) > 1e-6).all()


def test_a_mixture_is_the_mean_of_its_members():
    family, tokens = FAMILIES["members"], music(TINY)
    params = random_params(family)
    one = lambda i: jax.tree.map(lambda x: x[i : i + 1], params)
    by_member = [note_log_probs(TINY, one(i), tokens)[0] for i in range(3)]
    mixed, _ = note_log_probs(family, params, tokens)
    np.testing.assert_allclose(
        np.exp(mixed), sum(map(np.exp, by_member)) / 3, atol=1e-5
    )
    trained, _ = note_log_probs(family, params, tokens, KEY)
    np.testing.assert_allclose(trained, sum(by_member) / 3, atol=1e-5)


def test_loss_counts_frames_of_rolls_and_notes_of_voices(family):
    params, tokens = random_params(family), music(family)
    mask = np.arange(5)[None] < np.array([[5], [2]])
    loss, metrics = jitted(family, "loss")(
        params, {"tokens": tokens, "mask": mask}, KEY, None
    )
    assert metrics["events"] == 7 * (1 if family.roll else 2)
    total = jitted(family, "log_prob")(params, tokens, mask).sum()
    np.testing.assert_allclose(loss, -total / metrics["events"], rtol=1e-5)


def test_dropout_is_on_in_training_only():
    family = dataclasses.replace(TINY, dropout=0.5)
    params, batch = (
        random_params(family),
        {"tokens": music(TINY), "mask": np.ones((2, 5), bool)},
    )
    deterministic = jitted(TINY, "loss")(params, batch, KEY, None)[0]
    loss = jitted(family, "loss")
    trained = [
        loss(params, batch, jax.random.key(i), np.array(3))[0] for i in (0, 0, 1)
    ]
    assert loss(params, batch, KEY, None)[0] == deterministic
    assert trained[0] == trained[1] != trained[2]


@pytest.mark.parametrize("family", [TINY, VOICES], ids=["rolls", "voices"])
def test_samples_continue_a_primer(family):
    params, primer = random_params(family), music(family)[0, :2]
    rows = sample(family, params, 2, length=5, primer=primer)
    assert rows.shape == (2, 5, 4 if family.roll else 2)
    assert rows.dtype == (np.uint8 if family.roll else np.int32)
    np.testing.assert_array_equal(
        rows[:, :2], np.broadcast_to(primer, rows[:, :2].shape)
    )
    assert np.isfinite(frame_log_probs(family, params, rows)[0]).all()


def test_greedy_samples_are_the_most_likely_notes():
    params = random_params(TINY)
    rows = sample(TINY, params, 1, draw=Draw(temperature=0))
    assert frame_log_probs(TINY, params, rows)[1].min() == 1


def test_samples_have_their_probabilities():
    params = random_params(TINY)
    drawn = sample(TINY, params, 4000, length=1)[:, 0]
    frames, counts = np.unique(drawn, axis=0, return_counts=True)
    likely = np.exp(frame_log_probs(TINY, params, frames[:, None])[0][:, 0])
    np.testing.assert_allclose(counts / 4000, likely, atol=0.03)


@pytest.mark.parametrize(
    "wrong",
    [{"slots": 0}, {"slots": 5}, {"heads": 3}, {"dropout": 1.0}, {"members": 0}],
    ids=repr,
)
def test_refuses(wrong):
    with pytest.raises(UsageError, match="choose"):
        dataclasses.replace(TINY, **wrong)
