"""The Markov chain against Kneser-Ney smoothing by dictionaries."""

import collections
import functools

import jax
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.markov import Markov
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

V = 5


def rows(seed=0, b=6, t=12, v=V):
    tokens = np.random.default_rng(seed).integers(0, v, (b, t))
    return {"tokens": tokens, "mask": np.ones((b, t), bool)}


def fitted(family, *batches):
    tx = optimizers(family, optax.sgd(0.1))
    state = init(family, tx, jax.random.key(0), batches[0])
    for batch in batches:
        state, _ = fit(family)(state, batch)
    return state.params


@functools.cache
def fit(family):
    step = make_step(family, optimizers(family, optax.sgd(0.1)))
    return jax.jit(functools.partial(step, due=("fit",)))


class Restaurants:
    """Interpolated Kneser-Ney smoothing, a dictionary per context (Teh 2006)."""

    def __init__(self, order, discounts, v=V):
        self.order, self.discounts, self.v = order, discounts, v
        self.counts = collections.defaultdict(collections.Counter)

    def context(self, row, t):
        """Returns up to `order` events before t, from the 0 that begins the piece."""
        seen = []
        for token in [*row[:t][::-1], 0]:
            if len(seen) == self.order or (seen and seen[0] == 0):
                break
            seen.insert(0, int(token))
        return tuple(seen)

    def add(self, row, t):
        context = self.context(row, t)
        while True:
            known = self.counts[context][int(row[t])]
            self.counts[context][int(row[t])] += 1
            if known or not context:
                return
            context = context[1:]

    def probability(self, context, x):
        below = self.probability(context[1:], x) if context else 1 / self.v
        counts = self.counts[context]
        if not counts.total():
            return below
        taken = {y: self.discounts[min(n, 3) - 1] for y, n in counts.items()}
        own = (counts[x] - taken[x]) if x in taken else 0.0
        return (own + sum(taken.values()) * below) / counts.total()

    def log_prob(self, row):
        return sum(
            np.log(self.probability(self.context(row, t), int(row[t])))
            for t in range(len(row))
        )


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_counting_by_gradient_descent_is_kneser_ney(order):
    family = Markov(V, order, 2**18, discounts=(0.6, 1.1, 1.7))
    first, second, held_out = rows(0), rows(1), rows(2)
    oracle = Restaurants(order, family.discounts)
    for row in np.concatenate([first["tokens"], second["tokens"]]):
        for t in range(len(row)):
            oracle.add(row, t)
    params = fitted(family, first, second)
    assert params["net"]["counts"].sum() == sum(
        c.total() for c in oracle.counts.values()
    )
    got = jax.jit(family.log_prob)(params, held_out["tokens"], held_out["mask"])
    np.testing.assert_allclose(
        got, [oracle.log_prob(row) for row in held_out["tokens"]], rtol=1e-4
    )


def test_order_0_is_the_discounted_frequency():
    family = Markov(3, 0, 64, discounts=(0.5, 1.0, 1.5))
    tokens = np.array([[1, 1, 1, 1, 2, 2, 0]])
    params = fitted(family, {"tokens": tokens, "mask": tokens >= 0})
    _, logits = jax.jit(family.step)(params, family.start(1), np.array([0]))
    np.testing.assert_allclose(
        np.exp(logits[0]), np.array([0.5 + 1, 2.5 + 1, 1 + 1]) / 7, rtol=1e-5
    )


def test_the_order_of_the_rows_changes_nothing():
    family, batch = Markov(V, 3, 2**18), rows(b=8)
    turned = jax.tree.map(lambda x: x[::-1], batch)
    halves = [jax.tree.map(lambda x, i=i: x[i : i + 4], batch) for i in (0, 4)]
    whole = fitted(family, batch)
    for again in (fitted(family, turned), fitted(family, *halves)):
        np.testing.assert_array_equal(whole["net"]["counts"], again["net"]["counts"])
        np.testing.assert_array_equal(whole["net"]["owner"], again["net"]["owner"])


def test_a_full_table_gives_normalised_distributions():
    family, batch = Markov(V, 4, 48), rows(b=16)
    params = fitted(family, batch)
    assert (np.asarray(params["net"]["owner"]) > 0).mean() > 0.9

    @jax.jit
    def predicted(net, tokens):
        walk = lambda s, x: (family.remember(s, x),) * 2
        _, context = jax.lax.scan(walk, family.start(16), tokens.T)
        return family.predict(net, context.reshape(-1, 4))

    chances = np.asarray(predicted(params["net"], batch["tokens"]))
    assert float(chances.min()) > 0
    np.testing.assert_allclose(chances.sum(axis=-1), 1, rtol=1e-5)


def test_a_long_pattern_takes_a_high_order():
    """Each event repeats the one eight before it."""
    tokens = np.tile(np.random.default_rng(0).integers(1, V, (64, 8)), 4)
    batch = {"tokens": tokens, "mask": np.ones(tokens.shape, bool)}

    def nll(order):
        family = Markov(V, order, 2**18, discounts=(0.4, 0.5, 0.6))
        log_p, _ = jax.jit(family.token_log_probs)(
            fitted(family, batch), batch["tokens"]
        )
        return -np.asarray(log_p)[:, 8:].mean()

    assert nll(2) > 1.0
    assert nll(8) < 0.2


def test_masked_events_do_not_count():
    family, batch = Markov(V, 0, 64), rows()
    batch["mask"][:, 7:] = False
    params = fitted(family, batch)
    assert float(params["net"]["counts"].sum()) == float(batch["mask"].sum())
    other = np.where(batch["mask"], batch["tokens"], 1)
    log_prob = jax.jit(family.log_prob)
    scores = [
        log_prob(params, tokens, batch["mask"]) for tokens in (batch["tokens"], other)
    ]
    np.testing.assert_array_equal(*scores)


def test_streaming_is_the_forward_pass():
    family, batch = Markov(V, 2, 512), rows(b=1)
    params = fitted(family, batch)
    step, state = jax.jit(family.stepper(params)), family.start(1)
    total, token = 0.0, np.zeros(1, int)
    for target in batch["tokens"][0]:
        state, logits = step(state, token)
        total += np.asarray(jax.nn.log_softmax(logits))[0, target]
        token = target[None]
    whole = jax.jit(family.log_prob)(params, batch["tokens"], batch["mask"])[0]
    np.testing.assert_allclose(total, whole, rtol=1e-4)


def test_samples_follow_the_chain():
    family = Markov(3, 1, 64, discounts=(1e-6, 1e-6, 1e-6), length=400)
    tokens = np.array([[1, 2, 1, 2, 1, 2, 1, 1, 2, 1]])
    params = fitted(family, {"tokens": tokens, "mask": np.ones_like(tokens, bool)})
    sample = jax.jit(family.sample, static_argnums=2)
    tokens = np.asarray(sample(params, jax.random.key(0), 50))
    after_one = tokens[:, 1:][tokens[:, :-1] == 1]
    assert abs((after_one == 2).mean() - 0.8) < 0.02
    assert (tokens[:, 1:][tokens[:, :-1] == 2] == 1).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": -1},
        {"discounts": (0.5, 1.0)},
        {"discounts": (1.0, 1.0, 1.0)},
        {"slots": 100},
        {"slots": 2**28},
    ],
)
def test_refuses(wrong):
    with pytest.raises(UsageError):
        Markov(**wrong)
