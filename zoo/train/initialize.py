"""Where a run begins: afresh, from another run's parameters, or from its own last checkpoint."""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from zoo.core import Batch, Family, Params, Tree
from zoo.errors import UsageError, ZooError
from zoo.train import sharding
from zoo.train import step as steps_
from zoo.train.checkpoint import Checkpoints
from zoo.train.optim import Optimizers
from zoo.train.prefetch import Batches
from zoo.train.step import TrainState


def begin(
    family: Family,
    rules: Optimizers,
    batches: Batches,
    mesh: Mesh,
    checkpoints: Checkpoints,
    options: Any,
    meta: Mapping[str, Any],
    given: Params,
) -> tuple[TrainState, Tree]:
    """The state to go on from, placed on `mesh`, and the placement of each of its leaves.

    At its birth the networks `given` take the place of those of the same name.
    """
    # drawn before anything compiles: too little data is an error, not a hang
    batch = dict(batches[0])
    check(batch, mesh, options.accumulate)
    fresh = lambda: steps_.init(family, rules, jax.random.key(options.seed), batch)
    shapes = jax.eval_shape(fresh)
    where = sharding.place(mesh, shapes, sharding.RULES[options.placement])
    like = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, where
    )
    step = checkpoints.latest if options.restore_step is None else options.restore_step
    if step is None:
        state = hand(jax.jit(fresh, out_shardings=where)(), given)
        return (adopt(state, options.init_from) if options.init_from else state), where
    if step not in checkpoints.steps:
        raise UsageError(
            f"there is no checkpoint {step} in {checkpoints.directory}: "
            f"it has {', '.join(map(str, checkpoints.steps)) or 'none'}."
        )
    agree(checkpoints.meta(step), meta, checkpoints)
    state = checkpoints.restore(like, step)
    checkpoints.forget_after(step)
    return state, where


def hand(state: TrainState, given: Params) -> TrainState:
    """`state` with the networks `given`, placed as those they replace."""

    def replaced(params: Params) -> Params:
        # a copy each: the first step gives all of a state away, and nothing twice
        put = lambda new, old: jax.device_put(jnp.array(new, old.dtype), old.sharding)
        return {**params, **{k: jax.tree.map(put, given[k], params[k]) for k in given}}

    return state._replace(params=replaced(state.params), ema=replaced(state.ema))


def check(batch: Batch, mesh: Mesh, accumulate: int) -> None:
    rows = len(next(iter(batch.values()))) * jax.process_count()
    share = mesh.shape["data"] * accumulate
    if rows % share:
        raise UsageError(
            f"a batch of {rows} does not divide over {mesh.shape['data']} devices x {accumulate} "
            f"parts: make --batch a multiple of {share}."
        )


def agree(
    saved: Mapping[str, Any], meta: Mapping[str, Any], checkpoints: Checkpoints
) -> None:
    """A run goes on as it began: its family, codec and data are those of its checkpoint."""
    for key in meta:
        if key in saved and saved[key] != meta[key]:
            was, now = differing(saved[key], meta[key])
            raise UsageError(
                f"{checkpoints.directory.parent} was begun with {key} {was}, and this command says "
                f"{now}: give the same options, or another --workdir."
            )


def differing(was: Any, now: Any) -> tuple[str, str]:
    """The first difference between two records, in words."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted(was.keys() | now.keys()):
            if was.get(key) != now.get(key):
                a, b = differing(was.get(key), now.get(key))
                return (
                    f"{key}={a}" if "=" not in a else a,
                    f"{key}={b}" if "=" not in b else b,
                )
    return str(was), str(now)


def adopt(state: TrainState, path: str) -> TrainState:
    """Starts from another run's parameters wherever name and shape agree, and says where not."""
    source = Checkpoints(path, read_only=True)
    if source.best is None:
        raise ZooError(
            f"{path} holds no checkpoint to start from: name a run that has saved one."
        )
    theirs = source.leaves(source.best)
    new = []

    def take(path, mine):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name not in theirs or theirs[name].shape != mine.shape:
            new.append(name)
            return mine
        return jax.device_put(theirs.pop(name).astype(mine.dtype), mine.sharding)

    params = jax.tree_util.tree_map_with_path(take, state.params)
    loaded = len(jax.tree.leaves(params)) - len(new)
    if not loaded:
        raise UsageError(
            f"no tensor of {path} fits this model: start from a run of its family."
        )
    for what, names in {"new": new, "skipped": list(theirs)}.items():
        print(f"{what}: {', '.join(names) or 'none'}", file=sys.stderr)
    print(f"{loaded} tensors loaded from {path}", file=sys.stderr)
    return state._replace(params=params, ema=jax.tree.map(jnp.copy, params))
