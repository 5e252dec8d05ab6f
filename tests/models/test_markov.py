"""The Markov chain, against counting by hand."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.markov import Markov
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

V = 5


def rows(seed=0, b=6, t=12):
    tokens = np.random.default_rng(seed).integers(0, V, (b, t))
    return {"tokens": jnp.asarray(tokens), "mask": jnp.ones((b, t), bool)}


def fitted(family, batch):
    tx = optimizers(family, optax.sgd(0.1))
    state = init(family, tx, jax.random.key(0), batch)
    return jax.jit(make_step(family, tx), static_argnames="due")(state, batch, due=("fit",))[0]


def context(row, t, order):
    """The events before t, none beyond a 0, filled up with 0 on the left."""
    seen = []
    for token in reversed(row[:t]):
        if token == 0 or len(seen) == order:
            break
        seen.insert(0, int(token))
    return (0,) * (order - len(seen)) + tuple(seen)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_one_step_counts_and_the_estimate_is_the_recursion(order):
    family, batch = Markov(V, order, smoothing=0.7), rows()
    state = fitted(family, batch)
    tokens = np.asarray(batch["tokens"])
    counts = collections.Counter(
        (context(row, t, order), int(row[t])) for row in tokens for t in range(len(row))
    )
    table = np.zeros((V,) * (order + 1))
    for (before, token), n in counts.items():
        table[(*before, token)] = n
    np.testing.assert_array_equal(state.params["net"]["counts"], table)

    def chance(before, token):
        if before is None:
            return 1 / V
        shorter = before[1:] if before else None
        hits = {
            x: sum(n for (c, y), n in counts.items() if y == x and ends(c, before))
            for x in range(V)
        }
        return (hits[token] + 0.7 * chance(shorter, token)) / (sum(hits.values()) + 0.7)

    def ends(c, before):
        return c[len(c) - len(before) :] == before

    expected = [
        sum(np.log(chance(context(row, t, order), int(row[t]))) for t in range(len(row)))
        for row in tokens
    ]
    got = family.log_prob(state.params, batch["tokens"], batch["mask"])
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_masked_events_are_neither_counted_nor_scored():
    family, batch = Markov(V, 1), rows()
    batch["mask"] = batch["mask"].at[:, 7:].set(False)
    counts = fitted(family, batch).params["net"]["counts"]
    assert float(counts.sum()) == float(batch["mask"].sum())


def test_steps_agree_with_the_whole():
    family, batch = Markov(V, 2), rows(b=1)
    params = fitted(family, batch).params
    step, state = family.stepper(params), family.start(1)
    total, token = 0.0, jnp.zeros((1,), jnp.int32)
    for now in batch["tokens"][0]:
        state, logits = step(state, token)
        total += jax.nn.log_softmax(logits)[0, now]
        token = now[None]
    whole = family.log_prob(params, batch["tokens"], batch["mask"])[0]
    np.testing.assert_allclose(total, whole, rtol=1e-4)


def test_samples_follow_the_chain():
    family = Markov(3, 1, smoothing=1e-6, length=400)
    counts = jnp.array([[0.0, 1, 0], [0, 1, 3], [0, 1, 0]])
    tokens = np.asarray(family.sample({"net": {"counts": counts}}, jax.random.key(0), 50))
    after_one = tokens[:, 1:][tokens[:, :-1] == 1]
    assert abs((after_one == 2).mean() - 0.75) < 0.02
    assert (tokens[:, 1:][tokens[:, :-1] == 2] == 1).all()


@pytest.mark.parametrize("wrong", [{"order": -1}, {"smoothing": 0.0}, {"order": 9, "vocab": 90}])
def test_refuses_what_cannot_be(wrong):
    with pytest.raises(UsageError):
        Markov(**wrong)
