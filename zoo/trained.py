"""A trained model: what `zoo.load` returns and what samples, scores and evaluates from then on."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh

from zoo.core import BOUNDARY, Family, Params
from zoo.data.codecs.base import Codec
from zoo.errors import UsageError, ZooError
from zoo.nn.decode import Draw
from zoo.record import restore
from zoo.train.checkpoint import Checkpoints, shapes

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

WEIGHTS = pathlib.Path(__file__).parent / "weights"


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A family, its parameters, and the codec that turns its tokens into music."""

    family: Family
    params: Params
    codec: Codec
    about: dict[str, Any]  # what the checkpoint says of itself

    @functools.cached_property
    def compiled(self) -> Callable[..., jax.Array]:
        return jax.jit(self.family.sample, static_argnames=("n", "length", "draw"))

    def tokens(
        self,
        n: int,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draws int32 [n, length]: row i is a function of the seed, i and what it is drawn by."""
        rng = jax.random.key(seed)
        return np.asarray(
            self.compiled(self.params, rng, n=n, length=length, draw=draw, primer=primer)
        )

    def sample(
        self,
        n: int = 8,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: "NoteSequence | None" = None,
    ) -> "list[NoteSequence]":
        """Writes `n` pieces, none empty, each going on from `primer` where one is given.

        Raises ZooError where most of what the model writes is silence.
        """
        if n < 1:
            raise UsageError(f"{n} pieces were asked for: ask for at least one.")
        begin = None if primer is None else self.prime(primer, length)
        for rows in (n, 2 * n, 8 * n):  # row i does not depend on how many there are
            tokens = self.tokens(rows, seed, length=length, draw=draw, primer=begin)
            pieces = [self.codec.decode(row) for row in tokens]
            if len(pieces := [piece for piece in pieces if piece.notes]) >= n:
                return pieces[:n]
        raise ZooError("the model writes pieces without notes: train it for longer.")

    def prime(self, primer: "NoteSequence", length: int | None) -> np.ndarray:
        """The events of `primer`, without its end. Raises Refused, or UsageError where too long."""
        events = self.codec.encode(primer)
        events = events[: int((events != BOUNDARY).cumprod().sum())]
        room = length or getattr(self.family, "length", None)
        if room is not None and len(events) >= room:
            raise UsageError(
                f"the primer has {len(events)} events and a piece of {room} was asked for: "
                f"give a shorter primer, or --length {len(events) + 256}."
            )
        return events


def resolve(name: str | pathlib.Path) -> pathlib.Path:
    """The directory of a run, or of the weights that ship under that name."""
    for path in (pathlib.Path(name), WEIGHTS / str(name)):
        if (path / "checkpoints").is_dir():
            return path
    shipped = ", ".join(weights()) or "none"
    raise UsageError(
        f"there is no run at {name}: give a directory that training has written, "
        f"or the name of shipped weights ({shipped})."
    )


def weights() -> list[str]:
    """The names of the weights that ship with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/checkpoints"))


def load(
    path: str | pathlib.Path,
    *,
    step: int | None = None,
    known: tuple[type, ...] = (),
    mesh: Mesh | None = None,
) -> Trained:
    """The model of a run directory or of shipped weights, at its best step unless told otherwise.

    The checkpoint holds all that is needed: family, codec and averaged parameters. `known` are
    classes of yours that it may name. The parameters are put on one device, or on all of `mesh`.
    """
    checkpoints = Checkpoints(resolve(path), read_only=True)
    try:
        chosen = checkpoints.best if step is None else step
        if chosen not in checkpoints.steps:
            there = ", ".join(map(str, checkpoints.steps)) or "none"
            raise UsageError(f"there is no checkpoint {step} in {path}: it has {there}.")
        about = checkpoints.meta(chosen)
        family, codec = restore(about["family"], known), restore(about["codec"], known)
        like = shapes(jax.eval_shape(family.init, jax.random.key(0), family.example(1)), mesh)
        return Trained(family, checkpoints.params(like, chosen), codec, about)
    finally:
        checkpoints.close()
