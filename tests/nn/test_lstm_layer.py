"""The fast LSTM against Flax's cell, its plain scan, and finite differences."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads

from zoo.nn.sequence.lstm import (
    Carry,
    LSTMLayer,
    reset_rows,
    stacked_step,
    unroll,
    unroll_plain,
)

T, B, D, H = 6, 3, 4, 5
jit = functools.cache(jax.jit)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module", params=[False, True], ids=["one piece", "resets"])
def reset(request):
    return np.random.default_rng(9).random((T, B)) < 0.3 if request.param else None


@pytest.fixture(scope="module")
def inputs():
    carry = Carry(normal(4, B, H), normal(5, B, H))
    return (
        normal(0, D, 4 * H),
        normal(1, H, 4 * H),
        normal(2, 4 * H),
        normal(3, T, B, D),
        carry,
    )


def layer(w, u, b, x, carry, reset):
    return LSTMLayer(H).apply({"params": {"w": w, "u": u, "b": b}}, x, carry, reset)


def plain(w, u, b, x, carry, reset):
    return unroll_plain(w, u, b, x, carry, reset)


def flax(w, u, b, x, carry, reset):
    """Runs Flax's cell step by step."""
    split = [jnp.split(a, 4, axis=-1) for a in (w, u, b)]
    params = {}
    for gate, kernel, recurrent, bias in zip("ifgo", *split, strict=True):
        params |= {
            f"i{gate}": {"kernel": kernel},
            f"h{gate}": {"kernel": recurrent, "bias": bias},
        }
    h, c, outputs = *carry, []
    for t in range(len(x)):
        if reset is not None:
            h, c = (a * (1 - reset[t][:, None]) for a in (h, c))
        (c, h), y = nn.OptimizedLSTMCell(H).apply({"params": params}, (c, h), x[t])
        outputs.append(y)
    return Carry(h, c), jnp.stack(outputs)


def loss(run, reset):
    def total(*inputs):
        carry, y = run(*inputs, reset)
        return (y * normal(6, T, B, H)).sum() + (
            carry.h * normal(7, B, H) + carry.c**2
        ).sum()

    return total


@pytest.mark.parametrize("oracle", [flax, plain])
def test_equals(oracle, inputs, reset):
    for a, b in zip(
        jax.tree.leaves(jit(layer)(*inputs, reset)),
        jax.tree.leaves(jit(oracle)(*inputs, reset)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("oracle", [flax, plain])
def test_every_gradient_equals(oracle, inputs, reset):
    every = range(len(inputs))
    ours, theirs = (
        jax.jit(jax.grad(loss(f, reset), every))(*inputs) for f in (layer, oracle)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


def test_gradients_equal_finite_differences(inputs, reset):
    check_grads(jax.jit(loss(layer, reset)), inputs, order=1, modes=["rev"], rtol=2e-2)


def test_second_order_in_reverse_mode(inputs, reset):
    def squared(run):
        slope = jax.grad(loss(run, reset), argnums=3)
        return jax.jit(
            jax.grad(lambda *inputs: (slope(*inputs) ** 2).sum(), argnums=(0, 1, 2))
        )

    for a, b in zip(squared(layer)(*inputs), squared(plain)(*inputs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)


def test_no_gradient_crosses_a_reset(inputs):
    w, u, b, x, carry = inputs
    reset = np.repeat(np.arange(T) == 3, B).reshape(T, B)
    late = jax.jit(
        jax.grad(lambda x, c: layer(w, u, b, x, c, reset)[1][3:].sum(), (0, 1))
    )
    dx, dcarry = jax.tree.map(np.asarray, late(x, carry))
    assert not dx[:3].any()
    assert dx[3:].all()
    assert not any(d.any() for d in dcarry)


def test_two_runs_equal_one(inputs, reset):
    *weights, x, carry = inputs
    cut = [None, None] if reset is None else [reset[:2], reset[2:]]
    middle, early = jit(layer)(*weights, x[:2], carry, cut[0])
    end, late = jit(layer)(*weights, x[2:], middle, cut[1])
    whole, outputs = jit(layer)(*inputs, reset)
    np.testing.assert_allclose(np.concatenate([early, late]), outputs, atol=1e-6)
    np.testing.assert_allclose(end.c, whole.c, atol=1e-6)


def test_starts_from_zero_and_from_a_table_of_rows(inputs):
    *_, x, _ = inputs
    net, rows = LSTMLayer(H), np.arange(T * B).reshape(T, B) % 2
    table, apply = x[0][:2], jax.jit(net.apply)
    params = jax.jit(net.init)(jax.random.key(0), x)
    (_, direct), (_, gathered) = (
        apply(params, table[rows]),
        apply(params, table, rows=rows),
    )
    np.testing.assert_allclose(direct, gathered, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(params["params"]["b"]).reshape(4, H)[1], 1)


def test_vmaps(inputs, reset):
    w, u, b, x, carry = inputs
    twice = np.stack([x, -x])
    run = jax.jit(
        lambda x: jax.grad(lambda u: layer(w, u, b, x, carry, reset)[1].sum())(u)
    )
    np.testing.assert_allclose(
        jax.jit(jax.vmap(run))(twice), [*map(run, twice)], atol=1e-5
    )


def test_conditioning_equals_a_repeated_input(inputs, reset):
    w, u, b, x, carry = inputs
    conditioning, v = normal(8, B, 2), normal(9, 2, 4 * H)
    params = {"params": {"w": w, "u": u, "b": b, "v": v}}

    def separate(w, u, b, v, conditioning):
        params = {"params": {"w": w, "u": u, "b": b, "v": v}}
        layer = LSTMLayer(H)
        return layer.apply(params, x, carry, reset, conditioning=conditioning)[1]

    def joined(w, u, b, v, conditioning):
        repeated = jnp.broadcast_to(conditioning, (T, B, 2))
        longer = jnp.concatenate([x, repeated], axis=-1)
        return layer(jnp.concatenate([w, v]), u, b, longer, carry, reset)[1]

    values = (w, u, b, v, conditioning)
    weigh = lambda run: lambda *values: (run(*values) * normal(6, T, B, H)).sum()
    init = functools.partial(LSTMLayer(H).init, conditioning=conditioning)
    shapes = jax.eval_shape(init, jax.random.key(0), x)
    assert jax.tree.map(np.shape, shapes) == jax.tree.map(np.shape, params)
    np.testing.assert_allclose(
        jax.jit(separate)(*values), jax.jit(joined)(*values), atol=1e-5
    )
    slopes = (
        jax.jit(jax.grad(weigh(run), range(5)))(*values) for run in (separate, joined)
    )
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_conditioning_works_with_rows_of_a_table(inputs):
    w, u, b, _, carry = inputs
    table, rows, conditioning = (
        normal(7, 3, D),
        np.arange(T * B).reshape(T, B) % 3,
        normal(8, B, 2),
    )
    params = {"params": {"w": w, "u": u, "b": b, "v": normal(9, 2, 4 * H)}}
    apply = jax.jit(LSTMLayer(H).apply)
    run = lambda x, **rows: apply(params, x, carry, conditioning=conditioning, **rows)[
        1
    ]
    np.testing.assert_allclose(run(table, rows=rows), run(table[rows]), atol=1e-5)


def test_matmuls_in_bfloat16_and_state_in_float32(inputs, reset):
    *weights, x, carry = inputs
    params = {"params": dict(zip("wub", weights, strict=True))}
    run = lambda p: LSTMLayer(H, dtype=jnp.bfloat16).apply(p, x, carry, reset)
    after, y = jax.jit(run)(params)
    assert y.dtype == jnp.bfloat16
    assert after.c.dtype == after.h.dtype == jnp.float32
    np.testing.assert_allclose(y, jit(layer)(*inputs, reset)[1], atol=0.1)
    grads = jax.jit(jax.grad(lambda p: run(p)[1].sum()))(params)
    assert all(g.dtype == jnp.float32 for g in jax.tree.leaves(grads))


def test_a_sharded_batch_is_the_same_batch():
    b, devices = 8, np.array(jax.devices()[:8])
    mesh = jax.sharding.Mesh(devices, "data", axis_types=(AxisType.Auto,))
    put = lambda a, *spec: jax.device_put(a, NamedSharding(mesh, P(*spec)))
    w, u, bias = normal(5, D, 4 * H), normal(0, H, 4 * H), normal(1, 4 * H)
    x = normal(2, T, b, D)
    carry, reset = (
        Carry(normal(3, b, H), normal(4, b, H)),
        (np.arange(T) == 2)[:, None] & (np.arange(b) == 5),
    )

    def total(u, x, carry, reset):
        return unroll(w, u, bias, x, carry, reset)[1].sum()

    grad = jax.jit(jax.grad(total, (0, 1)))
    whole = grad(u, x, carry, reset)
    split = grad(
        put(u), put(x, None, "data"), jax.tree.map(lambda a: put(a, "data"), carry),
        put(reset, None, "data"),
    )  # fmt: skip
    for a, b in zip(whole, split, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("few", [0, 3], ids=["gathered", "multiplied"])
def test_a_tables_gradient_is_that_of_its_rows(few, inputs, monkeypatch):
    monkeypatch.setattr("zoo.nn.sequence.lstm.MAX_TABLE_RATIO", few)
    w, u, b, x, carry = inputs
    table, rows = x[0], np.random.default_rng(1).integers(0, B, (T, B))
    net, params = LSTMLayer(H), {"params": {"w": w, "u": u, "b": b}}

    def direct(params, table):
        return loss(lambda *a: net.apply(params, *a), None)(table[rows], carry)

    def named(params, table):
        run = lambda x, carry, reset: net.apply(params, x, carry, reset, rows)
        return loss(run, None)(table, carry)

    ours, theirs = (
        jax.jit(jax.grad(f, (0, 1)))(params, table) for f in (named, direct)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_stacked_steps_equal_stacked_layers(layers):
    """Two layers of a stack may have different widths, as they have here."""
    widths, x = [H, 3, 4][:layers], normal(0, T, B, D)
    reset = np.random.default_rng(1).random((T, B)) < 0.3
    sizes = zip([D, *widths], widths, strict=False)
    stack = [
        {
            "w": normal(i, d, 4 * h),
            "u": normal(10 + i, h, 4 * h),
            "b": normal(20 + i, 4 * h),
        }
        for i, (d, h) in enumerate(sizes)
    ]
    outputs, carries = x, []
    for h, params in zip(widths, stack, strict=True):
        carry = Carry(normal(30, B, h), normal(31, B, h))
        carries.append(carry)
        run = jit(LSTMLayer(h).apply)
        _, outputs = run({"params": params}, outputs, carry, reset)
    step, state = jax.jit(stacked_step(stack)), tuple(carries)
    for t in range(T):
        state = reset_rows(state, reset[t])
        state = step(state, x[t] @ stack[0]["w"] + stack[0]["b"])
        np.testing.assert_allclose(state[-1].h, outputs[t], atol=1e-5)
