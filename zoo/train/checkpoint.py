"""Self-describing checkpoints, written asynchronously and atomically with Orbax.

A checkpoint has four items, so that a reader loads only what it needs: `params`, `ema`,
`rest` (optimizer state, key and step) and `meta` (JSON: format, family, codec,
configuration and versions). Every array has a digest in `meta`, and so has `meta`
itself; they are checked on reading. Orbax writes a step to a temporary directory and
renames it. A step to be deleted is renamed first. A killed process therefore never
leaves a partial checkpoint.
"""

import contextlib
import dataclasses
import errno
import logging
import math
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from zoo.core import Params, Tree
from zoo.errors import UsageError, ZooError
from zoo.train.digests import Damaged, check_digests, digests
from zoo.train.meta import FORMAT, as_json, check_meta, versions
from zoo.train.step import TrainState
from zoo.train.trees import by_path, require_shapes, tensor_shapes

ITEMS = ("params", "ema", "rest", "meta")
BEST = "valid"  # the metric that the best checkpoint minimises
TRASH = "deleted"  # directory of steps to be deleted
WRITE_ERRORS = (ValueError, KeyError, TypeError, OSError, RuntimeError)
# Orbax logs errors with the traceback of every thread; they are raised as well
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
# replicas share the writing of large tensors; splitting a small one is slower
ocp.type_handlers.register_type_handler(
    jax.Array,
    ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=2**20),
    override=True,
)


def validation_loss(metrics: Mapping[str, float]) -> float:
    """Returns the loss that the best checkpoint minimises."""
    return metrics.get(BEST, math.inf)


def reason(error: BaseException, otherwise: str) -> str:
    """Returns why files could not be read or written, in words of the system.

    Libraries pass errors of the system on as text; all else that they say is about
    themselves, and is replaced by `otherwise`.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED: Out of mem" in text:
        return "there is not enough memory"
    known = (os.strerror(number) for number in errno.errorcode)
    return next((words for words in known if words in text), otherwise)


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
                f"cannot write checkpoints to {self.directory} ("
                f"{reason(error, 'it cannot be opened')}): choose a writable `workdir`."
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
        losses = {}
        for step in self.steps:
            with contextlib.suppress(ZooError):
                losses[step] = self.meta(step).get("valid")
        if len(losses) < len(self.steps) or None in losses.values():
            return self.manager.best_step() or self.latest  # 0.1 has no other record
        return min(losses, key=lambda step: (losses[step], -step), default=None)

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
        if valid is None or math.isnan(valid):
            valid = math.inf
        items = {"params": state.params, "ema": state.ema, "rest": rest}
        header = {
            "format": FORMAT,
            "step": step,
            "versions": versions(),
            "tensors": tensor_shapes(params=state.params, opt=state.opt),
            "valid": valid,
        }
        header = as_json({**header, **meta, "digests": digests(items)})
        arguments = {name: ocp.args.StandardSave(item) for name, item in items.items()}
        arguments["meta"] = ocp.args.JsonSave(header)
        self.wait()
        with self.explain_write_errors(f"cannot save step {step}"):
            self.check_disk_space(state)
            self.manager.save(
                step, args=ocp.args.Composite(**arguments), metrics={BEST: valid}
            )

    def check_disk_space(self, state: TrainState) -> None:
        """Raises OSError, before anything is written, if the disk is too full."""
        needed = sum(
            leaf.nbytes
            for leaf in jax.tree.leaves((state.params, state.ema, state.opt))
        )
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            sizes = f"it takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} are free"
            raise OSError(errno.ENOSPC, sizes)

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
                f"{problem} in {self.directory} ("
                f"{reason(error, 'its files could not be written')}); {safe}: free "
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
        self.check_shapes(step, tensor_shapes(params=like.params, opt=like.opt))
        key = jax.eval_shape(jax.random.key_data, like.rng)
        key = jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=like.rng.sharding)
        rest = {"opt": by_path(like.opt), "rng": key, "step": like.step}
        items = self.arrays(
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

    def check_shapes(self, step: int, expected: Mapping[str, list[int]]) -> None:
        """Raises UsageError unless the checkpoint has tensors of these shapes."""
        place = f"checkpoint {step} of {self.directory}"
        require_shapes(self.meta(step)["tensors"], expected, place)

    def meta(self, step: int) -> dict[str, Any]:
        """Returns the JSON that describes a checkpoint.

        Raises:
          ZooError: it cannot be read, or was written by a newer version.
        """
        meta = self.read(step, meta=ocp.args.JsonRestore())["meta"]
        try:
            return check_meta(meta, self.directory / str(step))
        except Damaged as error:
            raise self.unreadable(step, str(error)) from error

    def params(self, like: Params, step: int, item: str = "ema") -> Params:
        """Returns the parameters: averaged (`ema`) or as trained (`params`).

        Raises:
          UsageError: the tensors of the checkpoint differ from those of `like`.
          ZooError: the checkpoint cannot be read.
        """
        self.check_shapes(step, tensor_shapes(params=like))
        return self.arrays(step, **{item: ocp.args.StandardRestore(like)})[item]

    def leaves(self, step: int) -> dict[str, np.ndarray]:
        """Returns every averaged parameter by its path, for any family."""
        tree = self.arrays(step, ema=ocp.args.StandardRestore())["ema"]
        return {name: np.asarray(leaf) for name, leaf in by_path(tree).items()}

    def arrays(self, step: int, **items: ocp.args.CheckpointArgs) -> Tree:
        """Returns items of arrays, if they have their digests.

        Checkpoints of version 0.1 have none, and are read as they are.
        """
        recorded = self.meta(step).get("digests")
        trees = self.read(step, **items)
        if recorded is not None:
            try:
                check_digests({name: trees[name] for name in items}, recorded)
            except Damaged as error:
                raise self.unreadable(step, str(error)) from error
        return trees

    def read(self, step: int, **items: ocp.args.CheckpointArgs) -> Tree:
        try:
            for item in items.keys() - {"meta"}:
                check_index(self.directory / str(step) / item)
            return self.manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax raises many types over a damaged file
            why = reason(error, "its files are damaged or incomplete")
            raise self.unreadable(step, why) from error

    def unreadable(self, step: int, why: str) -> ZooError:
        earlier = [s for s in self.steps if s < step]
        advice = "there is no earlier one: start again in another directory."
        if earlier:
            advice = f"set `restore_step={earlier[-1]}` to resume from the one before."
        return ZooError(
            f"checkpoint {step} in {self.directory} cannot be read ({why}); {advice}"
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
