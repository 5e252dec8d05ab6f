"""Saved models, from a run or a file of weights: a record and parameters."""

import contextlib
import pathlib
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from zoo.core import Params
from zoo.errors import UsageError, ZooError
from zoo.train.weights import SUFFIX, WeightFile


class Saved(Protocol):
    """A model that was saved."""

    @property
    def about(self) -> Mapping[str, Any]:
        """The record of the model."""

    def params(self, like: Params) -> Params:
        """Returns the averaged parameters, in the form of `like`."""

    def leaves(self) -> dict[str, np.ndarray]:
        """Returns every averaged parameter by its path, for any family."""

    def extras(self) -> dict[str, np.ndarray]:
        """Returns the other arrays of the model by name."""


@contextlib.contextmanager
def opened(path: pathlib.Path, step: int | None = None) -> Iterator[Saved]:
    """Yields the model of a run, or of a file of weights.

    Args:
      path: the directory, or the file.
      step: the step of a checkpoint; by default the best one.

    Raises:
      UsageError: there is no such step.
      ZooError: there is no checkpoint, or it cannot be read.
    """
    if path.suffix == SUFFIX:
        file = WeightFile(path)
        require_step(path, step, [file.about.get("step", 0)])
        yield file
        return
    from zoo.train.checkpoint import Checkpoints  # Orbax is slow to import

    with Checkpoints(path, read_only=True) as checkpoints:
        require_step(path, step, checkpoints.steps)
        chosen = checkpoints.best if step is None else step
        if chosen is None:
            raise ZooError(
                f"{path} has no checkpoint: choose a run that has saved one."
            )
        yield CheckpointAt(checkpoints, chosen)


def require_consent(name: str, about: Mapping[str, Any], accepted: bool) -> None:
    """Raises UsageError if terms of a model must be agreed to, and were not."""
    card = about.get("card")
    if not accepted and isinstance(card, dict) and card.get("non_commercial"):
        raise UsageError(
            f"{name} is for non-commercial use only, as is the music that it was "
            f"trained on ({card.get('corpus')}): give `accept_licence` to agree."
        )


def require_step(path: pathlib.Path, step: int | None, steps: list[int]) -> None:
    """Raises UsageError if a step is requested that a saved model does not have."""
    if step is not None and step not in steps:
        there = ", ".join(map(str, steps)) or "none"
        raise UsageError(f"there is no checkpoint {step} in {path}: it has {there}.")


class CheckpointAt:
    """A checkpoint of a run at one step."""

    def __init__(self, checkpoints: Any, step: int):
        self.checkpoints, self.step = checkpoints, step
        self.about = checkpoints.meta(step)

    def params(self, like: Params) -> Params:
        return self.checkpoints.params(like, self.step)

    def leaves(self) -> dict[str, np.ndarray]:
        return self.checkpoints.leaves(self.step)

    def extras(self) -> dict[str, np.ndarray]:
        return read_extras(self.checkpoints.directory.parent)


def read_extras(run: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of the npz files of a run, by `FILE/NAME`.

    Raises:
      ZooError: one of the files is damaged.
    """
    extras = {}
    for path in sorted(run.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                extras.update({f"{path.stem}/{name}": arrays[name] for name in arrays})
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ZooError(
                f"{path} is damaged: delete it, or take a copy that is whole."
            ) from error
    return extras
