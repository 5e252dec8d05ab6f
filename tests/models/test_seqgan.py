"""What is peculiar to SeqGAN: rows of several values, roll-outs, and a reward that is descended."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.seqgan import TINY, SeqGAN
from zoo.nn.adversarial.rollout import values

KEY = jax.random.key(0)
WORDS = SeqGAN(
    (3,), length=3, embed=3, width=4, filters=((2, 5),), rollouts=2, ends=False
)
of_family = functools.partial(jax.jit, static_argnums=0)


@of_family
def bold(family):
    """Parameters larger than at birth, so that what is learned shows."""
    params = family.init(KEY, family.example(2))
    return jax.tree.map(lambda x: 3 * x, params)


def everything(family):
    """All sequences [n, t, k] that can be drawn."""
    rows = list(itertools.product(*(range(1, size) for size in family.sizes)))
    if not family.ends:
        rows = list(itertools.product(*map(range, family.sizes)))
        return np.array(list(itertools.product(rows, repeat=family.length)))
    end = ((0,) * len(family.sizes),)
    cut = [
        (*some, *end * (family.length - n))
        for n in range(family.length + 1)
        for some in itertools.product(rows, repeat=n)
    ]
    return np.array(cut)


@of_family
def likely(family, params, rows, style=None):
    log_p, _ = family.rated(params, rows, style)
    before = jnp.pad(rows[:, :-1, 0], ((0, 0), (1, 0)), constant_values=1)
    return jnp.exp((log_p * ((before != 0) | (not family.ends))).sum(axis=1))


@pytest.mark.parametrize(
    "family", [WORDS, dataclasses.replace(TINY, sizes=(3, 2, 3), length=2, styles=())]
)
def test_it_draws_what_it_says_is_likely(family):
    params, rows = bold(family), everything(family)
    p = np.asarray(likely(family, params, rows))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    drawn = jax.jit(family.sample, static_argnums=2)(params, KEY, 20_000)
    where = {row.tobytes(): i for i, row in enumerate(np.asarray(rows, np.int32))}
    counts = np.zeros(len(p))
    for row in np.asarray(drawn):
        counts[where[row.tobytes()]] += 1  # or else it is no sequence at all
    assert np.abs(counts / 20_000 - p).max() < 0.02


def test_the_worth_of_a_prefix_is_the_mean_over_what_may_follow():
    params, rows = bold(WORDS), everything(WORDS)
    p = np.asarray(likely(WORDS, params, rows))
    verdicts = np.asarray(jax.jit(WORDS.verdict)(params, rows))
    some = rows[[0, 11, 26]]
    family = dataclasses.replace(WORDS, rollouts=20_000)
    worth = np.asarray(jax.jit(family.worth)(params, some, None, KEY))
    near = 4 * verdicts.std() / np.sqrt(family.rollouts)
    for row, found in zip(some, worth, strict=True):
        for kept in (1, 2, 3):
            follows = (rows[:, :kept] == row[None, :kept]).all(axis=(1, 2))
            exact = (p * verdicts * follows).sum() / (p * follows).sum()
            np.testing.assert_allclose(found[kept - 1], exact, atol=near)


def test_a_prefix_stays_as_it_is():
    params = bold(TINY)
    rows = np.asarray(jax.jit(TINY.example, static_argnums=0)(2)["tokens"])
    style = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)

    @jax.jit
    def worth(i):
        go = TINY.writer.stepper(params["policy"], style)
        states = jax.tree.map(
            lambda x: jnp.stack([x] * TINY.length), TINY.writer.start(2)
        )
        judge = lambda whole: whole[:, i, 0].astype(jnp.float32)
        return values(go, states, jnp.array(rows), judge, KEY, 3)

    for i in range(TINY.length):
        found = np.asarray(worth(i))
        known = np.broadcast_to(rows[:, i, :1], (2, TINY.length - i))
        np.testing.assert_array_equal(found[:, i:], known)
        assert i == 0 or (found[:, 0] != rows[:, i, 0]).any()


def test_reinforce_climbs_the_expected_verdict():
    """Against the gradient of sum p(x) D(x), worked out over all sequences."""
    params, rows = bold(WORDS), everything(WORDS)
    verdicts = jax.jit(WORDS.verdict)(params, rows)

    @jax.jit
    @jax.grad
    def slope(generator):
        return (
            likely(WORDS, {**params, "generator": generator}, rows) * verdicts
        ).sum()

    exact, found = flat(slope(params["generator"])), climbed(WORDS, params)
    assert alike(exact, WORDS.length * found) > 0.98
    assert 0.9 < WORDS.length * np.linalg.norm(found) / np.linalg.norm(exact) < 1.1


def test_relaxed_draws_climb_it_too():
    """Nearly so: the gradient through a relaxed draw is biased, the more the hotter."""
    family = dataclasses.replace(
        WORDS, game="wasserstein", estimator="relax", perturbations=4, heat=0.5
    )
    params, rows = bold(WORDS), everything(WORDS)
    verdicts = jax.jit(family.verdict)(params, rows)
    p = lambda net: likely(family, {**params, "generator": net}, rows)
    exact = jax.jit(jax.grad(lambda net: (p(net) * verdicts).sum()))(
        params["generator"]
    )
    assert alike(flat(exact), climbed(family, params)) > 0.9


def test_lessons_go_on_in_the_game():
    family = dataclasses.replace(TINY, warm=4, tutor=2, lessons=3)
    moves = family.objectives()
    assert [step for step in range(14) if step in moves["lesson"].when] == [6, 9, 12]
    assert moves["lesson"].wrt == ("generator",)
    assert [*moves][-1] == "trail"  # after whoever moves the generator
    assert "lesson" not in TINY.objectives()


def test_what_was_not_drawn_passes_no_gradient():
    family = dataclasses.replace(TINY, styles=(), estimator="relax")
    params = bold(family)
    rows = np.array([[[2, 3], [0, 0], [0, 0], [0, 0], [0, 0]]])
    relaxed = lambda net: family.writer.apply(
        {"params": net}, rows, None, KEY, 1.0, 1, method="relaxed"
    )
    of = lambda net: [shares[0, :, 1] for shares in relaxed(net)]
    jacobian = jax.jit(jax.jacobian(of))(params["generator"])
    for place, alive in ((0, 2), (1, 1)):
        moved = np.abs(jacobian[place][f"head_{place}"]["bias"]).sum(axis=1) > 0
        assert moved.tolist() == [True] * alive + [False] * (5 - alive)


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def alike(a, b):
    """The cosine between them."""
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def climbed(family, params):
    """Where the generator's move goes, the mean over many draws."""
    move = family.objectives()[family.estimator].loss
    batch = {"tokens": np.ones((4096, 3, 1), int)}
    loss = lambda net, key: move({**params, "generator": net}, batch, key, None)[0]
    one = jax.jit(jax.grad(loss))
    found = [flat(one(params["generator"], key)) for key in jax.random.split(KEY, 8)]
    return -np.mean(found, axis=0)


def test_the_policy_goes_a_fifth_of_the_way():
    family = dataclasses.replace(TINY, trail=0.2)
    params = bold(family)
    params["policy"] = jax.tree.map(np.zeros_like, params["policy"])
    loss = lambda policy: family.follow({**params, "policy": policy}, {}, KEY, None)[0]
    grads = jax.jit(jax.grad(loss))(params["policy"])
    tx = family.objectives()["trail"].tx
    updates, _ = jax.jit(tx.update)(grads, tx.init(params["policy"]))
    for moved, goal in zip(
        jax.tree.leaves(updates), jax.tree.leaves(params["generator"]), strict=True
    ):
        np.testing.assert_allclose(moved, 0.2 * np.asarray(goal), rtol=1e-6)


def test_what_is_fixed_or_given_stays():
    params = bold(TINY)
    given = {"fixed": np.array([0, 3]), "primer": np.array([[2, 1], [1, 4]])}
    sample = jax.jit(TINY.sample, static_argnums=2)
    rows = np.asarray(sample(params, KEY, 30, **given, style=np.zeros(30, int)))
    np.testing.assert_array_equal(
        rows[:, :2], np.broadcast_to(given["primer"], (30, 2, 2))
    )
    drawn = rows[:, 2:].reshape(-1, 2)
    assert set(drawn[drawn[:, 0] > 0, 1]) == {3}
    assert not drawn[drawn[:, 0] == 0].any()
    assert len(set(drawn[:, 0])) > 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"game": "poker"}, "choose from .*non-saturating"),
        ({"game": "wasserstein-slope"}, "cannot play"),
        ({"sizes": (4, 1)}, "sizes is 0"),
        ({"rollouts": 0}, "rollouts is 0"),
        ({"trail": 0.0}, "trail 0.0"),
        ({"estimator": "guess"}, "choose reinforce or relax"),
        ({"heat": 0.0}, "a heat above 0"),
        ({"lessons": -1}, "lessons is -1"),
    ],
)
def test_what_cannot_be_is_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        dataclasses.replace(TINY, **changes)


def test_a_style_is_wanted_or_not():
    with pytest.raises(UsageError, match="jig, reel"):
        TINY.likelihood({}, {"tokens": np.ones((1, 5, 2), int)}, KEY, None)
    with pytest.raises(UsageError, match="knows no styles"):
        WORDS.verdict({}, np.zeros((1, 3, 1), int), np.zeros(1, int))
