"""What every family promises, checked for every module in zoo/models."""

import collections
import dataclasses
import functools
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import zoo.models
from zoo.config import record, restore
from zoo.core import Family
from zoo.train import precision, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.evaluate import evaluate
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

FAMILIES = {name: module.TINY for name, module in zoo.models.families().items()}


@pytest.fixture(params=[*FAMILIES])
def family(request) -> Family:
    return FAMILIES[request.param]


@functools.cache
def rules(family):
    return optimizers(family, optax.adam(1e-2))


@functools.cache
def birth(family):
    """From a key, a state, compiled."""
    return jax.jit(lambda rng: init(family, rules(family), rng, family.example(8)))


@functools.cache
def start(family):
    """A state at birth, on a device as a restored one is, and a batch of eight."""
    return jax.device_put(
        birth(family)(jax.random.key(0)), jax.devices()[0]
    ), family.example(8)


@functools.cache
def traced(family):
    """How often the plain step of a family has been traced for each cadence."""
    return collections.Counter()


@functools.cache
def jitted(family, **options):
    step = make_step(family, rules(family), ema=0.9, **options)

    def counted(state, batch, due):
        traced(family)[due] += not options
        return step(state, batch, due)

    return jax.jit(counted, static_argnames="due")


def same(a, b) -> bool:
    a, b = (jax.tree.map(raw, tree) for tree in (a, b))
    return all(
        np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def raw(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def close(a, b, atol):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, atol=atol)


def test_is_a_value(family):
    twin = dataclasses.replace(family)
    assert isinstance(family, Family)
    assert family == twin
    assert hash(family) == hash(twin)
    assert restore(json.loads(json.dumps(record(family)))) == family


def test_init_is_a_function_of_its_key(family):
    one, two, other = (birth(family)(jax.random.key(seed)).params for seed in (0, 0, 1))
    assert same(one, two)
    assert jax.tree.structure(one) == jax.tree.structure(other)


def test_an_objective_moves_only_its_own_subtree(family):
    state, batch = start(family)
    step = jitted(family)
    for name, objective in family.objectives().items():
        after, _ = step(state, batch, due=(name,))
        for net in state.params.keys() - set(objective.wrt):
            assert same(state.params[net], after.params[net]), f"{name} moved {net}"


def test_every_network_learns(family):
    before, batch = start(family)
    state, step = before, jitted(family)
    for i in range(8):
        state, metrics = step(state, batch, due=due(family, i))
        assert int(metrics["rejected"]) == 0
    for net in {net for o in family.objectives().values() for net in o.wrt}:
        assert not same(before.params[net], state.params[net]), f"{net} never moved"


def test_a_cadence_compiles_once(family):
    state, batch = start(family)
    for i in range(12):
        state, _ = jitted(family)(state, batch, due=due(family, i))
    assert {traced(family)[due(family, i)] for i in range(12)} == {1}


def test_metrics_are_finite_scalars(family):
    state, batch = start(family)
    each = [
        jitted(family)(state, batch, due=(name,))[1] for name in family.objectives()
    ]
    metrics = collections.ChainMap(*each)
    metrics |= jax.jit(lambda p: evaluate(family, p, batch, jax.random.key(0)))(
        state.params
    )
    for name, value in metrics.items():
        assert value.shape == (), name
        assert jnp.isfinite(value), name


@pytest.mark.usefixtures("eight")
def test_eight_devices_give_the_result_of_one(family):
    """Every way to split parameters is some families': to compile all for each takes minutes."""
    mesh, ways = sharding.mesh(model=2), [*sharding.PLACEMENTS]
    placement = ways[[*FAMILIES.values()].index(family) % len(ways)]
    assert mesh.size == 8
    state, batch = start(family)
    where = sharding.place(
        mesh, jax.eval_shape(lambda: state), sharding.PLACEMENTS[placement]
    )
    step, one = make_step(family, rules(family), ema=0.9), jitted(family)
    many = jax.jit(
        step, static_argnames="due", out_shardings=(where, NamedSharding(mesh, P()))
    )
    apart, apart_batch = jax.device_put(state, where), sharding.shard_batch(mesh, batch)
    for i in range(3):
        state, _ = one(state, batch, due=due(family, i))
        apart, _ = many(apart, apart_batch, due=due(family, i))
    close(state.params, apart.params, atol=1e-4)


def draws(family):
    """Whether a loss draws random numbers in training."""
    state, batch = start(family)
    losses = lambda rng: [
        objective.loss(state.params, batch, rng, jnp.array(0))[0]
        for objective in family.objectives().values()
    ]
    one, two = (jax.jit(losses)(jax.random.key(seed)) for seed in (0, 1))
    return not same(one, two)


def test_accumulated_parts_give_the_result_of_the_whole(family):
    """Where a loss draws random numbers its parts draw others, so only the shape is compared."""
    state, batch = start(family)
    batch = dict(batch)
    if "mask" in batch:  # parts of unequal weight
        batch["mask"] = batch["mask"] & (jnp.arange(8) % 3 > 0)[:, None]
    names = due(family, 0)
    whole, _ = jitted(family)(state, batch, due=names)
    parts, _ = jitted(family, accumulate=4)(state, batch, due=names)
    assert jax.tree.structure(whole) == jax.tree.structure(parts)
    try:
        close(whole.params, parts.params, atol=1e-4)
    except AssertionError:
        assert draws(family)


def test_bf16_matmuls_keep_f32_masters_and_stay_near(family):
    state, batch = start(family)
    names = due(family, 0)
    full, a = jitted(family)(state, batch, due=names)
    half, b = jitted(family, context=precision.context(True))(state, batch, due=names)
    assert [x.dtype for x in jax.tree.leaves(full)] == [
        x.dtype for x in jax.tree.leaves(half)
    ]
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0.1, atol=0.1)


def test_resuming_changes_nothing(family, tmp_path):
    """12 steps == the first of them on disk + the others, bit for bit, optimiser and average too:
    where a family goes over to other objectives, that is between these two."""
    (state, batch), born = start(family), start(family)[0]
    order = [np.random.default_rng(i).permutation(8) for i in range(12)]
    rows = [jax.tree.map(lambda x, i=i: np.asarray(x)[i], dict(batch)) for i in order]
    step = lambda state, i: jitted(family)(state, rows[i], due=due(family, i))[0]
    with Checkpoints(tmp_path) as checkpoints:
        for i in range(12):
            if i in (2, 5):
                checkpoints.save(state, {})
            state = step(state, i)
        checkpoints.wait()
    placed = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)
    for first in (2, 5):
        with Checkpoints(tmp_path, read_only=True) as checkpoints:
            rest = checkpoints.restore(jax.tree.map(placed, born), first)
        for i in range(first, 12):
            rest = step(rest, i)
        assert same(state, rest)


def given(family, batch):
    """What sampling is conditioned on: the keywords it requires, as the batch names them."""
    wants, there = (
        inspect.signature(family.sample).parameters.values(),
        {"batch": batch, **batch},
    )
    return {
        p.name: there[p.name]
        for p in wants
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    }


def test_samples_repeat_under_their_key_whatever_the_batch(family):
    params = start(family)[0].params
    sample = jax.jit(family.sample, static_argnames="n")
    few, again, many = (
        sample(params, jax.random.key(7), n=n, **given(family, family.example(n)))
        for n in (3, 3, 5)
    )
    assert len(few) == 3
    assert np.array_equal(few, again)
    assert np.array_equal(few, many[:3])
