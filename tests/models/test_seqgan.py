"""Tests of SeqGAN: rows of several attributes, rollouts, and the policy gradient."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.seqgan import TINY, SeqGAN
from zoo.nn.adversarial.rollout import monte_carlo_search

KEY = jax.random.key(0)
WORDS = SeqGAN(
    (3,), length=3, embed=3, width=4, filters=((2, 5),), rollouts=2, ends=False
)
jit_by_family = functools.partial(jax.jit, static_argnums=0)


@jit_by_family
def large(family):
    """Returns larger than initial parameters, whose distributions are not uniform."""
    params = family.init(KEY, family.example(2))
    return jax.tree.map(lambda x: 3 * x, params)


def everything(family):
    """Returns all sequences [n, t, k] of non-zero probability."""
    rows = list(itertools.product(*(range(1, size) for size in family.sizes)))
    if not family.ends:
        rows = list(itertools.product(*map(range, family.sizes)))
        return np.array(list(itertools.product(rows, repeat=family.length)))
    end = ((0,) * len(family.sizes),)
    cut = [
        (*head, *end * (family.length - n))
        for n in range(family.length + 1)
        for head in itertools.product(rows, repeat=n)
    ]
    return np.array(cut)


@jit_by_family
def probability(family, params, rows, style=None):
    log_p, _ = family.row_log_probs(params, rows, style)
    before = jnp.pad(rows[:, :-1, 0], ((0, 0), (1, 0)), constant_values=1)
    return jnp.exp((log_p * ((before != 0) | (not family.ends))).sum(axis=1))


@pytest.mark.parametrize(
    "family", [WORDS, dataclasses.replace(TINY, sizes=(3, 2, 3), length=2, styles=())]
)
def test_samples_occur_at_their_probability(family):
    params, rows = large(family), everything(family)
    p = np.asarray(probability(family, params, rows))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    drawn = jax.jit(family.sample, static_argnums=2)(params, KEY, 20_000)
    where = {row.tobytes(): i for i, row in enumerate(np.asarray(rows, np.int32))}
    counts = np.zeros(len(p))
    for row in np.asarray(drawn):
        counts[where[row.tobytes()]] += 1  # raises for an impossible sequence
    assert np.abs(counts / 20_000 - p).max() < 0.02


def test_the_value_of_a_prefix_is_its_expected_verdict():
    params, rows = large(WORDS), everything(WORDS)
    p = np.asarray(probability(WORDS, params, rows))
    verdicts = np.asarray(jax.jit(WORDS.verdict)(params, rows))
    chosen = rows[[0, 11, 26]]
    family = dataclasses.replace(WORDS, rollouts=20_000)
    values = np.asarray(jax.jit(family.action_values)(params, chosen, None, KEY))
    near = 4 * verdicts.std() / np.sqrt(family.rollouts)
    for row, value in zip(chosen, values, strict=True):
        for kept in (1, 2, 3):
            follows = (rows[:, :kept] == row[None, :kept]).all(axis=(1, 2))
            exact = (p * verdicts * follows).sum() / (p * follows).sum()
            np.testing.assert_allclose(value[kept - 1], exact, atol=near)


def test_completions_keep_the_prefix():
    params = large(TINY)
    rows = np.asarray(jax.jit(TINY.example, static_argnums=0)(2)["tokens"])
    style = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)

    @jax.jit
    def value(i):
        step = TINY.generator.stepper(params["policy"], style)
        states = jax.tree.map(
            lambda x: jnp.stack([x] * TINY.length), TINY.generator.start(2)
        )
        verdict = lambda whole: whole[:, i, 0].astype(jnp.float32)
        return monte_carlo_search(
            step, states, jnp.array(rows), verdict=verdict, rng=KEY, rollouts=3
        )

    for i in range(TINY.length):
        values = np.asarray(value(i))
        kept = np.broadcast_to(rows[:, i, :1], (2, TINY.length - i))
        np.testing.assert_array_equal(values[:, i:], kept)
        assert i == 0 or (values[:, 0] != rows[:, i, 0]).any()


def test_reinforce_ascends_the_expected_verdict():
    """Compares with the exact gradient of sum p(x) D(x) over all sequences."""
    params, rows = large(WORDS), everything(WORDS)
    verdicts = jax.jit(WORDS.verdict)(params, rows)

    @jax.jit
    @jax.grad
    def slope(generator):
        return (
            probability(WORDS, {**params, "generator": generator}, rows) * verdicts
        ).sum()

    exact, estimate = flat(slope(params["generator"])), ascent(WORDS, params)
    assert cosine(exact, WORDS.length * estimate) > 0.98
    assert 0.9 < WORDS.length * np.linalg.norm(estimate) / np.linalg.norm(exact) < 1.1


def test_relaxed_samples_ascend_the_expected_verdict():
    """Compares loosely: the gradient is biased, more so at a higher temperature."""
    family = dataclasses.replace(
        WORDS, game="wasserstein", estimator="relax", perturbations=4, temperature=0.5
    )
    params, rows = large(WORDS), everything(WORDS)
    verdicts = jax.jit(family.verdict)(params, rows)
    p = lambda net: probability(family, {**params, "generator": net}, rows)
    exact = jax.jit(jax.grad(lambda net: (p(net) * verdicts).sum()))(
        params["generator"]
    )
    assert cosine(flat(exact), ascent(family, params)) > 0.9


def test_likelihood_steps_may_interleave_with_the_game():
    family = dataclasses.replace(TINY, warmup=4, critic_warmup=2, likelihood_every=3)
    objectives = family.objectives()
    interleaved = objectives["interleaved_likelihood"]
    assert [step for step in range(14) if step in interleaved.when] == [6, 9, 12]
    assert interleaved.wrt == ("generator",)
    assert [*objectives][-1] == "policy"  # after all that move the generator
    assert "interleaved_likelihood" not in TINY.objectives()


def test_determined_values_pass_no_gradient():
    family = dataclasses.replace(TINY, styles=(), estimator="relax")
    params = large(family)
    rows = np.array([[[2, 3], [0, 0], [0, 0], [0, 0], [0, 0]]])
    relaxed = lambda net: family.generator.apply(
        {"params": net},
        rows,
        None,
        rng=KEY,
        temperature=1.0,
        perturbations=1,
        method="relaxed",
    )
    second = lambda net: [soft[0, :, 1] for soft in relaxed(net)]
    jacobian = jax.jit(jax.jacobian(second))(params["generator"])
    for place, alive in ((0, 2), (1, 1)):
        moved = np.abs(jacobian[place][f"head_{place}"]["bias"]).sum(axis=1) > 0
        assert moved.tolist() == [True] * alive + [False] * (5 - alive)


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def cosine(a, b):
    """Returns the cosine between two vectors."""
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def ascent(family, params):
    """Returns the negative mean gradient of the generator's loss over many samples."""
    objective = family.objectives()["generator"].loss
    batch = {"tokens": np.ones((4096, 3, 1), int)}
    loss = lambda net, key: objective({**params, "generator": net}, batch, key, None)[0]
    one = jax.jit(jax.grad(loss))
    gradients = [
        flat(one(params["generator"], key)) for key in jax.random.split(KEY, 8)
    ]
    return -np.mean(gradients, axis=0)


def test_the_policy_moves_a_fifth_of_the_way():
    family = dataclasses.replace(TINY, policy_rate=0.2)
    params = large(family)
    params["policy"] = jax.tree.map(np.zeros_like, params["policy"])
    loss = lambda policy: family.policy_loss(
        {**params, "policy": policy}, {}, KEY, None
    )[0]
    grads = jax.jit(jax.grad(loss))(params["policy"])
    tx = family.objectives()["policy"].tx
    updates, _ = jax.jit(tx.update)(grads, tx.init(params["policy"]))
    for moved, goal in zip(
        jax.tree.leaves(updates), jax.tree.leaves(params["generator"]), strict=True
    ):
        np.testing.assert_allclose(moved, 0.2 * np.asarray(goal), rtol=1e-6)


def test_fixed_attributes_and_primers_are_kept():
    params = large(TINY)
    fixed, primer = np.array([0, 3]), np.array([[2, 1], [1, 4]])
    options = {"fixed": fixed, "primer": primer, "style": np.zeros(30, int)}
    sample = jax.jit(TINY.sample, static_argnums=2)
    rows = np.asarray(sample(params, KEY, 30, **options))
    np.testing.assert_array_equal(rows[:, :2], np.broadcast_to(primer, (30, 2, 2)))
    drawn = rows[:, 2:].reshape(-1, 2)
    assert set(drawn[drawn[:, 0] > 0, 1]) == {3}
    assert not drawn[drawn[:, 0] == 0].any()
    assert len(set(drawn[:, 0])) > 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"game": "poker"}, "choose from .*non-saturating"),
        ({"game": "wasserstein-slope"}, "sequences have no gradient"),
        ({"estimator": "guess"}, "choose reinforce or relax"),
    ],
)
def test_bad_fields_are_errors(changes, says):
    with pytest.raises(UsageError, match=says):
        dataclasses.replace(TINY, **changes)


def test_a_missing_or_unexpected_style_is_an_error():
    with pytest.raises(UsageError, match="jig, reel"):
        TINY.likelihood_loss({}, {"tokens": np.ones((1, 5, 2), int)}, KEY, None)
    with pytest.raises(UsageError, match="trained without styles"):
        WORDS.verdict({}, np.zeros((1, 3, 1), int), np.zeros(1, int))
