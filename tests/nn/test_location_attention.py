"""Location-sensitive attention, against its equations."""

import jax
import numpy as np
import pytest

from zoo.nn.sequence.location_attention import LocationLSTM, Memory, guided_penalty

STEPS, ROWS, TOKENS, TAPS = 4, 2, 5, 3
RNG = np.random.default_rng(0)
LAYER = LocationLSTM(width=3, attention=2, taps=TAPS)
X = RNG.normal(size=(STEPS, ROWS, 2)).astype(np.float32)
MEMORY = Memory(
    RNG.normal(size=(ROWS, TOKENS, 4)).astype(np.float32),
    RNG.normal(size=(ROWS, TOKENS, 2)).astype(np.float32),
    np.arange(TOKENS)[None] < np.array([[5], [3]]),
)


@pytest.fixture(scope="module")
def params():
    return jax.jit(LAYER.init)(jax.random.key(0), X, MEMORY)


@pytest.fixture(scope="module")
def outputs(params):
    return jax.jit(LAYER.apply)(params, X, MEMORY)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_outputs_contexts_and_weights_follow_the_equations(params, outputs):
    layer = {k: np.asarray(v, np.float64) for k, v in params["params"].items()}
    values, keys, mask = map(np.asarray, MEMORY)
    for b in range(ROWS):
        h, c, context = np.zeros(3), np.zeros(3), np.zeros(4)
        weights = total = np.zeros(TOKENS)
        for u in range(STEPS):
            joined = np.concatenate([h, context])
            gates = X[u, b] @ layer["w"] + joined @ layer["u"] + layer["b"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            logits = np.full(TOKENS, -np.inf)
            for t in range(TOKENS):
                if mask[b, t]:
                    near = np.zeros(2)
                    for k, x in enumerate((weights, total)):
                        for tap in range(TAPS):
                            at = t + tap - TAPS // 2
                            if 0 <= at < TOKENS:
                                near += x[at] * layer["location"][k * TAPS + tap]
                    hidden = np.tanh(h @ layer["query"] + keys[b, t] + near)
                    logits[t] = hidden @ layer["v"]
            weights = np.exp(logits) / np.exp(logits).sum()
            total = total + weights
            context = weights @ values[b]
            _, (hs, contexts, attention) = outputs
            np.testing.assert_allclose(hs[u, b], h, atol=1e-5)
            np.testing.assert_allclose(contexts[u, b], context, atol=1e-5)
            np.testing.assert_allclose(attention[u, b], weights, atol=1e-5)


def test_step_by_step_is_the_same(params, outputs):
    apply, state = jax.jit(LAYER.apply), None
    for u in range(STEPS):
        state, one = apply(params, X[u : u + 1], MEMORY, state)
        for x, y in zip(one, outputs[1], strict=True):
            np.testing.assert_allclose(x[0], y[u], atol=1e-6)


def test_a_limited_attention_never_goes_back_and_skips_nothing(params):
    limited = jax.jit(lambda p: LAYER.apply(p, 30 * X, MEMORY, None, 1))
    _, (_, _, weights) = limited(params)
    at = np.asarray(weights).argmax(axis=-1)
    steps = np.diff(at, axis=0, prepend=0)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (at[:, 1] < 3).all()


def test_the_guided_penalty_is_that_of_the_paper():
    weights = RNG.dirichlet(np.ones(TOKENS), (ROWS, STEPS)).astype(np.float32)
    weights[1, :, 3:] = 0
    tokens, steps = np.array([5, 3]), np.array([4, 2])
    penalty = jax.jit(guided_penalty)(weights, tokens, steps)
    for b in range(ROWS):
        for u in range(STEPS):
            expected = 0.0
            for i in range(TOKENS):
                distance = i / tokens[b] - u / steps[b]
                w = 1 - np.exp(-(distance**2) / (2 * 0.2**2))
                expected += weights[b, u, i] * w
            np.testing.assert_allclose(penalty[b, u], expected, rtol=1e-4)
