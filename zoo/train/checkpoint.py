"""Self-describing checkpoints, written asynchronously and atomically with Orbax.

A checkpoint has four items, so that a reader loads only what it needs: `params`, `ema`,
`rest` (optimizer state, key and step) and `meta` (JSON: format, family, codec,
configuration and versions). Orbax writes a step to a temporary directory and renames
it. A step to be deleted is renamed first. A killed process therefore never leaves a
partial checkpoint.
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
BEST = "valid"  # the metric that the best checkpoint minimises
TRASH = "deleted"  # directory of steps to be deleted
MAX_ERROR_LENGTH = 160  # characters of a quoted error
WRITE_ERRORS = (ValueError, KeyError, TypeError, OSError, RuntimeError)
# Orbax logs errors with the traceback of every thread; they are raised as well
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
# replicas share the writing of large tensors; splitting a small one is slower
ocp.type_handlers.register_type_handler(
    jax.Array,
    ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=2**20),
    override=True,
)
PACKAGES = ("music-zoo", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def versions() -> dict[str, str]:
    """Returns the installed version of each package in `PACKAGES`."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def validation_loss(metrics: Mapping[str, float]) -> float:
    """Returns the loss that the best checkpoint minimises."""
    return metrics.get(BEST, math.inf)


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, shortened."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    line = line.partition(" [")[0]  # TensorStore appends its source location
    if len(line) <= MAX_ERROR_LENGTH:
        return line
    return f"{line[:40]} ... {line[-110:]}"


class Checkpoints:
    """The checkpoints of a run, in `directory`/checkpoints."""

    def __init__(
        self,
        directory: str | pathlib.Path,
        *,
        keep: int = 2,
        best: bool = True,
        read_only: bool = False,
    ):
        """Opens the directory, or creates it.

        Args:
          directory: the directory of the run.
          keep: number of latest checkpoints to keep.
          best: keep the checkpoint with the lowest validation loss as well.
          read_only: neither create nor delete anything.

        Raises:
          ZooError: `read_only`, and there is no run.
          UsageError: the directory cannot be written, or `keep` is below 1.
        """
        self.directory = pathlib.Path(directory).absolute() / "checkpoints"
        if read_only and not self.directory.is_dir():
            raise ZooError(
                f"no run at {directory}: choose the directory of a training run."
            )
        if keep < 1:
            raise UsageError(f"`keep` is {keep}: keep at least 1 checkpoint.")
        policies = [LatestN(keep)]
        if best:
            policies.append(
                BestN(
                    get_metric_fn=validation_loss,
                    reverse=True,
                    n=1,
                    keep_checkpoints_without_metrics=False,
                )
            )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy(policies),
            best_fn=validation_loss if best else None,
            best_mode="min",
            cleanup_tmp_directories=not read_only,
            todelete_subdir=TRASH,
            create=not read_only,
        )
        try:
            self.manager = self.open(options)
            if not read_only:
                self.empty_trash()
        except OSError as error:
            raise UsageError(
                f"cannot write checkpoints to {self.directory} ({first_line(error)}): "
                "choose a writable `workdir`."
            ) from error

    def open(self, options: ocp.CheckpointManagerOptions) -> ocp.CheckpointManager:
        try:
            return ocp.CheckpointManager(
                self.directory, options=options, item_names=ITEMS
            )
        except ValueError:
            # damaged metrics of one step must not make the other steps unreadable
            options = dataclasses.replace(options, lightweight_initialize=True)
            return ocp.CheckpointManager(
                self.directory, options=options, item_names=ITEMS
            )

    def empty_trash(self) -> None:
        shutil.rmtree(self.directory / TRASH, ignore_errors=True)

    @property
    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        return sorted(self.manager.all_steps())

    @property
    def latest(self) -> int | None:
        """The last step that has a checkpoint."""
        return self.manager.latest_step()

    @property
    def best(self) -> int | None:
        """The step with the lowest validation loss; without validation, the latest."""
        return self.manager.best_step() or self.latest

    def save(
        self, state: TrainState, meta: Mapping[str, Any], valid: float | None = None
    ) -> None:
        """Starts to write `state`. Its buffers may be donated once this returns.

        Args:
          state: the state; its step names the checkpoint.
          meta: JSON that describes the run.
          valid: the validation loss.

        Raises:
          ZooError: this write or the previous one failed.
        """
        step = int(state.step)
        if step in self.steps:
            return
        rest = {
            "opt": by_path(state.opt),
            "rng": jax.random.key_data(state.rng),
            "step": state.step,
        }
        header = {
            "format": FORMAT,
            "step": step,
            "versions": versions(),
            "tensors": tensor_shapes(state),
        }
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(state.params),
            ema=ocp.args.StandardSave(state.ema),
            rest=ocp.args.StandardSave(rest),
            meta=ocp.args.JsonSave({**header, **meta}),
        )
        if valid is None or math.isnan(valid):
            valid = math.inf
        self.wait()
        with self.explain_write_errors(f"cannot save step {step}"):
            self.check_disk_space(state)
            self.manager.save(step, args=items, metrics={BEST: valid})

    def check_disk_space(self, state: TrainState) -> None:
        """Raises OSError, before anything is written, if the disk is too full."""
        needed = sum(
            leaf.nbytes
            for leaf in jax.tree.leaves((state.params, state.ema, state.opt))
        )
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise OSError(
                f"it takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} are free"
            )

    def wait(self) -> None:
        """Blocks until all writes and deletions are complete."""
        with self.explain_write_errors("a save did not finish"):
            self.manager.wait_until_finished()
        self.empty_trash()

    @contextlib.contextmanager
    def explain_write_errors(self, problem: str) -> Iterator[None]:
        """Converts a failed write into a ZooError that names the last good step."""
        try:
            yield
        except WRITE_ERRORS as error:
            # the manager counts the failed step as saved and as replacing another one
            self.manager.reload()
            latest = self.latest
            safe = "nothing was saved before"
            if latest is not None:
                safe = f"step {latest} is safe"
            raise ZooError(
                f"{problem} in {self.directory} ({first_line(error)}); {safe}: free "
                "space or correct the permissions there, and run the same command "
                "again."
            ) from error

    def restore(self, like: TrainState, step: int) -> TrainState:
        """Returns the state of `step`, with the shapes and shardings of `like`.

        Args:
          like: a state of arrays, or of their shapes with shardings.
          step: a step that has a checkpoint.

        Raises:
          UsageError: the tensors of the checkpoint differ from those of `like`.
          ZooError: the checkpoint cannot be read.
        """
        expected = tensor_shapes(like)
        saved = self.meta(step)["tensors"]
        for name in sorted(expected.keys() | saved.keys()):
            if expected.get(name) != saved.get(name):
                raise UsageError(
                    f"{name} has shape {saved.get(name, 'none')} in checkpoint {step} "
                    f"of {self.directory} and shape {expected.get(name, 'none')} in "
                    "this model and optimizer: use the options of that run, or "
                    "another `workdir`."
                )
        key = jax.eval_shape(jax.random.key_data, like.rng)
        key = jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=like.rng.sharding)
        rest = {"opt": by_path(like.opt), "rng": key, "step": like.step}
        items = self.read(
            step,
            params=ocp.args.StandardRestore(like.params),
            ema=ocp.args.StandardRestore(like.ema),
            rest=ocp.args.StandardRestore(rest),
        )
        rest = items["rest"]
        leaves = [rest["opt"][name] for name in by_path(like.opt)]
        return TrainState(
            step=rest["step"],
            params=items["params"],
            opt=jax.tree.unflatten(jax.tree.structure(like.opt), leaves),
            ema=items["ema"],
            rng=jax.random.wrap_key_data(rest["rng"]),
        )

    def meta(self, step: int) -> dict[str, Any]:
        """Returns the JSON that describes a checkpoint.

        Raises:
          ZooError: it cannot be read, or was written by a newer version.
        """
        path = self.directory / str(step)
        meta = self.read(step, meta=ocp.args.JsonRestore())["meta"]
        if not isinstance(meta, dict) or not {"format", "tensors"} <= meta.keys():
            raise ZooError(f"{path} is not a checkpoint of the zoo.")
        if meta["format"] > FORMAT:
            raise ZooError(
                f"{path} has format {meta['format']}, and this version reads formats "
                f"up to {FORMAT}: upgrade music-zoo."
            )
        return meta

    def params(self, like: Params, step: int, item: str = "ema") -> Params:
        """Returns the parameters: averaged (`ema`) or as trained (`params`)."""
        return self.read(step, **{item: ocp.args.StandardRestore(like)})[item]

    def leaves(self, step: int) -> dict[str, np.ndarray]:
        """Returns every averaged parameter by its path, for any family."""
        tree = self.read(step, ema=ocp.args.StandardRestore())["ema"]
        return {name: np.asarray(leaf) for name, leaf in by_path(tree).items()}

    def read(self, step: int, **items: ocp.args.CheckpointArgs) -> Tree:
        try:
            for item in items.keys() - {"meta"}:
                check_index(self.directory / str(step) / item)
            return self.manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax raises many types over a damaged file
            raise self.unreadable(step, error) from error

    def unreadable(self, step: int, error: BaseException) -> ZooError:
        earlier = [s for s in self.steps if s < step]
        advice = "there is no earlier one: start again in another directory."
        if earlier:
            advice = f"set `restore_step={earlier[-1]}` to resume from the one before."
        return ZooError(
            f"checkpoint {step} in {self.directory} cannot be read "
            f"({first_line(error)}); {advice}"
        )

    def delete_after(self, step: int) -> None:
        """Deletes every checkpoint later than `step`."""
        for later in [s for s in self.steps if s > step]:
            self.manager.delete(later)
        self.empty_trash()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        # an error of the block takes precedence over one of closing
        with contextlib.suppress(*[ZooError] if kind else []):
            self.close()


def check_index(item: pathlib.Path) -> None:
    """Reads the index of an item and raises if it is damaged.

    Orbax itself would print a traceback for each tensor.
    """
    base = {"driver": "file", "path": f"{item}/"}
    if not ts.KvStore.open({"driver": "ocdbt", "base": base}).result().list().result():
        raise ValueError(f"{item.name} contains no tensors")


def by_path(tree: Tree) -> dict[str, Any]:
    """Returns the leaves of a tree by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in leaves
    }


def tensor_shapes(state: TrainState) -> dict[str, list[int]]:
    """Returns the shapes of the parameters and of the optimizer state, by path."""
    tree = {"params": state.params, "opt": state.opt}
    return {name: list(leaf.shape) for name, leaf in by_path(tree).items()}


def shapes(tree: Tree, mesh: Mesh | None = None) -> Tree:
    """Returns the shapes and dtypes of `tree`, with shardings, as the form to restore.

    The sharding is replication over `mesh`, or the first local device.
    """
    sharding: jax.sharding.Sharding
    if mesh is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    else:
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype, sharding=sharding), tree
    )
