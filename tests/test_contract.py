"""The contract of a family, checked for every module in zoo/models."""

import dataclasses
import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from jaxprs import equations, source_file
from small_models import conditioning

import zoo.models
from zoo.config import record, restore
from zoo.core import WEIGHT, Family
from zoo.train import precision, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.evaluate import evaluate
from zoo.train.optim import optimizers
from zoo.train.step import due, gradients, init, make_step

FAMILIES = {name: module.TINY for name, module in zoo.models.families().items()}
STEPS = 12  # enough for every objective of every small family to be due
MICROBATCHES = 4
SIGNALS = {"pqmf.py", "stft.py", "mel.py", "subband_autoencoder.py"}
# Files in which a family's matmuls stay in float32 under bf16, because they transform
# signals, count, look values up, or are outside Linen layers.
FLOAT32_MATMULS = {
    "coconet": {"coconet.py", "encoder_block.py"},
    "latent_diffusion": {"latent_sequence.py"},
    "latent_mdn": {"latent_sequence.py"},
    "markov": {"markov.py"},
    "mel_gan": {"istft_head.py", "mel.py", "stft.py"},
    "mel_vocoder": SIGNALS,
    "musegan": {"conditioning.py", "pianoroll_gan.py"},
    "note_transformer": {"frame_attention.py", "note_transformer.py"},
    "seqgan": {"compound_lstm.py", "conditioning.py", "lstm.py"},  # rollouts
    "tacotron": SIGNALS | {"speech_net.py", "upsampling.py"},
    "variational_vocoder": SIGNALS,
}


@pytest.fixture(scope="module", autouse=True)
def uncached():
    """No other test uses these programs: writing them to the cache is a seventh of the
    time."""
    name = "jax_persistent_cache_min_compile_time_secs"
    usual = getattr(jax.config, name)
    jax.config.update(name, float("inf"))
    yield
    jax.config.update(name, usual)


@pytest.fixture(params=[*FAMILIES])
def family(request) -> Family:
    return FAMILIES[request.param]


@functools.cache
def adam(family):
    return optimizers(family, optax.adam(1e-2))


def plain_step(family, **options):
    return make_step(family, adam(family), ema=0.9, **options)


@functools.cache
def compiled_init(family):
    return jax.jit(lambda rng: init(family, adam(family), rng, family.example(8)))


@functools.cache
def start(family):
    """Returns an initial state, placed as a restored one is, and a batch of eight."""
    state = compiled_init(family)(jax.random.key(0))
    return jax.device_put(state, jax.devices()[0]), family.example(8)


@functools.cache
def shapes(family):
    """Returns the shapes of an initial state, without compiling, and a batch of
    eight."""
    state = jax.eval_shape(compiled_init(family), jax.random.key(0))
    return state, family.example(8)


@functools.cache
def traced(family, name):
    """Returns the jaxpr of a step with one objective, in bf16, and its outputs'
    shapes."""
    step = plain_step(family, context=precision.context(True))
    trace = jax.make_jaxpr(step, static_argnums=2, return_shape=True)
    return trace(*shapes(family), (name,))


@functools.cache
def compiled_step(family):
    return jax.jit(plain_step(family), static_argnames="due")


@functools.cache
def compiled_evaluate(family):
    return jax.jit(lambda params, batch: evaluate(family, params, batch, EVAL_RNG))


EVAL_RNG = jax.random.key(0)


def same(a, b) -> bool:
    a, b = (jax.tree.map(raw, tree) for tree in (a, b))
    return all(
        np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def raw(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def close(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


def test_is_a_value(family):
    twin = dataclasses.replace(family)
    assert isinstance(family, Family)
    assert family == twin
    assert hash(family) == hash(twin)
    assert restore(json.loads(json.dumps(record(family)))) == family


def test_init_is_a_function_of_its_key(family):
    one, two, other = (
        compiled_init(family)(jax.random.key(seed)).params for seed in (0, 0, 1)
    )
    assert same(one, two)
    assert not same(one, other) or not any(map(np.any, jax.tree.leaves(one)))
    assert jax.tree.structure(one) == jax.tree.structure(other)


def test_an_objective_moves_its_own_networks_and_no_others(family):
    """Checked in the traced step: a network that is not moved is its own input."""
    state, _ = shapes(family)
    trained = {net for o in family.objectives().values() for net in o.wrt}
    assert trained <= state.params.keys()
    leaves = jax.tree_util.tree_leaves_with_path(state)
    nets = [path[1].key if path[0].name == "params" else None for path, _ in leaves]
    for name, objective in family.objectives().items():
        assert len({*objective.wrt}) == len(objective.wrt) > 0
        jaxpr = traced(family, name)[0].jaxpr
        before, after = jaxpr.invars[: len(nets)], jaxpr.outvars[: len(nets)]
        for net, old, new in zip(nets, before, after, strict=True):
            if net is not None:
                assert (old is new) == (net not in objective.wrt), f"{name}: {net}"


def test_every_network_learns(family):
    before, batch = start(family)
    state, step = before, compiled_step(family)
    for i in range(8):
        state, metrics = step(state, batch, due=due(family, i))
        assert int(metrics["rejected"]) == 0
    for net in {net for o in family.objectives().values() for net in o.wrt}:
        assert not same(before.params[net], state.params[net]), f"{net} never moved"
    if len(family.objectives()) == 1:  # in a game the loss of one may rise
        (name,) = family.objectives()
        first, last = (
            compiled_evaluate(family)(x.params, batch)[f"{name}/loss"]
            for x in (before, state)
        )
        assert last < first, "eight steps on one batch make its loss no smaller"


def test_each_cadence_compiles_once_and_its_metrics_are_finite_scalars(family):
    state, batch = start(family)
    step = compiled_step(family)
    metrics = dict(compiled_evaluate(family)(state.params, batch))
    cadences = [due(family, i) for i in range(STEPS)]
    assert {name for names in cadences for name in names} == {*family.objectives()}
    for names in cadences:
        state, logs = step(state, batch, due=names)
        metrics |= logs
    assert step._cache_size() == len({*cadences})
    for name, value in metrics.items():
        assert value.shape == (), name
        assert jnp.isfinite(value), name


@pytest.mark.usefixtures("eight")
def test_four_devices_give_the_result_of_one(family):
    """Families take turns at the ways to place parameters: to compile all takes
    minutes."""
    mesh = sharding.mesh(model=2, devices=jax.devices()[:4])
    placements = [*sharding.PLACEMENTS]
    placement = placements[[*FAMILIES.values()].index(family) % len(placements)]
    state, batch = start(family)
    where = sharding.place(
        mesh, jax.eval_shape(lambda: state), sharding.PLACEMENTS[placement]
    )
    many = jax.jit(
        plain_step(family),
        static_argnames="due",
        out_shardings=(where, NamedSharding(mesh, P())),
    )
    spread = jax.device_put(state, where), sharding.shard_batch(mesh, batch)
    names = due(family, 0)
    one, _ = compiled_step(family)(state, batch, due=names)
    apart, _ = many(*spread, due=names)
    assert not same(one.params, state.params)
    close(one.params, apart.params, atol=1e-4)


# one whose loss draws nothing, one reparametrised, one that masks at random, two games,
# one that draws noise levels
ACCUMULATED = ("lstm", "music_vae", "coconet", "musegan", "seqgan", "latent_diffusion")


@pytest.mark.parametrize("name", [x for x in FAMILIES if x not in ACCUMULATED])
def test_accumulation_keeps_every_shape(name):
    """Every objective is accumulated; one with its own update rule sees the whole
    batch."""
    family = FAMILIES[name]
    state, batch = shapes(family)
    step = plain_step(family, accumulate=MICROBATCHES)
    names = (*family.objectives(),)
    after, metrics = jax.eval_shape(lambda state: step(state, batch, names), state)
    assert after == state
    plain = {key for name in names for key in traced(family, name)[1][1]}
    assert metrics.keys() == plain


@pytest.mark.parametrize("name", ACCUMULATED)
def test_accumulation_is_the_weighted_mean_over_microbatches(name):
    """Microbatch i is every fourth row from i on, and draws from `fold_in(rng, i)`."""
    family = FAMILIES[name]
    state, batch = start(family)
    batch = {key: jnp.asarray(value) for key, value in batch.items()}
    if "mask" in batch:  # microbatches of unequal weight
        keep = (jnp.arange(8) % 3 > 0).reshape(8, *[1] * (batch["mask"].ndim - 1))
        batch["mask"] = batch["mask"] & keep
    objective = family.objectives()[due(family, 0)[0]]
    moving = {net: state.params[net] for net in objective.wrt}
    frozen = {net: x for net, x in state.params.items() if net not in moving}
    pooled = jax.jit(
        lambda batch, rng, n: gradients(
            objective.loss,
            moving,
            frozen,
            batch,
            rng=rng,
            step=state.step,
            microbatches=n,
        ),
        static_argnums=2,
    )
    rng = jax.random.key(3)
    parts = [
        pooled({k: x[i::MICROBATCHES] for k, x in batch.items()}, key, 1)
        for i in range(MICROBATCHES)
        for key in [jax.random.fold_in(rng, i)]
    ]
    weights = np.array([float(logs.get(WEIGHT, 1)) for _, logs, _ in parts])
    value, _, grads = pooled(batch, rng, MICROBATCHES)
    mean = lambda *xs: np.tensordot(weights / weights.sum(), np.stack(xs), 1)
    np.testing.assert_allclose(value, mean(*(x[0] for x in parts)), rtol=1e-4)
    close(grads, jax.tree.map(mean, *(x[2] for x in parts)), rtol=1e-3, atol=1e-5)
    assert any(np.abs(leaf).max() > 1e-4 for leaf in jax.tree.leaves(grads))


def matmuls(family):
    """Yields the file and operand dtypes of each matmul of every objective, in bf16."""
    for name in family.objectives():
        for equation in equations(traced(family, name)[0].jaxpr):
            if equation.primitive.name in ("dot_general", "conv_general_dilated"):
                dtypes = {str(v.aval.dtype) for v in equation.invars}
                if dtypes & {"float32", "bfloat16"}:
                    yield pathlib.Path(source_file(equation)).name, dtypes


def test_bf16_reaches_every_matmul_and_no_parameter(family):
    """A mixed pair of operands is the gradient of a bf16 matmul that sums in
    float32."""
    half = [*matmuls(family)]
    full = {file for file, dtypes in half if dtypes == {"float32"}}
    name = type(family).__module__.rpartition(".")[2]
    assert full <= FLOAT32_MATMULS.get(name, set())
    assert any("bfloat16" in dtypes for _, dtypes in half) or name == "markov"
    state, _ = shapes(family)
    assert all(traced(family, name)[1][0] == state for name in family.objectives())


def test_resuming_changes_nothing(family, tmp_path):
    """Compares a run with one restored after step 2 and one after step 5, bit for bit.

    A family that changes its objectives does so between these two steps.
    """
    (state, batch), initial = start(family), start(family)[0]
    order = [np.random.default_rng(i).permutation(8) for i in range(STEPS)]
    rows = [jax.tree.map(lambda x, i=i: np.asarray(x)[i], dict(batch)) for i in order]
    step = lambda state, i: compiled_step(family)(state, rows[i], due=due(family, i))[0]
    with Checkpoints(tmp_path) as checkpoints:
        for i in range(STEPS):
            if i in (2, 5):
                checkpoints.save(state, {})
            state = step(state, i)
        checkpoints.wait()
    placed = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)
    for first in (2, 5):
        with Checkpoints(tmp_path, read_only=True) as checkpoints:
            resumed = checkpoints.restore(jax.tree.map(placed, initial), first)
        for i in range(first, STEPS):
            resumed = step(resumed, i)
        assert same(state, resumed)


def test_samples_depend_on_their_key_and_not_on_the_batch(family):
    params = start(family)[0].params
    sample = jax.jit(family.sample, static_argnames="n")
    few, again, many = (
        sample(params, jax.random.key(7), n=n, **conditioning(family, n))
        for n in (3, 3, 5)
    )
    assert len(few) == 3
    assert np.array_equal(few, again)
    assert np.array_equal(few, many[:3])
