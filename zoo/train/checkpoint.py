"""Checkpoints that describe themselves: asynchronous, atomic, the last few and the best kept.

Each step is an Orbax directory of four items, so that a reader takes only what it needs: `params`,
`ema`, `rest` (optimiser state, rng, step) and `meta` (JSON: format, family, codec, configuration,
versions). Orbax writes a step into a temporary directory and renames it; a step no longer wanted is
renamed before it is deleted. So a kill leaves no step half there.
"""

import contextlib
import dataclasses
import importlib.metadata
import logging
import math
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from jax.sharding import Mesh
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from zoo.core import Params, Tree
from zoo.errors import UsageError, ZooError
from zoo.train.step import TrainState

FORMAT = 1
ITEMS = ("params", "ema", "rest", "meta")
BEST = "valid"  # the metric, lower is better, by which the best checkpoint is kept
TRASH = "deleted"  # where steps no longer wanted go first
UNWRITABLE = (ValueError, KeyError, TypeError, OSError, RuntimeError)
# Orbax logs, with every thread's traceback, the failures that it also raises and we say in a line
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
# replicas share the writing of large tensors; to cut up a small one costs more than to write it
ocp.type_handlers.register_type_handler(
    jax.Array,
    ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=2**20),
    override=True,
)
PACKAGES = ("music-zoo", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def loss(metrics: Mapping[str, float]) -> float:
    """What the best checkpoint has least of."""
    return metrics.get(BEST, math.inf)


def first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    line = line.partition(" [")[0]  # TensorStore appends where in its source it was
    return line if len(line) <= 160 else f"{line[:40]} ... {line[-110:]}"


class Checkpoints:
    """The checkpoints of one run, under `directory`/checkpoints."""

    def __init__(
        self,
        directory: str | pathlib.Path,
        *,
        keep: int = 2,
        best: bool = True,
        read_only: bool = False,
    ):
        """Opens them, or begins them. `best` keeps the one with the lowest validation loss too."""
        self.directory = pathlib.Path(directory).absolute() / "checkpoints"
        if read_only and not self.directory.is_dir():
            raise ZooError(
                f"no run at {directory}: give a directory that training has written."
            )
        if keep < 1:
            raise UsageError(
                f"--keep is {keep}: keep at least the latest checkpoint, 1."
            )
        kept = [LatestN(keep)]
        if best:
            kept.append(
                BestN(
                    get_metric_fn=loss,
                    reverse=True,
                    n=1,
                    keep_checkpoints_without_metrics=False,
                )
            )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy(kept),
            best_fn=loss if best else None,
            best_mode="min",
            cleanup_tmp_directories=not read_only,
            todelete_subdir=TRASH,
            create=not read_only,
        )
        try:
            self.manager = self.open(options)
            if not read_only:
                self.sweep()
        except OSError as error:
            raise UsageError(
                f"cannot keep checkpoints in {self.directory} ({first_line(error)}): "
                "give a --workdir that can be written."
            ) from error

    def open(self, options: ocp.CheckpointManagerOptions) -> ocp.CheckpointManager:
        try:
            return ocp.CheckpointManager(
                self.directory, options=options, item_names=ITEMS
            )
        except (
            ValueError
        ):  # a damaged record of how good a step was must not hide the others
            options = dataclasses.replace(options, lightweight_initialize=True)
            return ocp.CheckpointManager(
                self.directory, options=options, item_names=ITEMS
            )

    def sweep(self) -> None:
        shutil.rmtree(self.directory / TRASH, ignore_errors=True)

    @property
    def steps(self) -> list[int]:
        return sorted(self.manager.all_steps())

    @property
    def latest(self) -> int | None:
        return self.manager.latest_step()

    @property
    def best(self) -> int | None:
        """The step with the lowest validation loss, or the latest where none was measured."""
        return self.manager.best_step() or self.latest

    def save(
        self, state: TrainState, meta: Mapping[str, Any], valid: float | None = None
    ) -> None:
        """Starts writing `state`; returns once its buffers may be donated."""
        step = int(state.step)
        if step in self.steps:
            return
        rest = {
            "opt": named(state.opt),
            "rng": jax.random.key_data(state.rng),
            "step": state.step,
        }
        about = {
            "format": FORMAT,
            "step": step,
            "versions": versions(),
            "tensors": tensors(state),
        }
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(state.params),
            ema=ocp.args.StandardSave(state.ema),
            rest=ocp.args.StandardSave(rest),
            meta=ocp.args.JsonSave({**about, **meta}),
        )
        unknown = valid is None or math.isnan(valid)
        self.wait()
        with self.failing(f"cannot save step {step}"):
            self.room(state)
            self.manager.save(
                step, args=items, metrics={BEST: math.inf if unknown else valid}
            )

    def room(self, state: TrainState) -> None:
        """Raises OSError where the disk is too full: known beforehand, it costs nothing."""
        need = sum(
            leaf.nbytes
            for leaf in jax.tree.leaves((state.params, state.ema, state.opt))
        )
        free = shutil.disk_usage(self.directory).free
        if free < need:
            raise OSError(
                f"it takes {need / 1e6:.1f} MB, and {free / 1e6:.1f} are free"
            )

    def wait(self) -> None:
        """Blocks until what was started is on disk, and what is no longer wanted is gone."""
        with self.failing("a save did not finish"):
            self.manager.wait_until_finished()
        self.sweep()

    @contextlib.contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Turns a failed write into one sentence that names what is safe."""
        try:
            yield
        except UNWRITABLE as error:
            self.manager.reload()  # it has counted the step that failed, and not what that replaces
            safe = self.latest
            kept = (
                f"step {safe} is safe"
                if safe is not None
                else "nothing was saved before"
            )
            raise ZooError(
                f"{what} in {self.directory} ({first_line(error)}); {kept}: "
                "free space there or mend its permissions, and run the same command again."
            ) from error

    def restore(self, like: TrainState, step: int) -> TrainState:
        """The state of `step`, shaped, typed and placed as `like` (arrays, or their shapes)."""
        mine = tensors(like)
        theirs = self.meta(step)["tensors"]
        for name in sorted(mine.keys() | theirs.keys()):
            if mine.get(name) != theirs.get(name):
                raise UsageError(
                    f"checkpoint {step} in {self.directory} has {name} of shape "
                    f"{theirs.get(name, 'none')}, and this command's model and optimiser have it "
                    f"of {mine.get(name, 'none')}: give the options that run was begun with, or "
                    "another --workdir."
                )
        key = jax.eval_shape(jax.random.key_data, like.rng)
        key = jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=like.rng.sharding)
        rest = {"opt": named(like.opt), "rng": key, "step": like.step}
        items = self.read(
            step,
            params=ocp.args.StandardRestore(like.params),
            ema=ocp.args.StandardRestore(like.ema),
            rest=ocp.args.StandardRestore(rest),
        )
        rest = items["rest"]
        leaves = [rest["opt"][name] for name in named(like.opt)]
        opt = jax.tree.unflatten(jax.tree.structure(like.opt), leaves)
        rng = jax.random.wrap_key_data(rest["rng"])
        return TrainState(rest["step"], items["params"], opt, items["ema"], rng)

    def meta(self, step: int) -> dict[str, Any]:
        """What the checkpoint says of itself; refuses a format newer than this version knows."""
        meta = self.read(step, meta=ocp.args.JsonRestore())["meta"]
        if not isinstance(meta, dict) or not {"format", "tensors"} <= meta.keys():
            raise ZooError(
                f"{self.directory / str(step)} is not a checkpoint of the zoo."
            )
        if meta["format"] > FORMAT:
            raise ZooError(
                f"{self.directory / str(step)} has format {meta['format']}, newer than {FORMAT}, "
                "which this version reads: upgrade music-zoo."
            )
        return meta

    def params(self, like: Params, step: int, item: str = "ema") -> Params:
        """The parameters alone, averaged (`ema`) or as trained (`params`)."""
        return self.read(step, **{item: ocp.args.StandardRestore(like)})[item]

    def leaves(self, step: int) -> dict[str, np.ndarray]:
        """Every averaged parameter by its path, whatever model it belongs to."""
        tree = self.read(step, ema=ocp.args.StandardRestore())["ema"]
        return {name: np.asarray(leaf) for name, leaf in named(tree).items()}

    def read(self, step: int, **items: ocp.args.CheckpointArgs) -> Tree:
        try:
            for item in items.keys() - {"meta"}:
                probe(self.directory / str(step) / item)
            return self.manager.restore(step, args=ocp.args.Composite(**items))
        except (
            Exception
        ) as error:  # Orbax raises that itself, and much else, over a damaged file
            raise self.unreadable(step, error) from error

    def unreadable(self, step: int, error: BaseException) -> ZooError:
        earlier = [s for s in self.steps if s < step]
        offer = (
            f"step {earlier[-1]} stands before it: add --restore-step {earlier[-1]}."
            if earlier
            else "there is none before it: begin again in another directory."
        )
        return ZooError(
            f"checkpoint {step} in {self.directory} cannot be read ({first_line(error)}); {offer}"
        )

    def forget_after(self, step: int) -> None:
        """Deletes every checkpoint later than `step`, so that a run can go on from there."""
        for later in [s for s in self.steps if s > step]:
            self.manager.delete(later)
        self.sweep()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        # what failed first is what is said
        with contextlib.suppress(*[ZooError] if kind else []):
            self.close()


def probe(item: pathlib.Path) -> None:
    """Reads the index of an item: over a damaged one Orbax leaves a traceback for each tensor."""
    base = {"driver": "file", "path": f"{item}/"}
    if not ts.KvStore.open({"driver": "ocdbt", "base": base}).result().list().result():
        raise ValueError(f"{item.name} holds no tensors")


def named(tree: Tree) -> dict[str, Any]:
    """Every leaf by its path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in leaves
    }


def tensors(state: TrainState) -> dict[str, list[int]]:
    """The shape of every tensor of a state, which the average and its key leave as they are."""
    tree = {"params": state.params, "opt": state.opt}
    return {name: list(leaf.shape) for name, leaf in named(tree).items()}


def shapes(tree: Tree, mesh: Mesh | None = None) -> Tree:
    """Shapes and dtypes of `tree`, as a restore wants them: on one device or all over `mesh`."""
    one = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    where = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()) if mesh else one
    )
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype, sharding=where), tree
    )
