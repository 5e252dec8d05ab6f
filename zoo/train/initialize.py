"""The first state of a run: new, from other parameters, or from a checkpoint."""

import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from zoo.config import current
from zoo.core import Batch, Family, Params, Tree
from zoo.errors import UsageError
from zoo.train import sharding
from zoo.train import step as train_step
from zoo.train.checkpoint import Checkpoints
from zoo.train.evaluate import check_tokens
from zoo.train.optim import Optimizers
from zoo.train.options import Options
from zoo.train.prefetch import Batches
from zoo.train.saved import opened, require_consent
from zoo.train.step import TrainState

DATA = "data"  # the entry of a checkpoint's meta that digests the corpus


class Plan(NamedTuple):
    """A run before anything is computed.

    Attributes:
      new_state: `() -> state`, the state of a new run.
      shapes: the shapes of the state, with the sharding of each of its leaves.
      placement: these shardings.
      batch: the first batch of this process.
    """

    new_state: Callable[[], TrainState]
    shapes: TrainState
    placement: Tree
    batch: Batch


def plan(
    family: Family, tx: Optimizers, batches: Batches, *, mesh: Mesh, options: Options
) -> Plan:
    """Reads the first batch, and places the state on the devices.

    Raises:
      UsageError: the batch size does not fit.
    """
    # read before anything compiles, so that errors in the data appear at once
    batch = dict(batches[0])
    check_batch_size(batch, mesh, options.accumulate)
    check_tokens(family, batch)

    def new_state() -> TrainState:
        return train_step.init(family, tx, jax.random.key(options.seed), batch)

    shapes = jax.eval_shape(new_state)
    placement = sharding.place(mesh, shapes, sharding.PLACEMENTS[options.placement])
    shapes = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        shapes,
        placement,
    )
    return Plan(new_state, shapes, placement, batch)


def initial_state(
    planned: Plan,
    *,
    checkpoints: Checkpoints,
    options: Options,
    meta: Mapping[str, Any],
    pretrained: Params,
) -> TrainState:
    """Returns the state to continue from.

    Without a checkpoint, the `pretrained` networks replace those of the same name.

    Raises:
      UsageError: the options or the checkpoints do not fit.
    """
    new_state, shapes, placement, _ = planned
    step = checkpoints.latest if options.restore_step is None else options.restore_step
    if step is None:
        state = jax.jit(new_state, out_shardings=placement)()
        state = replace_networks(state, pretrained)
        if options.init_from:
            state = load_parameters(
                state, options.init_from, accept_licence=options.accept_licence
            )
        return state
    if step not in checkpoints.steps:
        raise UsageError(
            f"there is no checkpoint {step} in {checkpoints.directory}: "
            f"it has {', '.join(map(str, checkpoints.steps)) or 'none'}."
        )
    saved = checkpoints.meta(step)
    if not options.accept_new_data:
        check_same_data(saved, meta, checkpoints)
    check_same_run(saved, meta, checkpoints)
    state = checkpoints.restore(shapes, step)
    checkpoints.delete_after(step)
    return state


def replace_networks(state: TrainState, pretrained: Params) -> TrainState:
    """Returns `state` with the `pretrained` networks in place of its own."""

    def copy(new: jax.Array, old: jax.Array) -> jax.Array:
        # params and ema are both donated to the first step: each needs its own buffer
        return jax.device_put(jnp.array(new, old.dtype), old.sharding)

    def replaced(params: Params) -> Params:
        networks = {
            name: jax.tree.map(copy, network, params[name])
            for name, network in pretrained.items()
        }
        return {**params, **networks}

    return state._replace(params=replaced(state.params), ema=replaced(state.ema))


def check_batch_size(batch: Batch, mesh: Mesh, accumulate: int) -> None:
    """Raises UsageError unless the rows divide over devices and microbatches."""
    rows = len(next(iter(batch.values()))) * jax.process_count()
    devices = mesh.shape["data"]
    if rows % (devices * accumulate):
        raise UsageError(
            f"a batch of {rows} rows does not divide over {devices} devices x "
            f"{accumulate} microbatches: make `batch` a multiple of "
            f"{devices * accumulate}."
        )


def check_same_data(
    saved: Mapping[str, Any], meta: Mapping[str, Any], checkpoints: Checkpoints
) -> None:
    """Raises UsageError if the corpus is not the one of a checkpoint any more."""
    before, now = saved.get(DATA), meta.get(DATA)
    if before and now and before != now:
        raise UsageError(
            f"the corpus has changed since checkpoint {saved['step']} of "
            f"{checkpoints.directory.parent}: its digest was {before} and is {now}; "
            "restore the corpus, set `accept_new_data` to go on with the new one, or "
            "use another `workdir`."
        )


def check_same_run(
    saved: Mapping[str, Any], meta: Mapping[str, Any], checkpoints: Checkpoints
) -> None:
    """Raises UsageError if family, codec or task differ from those of a checkpoint."""
    for key in meta:
        if key not in saved or key == DATA:
            continue
        before, now = current(saved[key]), current(meta[key])
        if before != now:
            old, new = first_difference(before, now)
            raise UsageError(
                f"{checkpoints.directory.parent} was started with {key} {old}, and "
                f"this run has {new}: use the same options, or another `workdir`."
            )


def first_difference(old: Any, new: Any) -> tuple[str, str]:
    """Returns the first field in which two records differ, as text."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return str(old), str(new)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            a, b = first_difference(old.get(key), new.get(key))
            return (
                f"{key}={a}" if "=" not in a else a,
                f"{key}={b}" if "=" not in b else b,
            )
    return str(old), str(new)


def load_parameters(
    state: TrainState, directory: str, *, accept_licence: bool = False
) -> TrainState:
    """Returns `state` with the parameters of another run, or of a file of weights.

    Parameters are matched by path and shape. Prints those that have no match.

    Raises:
      ZooError: `directory` has no checkpoint.
      UsageError: no parameter matches, or terms must be agreed to by
        `accept_licence`.
    """
    with opened(pathlib.Path(directory)) as source:
        require_consent(directory, source.about, accept_licence)
        available = source.leaves()
    unmatched = []

    def load(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name not in available or available[name].shape != leaf.shape:
            unmatched.append(name)
            return leaf
        return jax.device_put(available.pop(name).astype(leaf.dtype), leaf.sharding)

    params = jax.tree_util.tree_map_with_path(load, state.params)
    loaded = len(jax.tree.leaves(params)) - len(unmatched)
    if not loaded:
        raise UsageError(
            f"no tensor in {directory} fits this model: choose a run of its family."
        )
    print(f"new: {', '.join(unmatched) or 'none'}", file=sys.stderr)
    print(f"skipped: {', '.join(available) or 'none'}", file=sys.stderr)
    print(f"{loaded} tensors loaded from {directory}", file=sys.stderr)
    return state._replace(params=params, ema=jax.tree.map(jnp.copy, params))
