"""The attentive LSTM against NumPy, its single steps, and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.nn.sequence.attentive_lstm import (
    AttentiveLSTM,
    Weights,
    attentive_step,
    initial_state,
    unroll,
)

T, B, D, H, K = 9, 3, 4, 5, 3
run = jax.jit(unroll, static_argnames="slots")


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module", params=[H, 32])
def weights(request):
    h = request.param
    shapes = [(2 * h, 4 * h), (4 * h,), (h, h), (2 * h, h), (h,)]
    drawn = [normal(i, *shape) / shape[0] ** 0.5 for i, shape in enumerate(shapes)]
    return Weights(*drawn)


@pytest.fixture(scope="module")
def gates(weights):
    return normal(8, T, B, len(weights.b))


@pytest.fixture(scope="module")
def reset():
    return np.random.default_rng(9).random((T, B)) < 0.25


def unroll_steps(weights, gates, reset):
    """Runs single steps, differentiated by JAX."""

    def step(state, inputs):
        state, output, _ = attentive_step(weights, state, *inputs)
        return state, output

    start = initial_state(B, K, len(weights.v))
    return jax.lax.scan(step, start, (gates, reset))[1]


def equations(weights, gates):
    """Returns the outputs and attention weights of one row of one piece, in NumPy."""
    w = [np.asarray(x, np.float64) for x in weights]
    u, b, w1, w2, v = w
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    h = c = s = np.zeros(len(v))
    memory, outputs, attention = [], [], []
    for gate in np.asarray(gates, np.float64):
        i, f, g, o = np.split(gate + np.concatenate([h, s]) @ u + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        last = memory[-K:]
        logits = [v @ np.tanh(y @ w1 + np.concatenate([h, c]) @ w2) for y in last]
        share = np.exp(logits) / np.sum(np.exp(logits))
        s = sum((a * y for a, y in zip(share, last, strict=True)), np.zeros(len(v)))
        memory.append(h)
        outputs.append(np.concatenate([h, s]))
        attention.append(share)
    return np.stack(outputs), attention


def test_equals_the_equations(weights, gates):
    reset = np.zeros((T, B), bool)
    outputs = np.asarray(run(weights, gates, reset, slots=K))
    start = jax.jit(initial_state, static_argnums=(0, 1, 2))
    state, step = start(B, K, len(weights.v)), jax.jit(attentive_step)
    expected, attention = equations(weights, gates[:, 1])
    np.testing.assert_allclose(outputs[:, 1], expected, atol=1e-5)
    for t in range(T):
        state, output, share = step(weights, state, gates[t], reset[t])
        share = np.asarray(share)[1]
        np.testing.assert_allclose(np.asarray(output)[1], expected[t], atol=1e-5)
        latest = np.array([(t - 1 - i) % K for i in range(len(attention[t]))], int)
        np.testing.assert_allclose(share[latest], attention[t][::-1], atol=1e-5)
        assert share.sum() == pytest.approx(min(t, 1))


def test_unroll_equals_single_steps(weights, gates, reset):
    np.testing.assert_allclose(
        run(weights, gates, reset, slots=K),
        jax.jit(unroll_steps)(weights, gates, reset),
        atol=1e-5,
    )


@pytest.mark.parametrize("length", [2, T], ids=["shorter than the memory", "longer"])
def test_gradients_equal_those_of_single_steps(weights, gates, reset, length):
    gates, reset = gates[:length], reset[:length]
    goal = normal(10, length, B, 2 * len(weights.v))

    def slopes(run):
        loss = lambda weights, gates: (run(weights, gates, reset) * goal).sum()
        return jax.jit(jax.grad(loss, (0, 1)))(weights, gates)

    ours = slopes(lambda *inputs: unroll(*inputs, K))
    for a, b in zip(
        jax.tree.leaves(ours), jax.tree.leaves(slopes(unroll_steps)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)


def test_gradients_equal_finite_differences(weights, gates, reset):
    if len(weights.v) != H:
        pytest.skip("one width is enough")
    loss = jax.jit(lambda w, g: (unroll(w, g, reset, K) ** 2).sum())
    check_grads(loss, (weights, gates), order=1, modes=["rev"], rtol=2e-2)


def test_no_gradient_crosses_a_reset(weights, gates):
    reset = np.repeat(np.arange(T) == 5, B).reshape(T, B)
    slope = np.asarray(
        jax.jit(jax.grad(lambda g: unroll(weights, g, reset, K)[5:].sum()))(gates)
    )
    assert not slope[:5].any()
    assert slope[5:].any(axis=(1, 2)).all()


def test_large_keys_stay_finite(weights, gates, reset):
    large = jax.tree.map(lambda x: 100 * x, weights)
    loss = lambda w: unroll(w, gates, reset, K).sum()
    value, slope = jax.jit(jax.value_and_grad(loss))(large)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((value, slope)))


def test_matmuls_in_bfloat16_and_gradients_in_float32(reset):
    x = normal(3, T, B, D)
    params = jax.jit(AttentiveLSTM(H, K).init)(jax.random.key(0), x, reset)
    whole = jax.jit(AttentiveLSTM(H, K).apply)(params, x, reset)
    half = AttentiveLSTM(H, K, dtype=jnp.bfloat16)
    output = jax.jit(half.apply)(params, x, reset)
    assert output.dtype == jnp.bfloat16
    np.testing.assert_allclose(output, whole, atol=0.1)
    slopes = jax.jit(jax.grad(lambda p: half.apply(p, x, reset).sum()))(params)
    assert all(slope.dtype == jnp.float32 for slope in jax.tree.leaves(slopes))


def test_memory_does_not_grow_with_the_slots():
    """Only the k attention weights of each step are saved, no copies of the memory."""
    t, b, h = 256, 8, 32
    inputs = jnp.zeros((1, 1, 1)), jnp.ones((1, 1), bool)
    weights = jax.eval_shape(AttentiveLSTM(h, 1).init, jax.random.key(0), *inputs)

    def peak(slots):
        loss = lambda p, x, reset: AttentiveLSTM(h, slots).apply(p, x, reset).sum()
        shapes = (
            jax.ShapeDtypeStruct((t, b, 1), jnp.float32),
            jax.ShapeDtypeStruct((t, b), bool),
        )
        program = jax.jit(jax.grad(loss)).lower(weights, *shapes).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert peak(32) - peak(8) < 24 * t * b * 4 + 24 * b * h * 4 * 8
