"""The protocol of tasks, and what tasks of music share."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np

from zoo.core import Batch
from zoo.data.codecs.base import Codec, Fit
from zoo.data.corpora.registry import with_metre
from zoo.data.pieces import Pieces
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.listen.gallery import write_gallery

SPLITS = ("train", "validation", "test")
Label = Literal["style", "mode", "metre"]
Process = tuple[int, int]  # the index of this process, and how many there are
T = TypeVar("T", bound="Task")


class Batches(Protocol):
    """Training batches: `batches[i]` is the batch of step `i`."""

    def __getitem__(self, step: int) -> Batch: ...


class Task(Protocol):
    """The data of a model, for training and evaluation: a frozen dataclass of options.

    Attributes:
      SIZES: the fields of a family that the data decide, such as "vocab".
      corpus: the name of the corpus, a folder, or a file.
      batch: rows of a batch, over all devices.
    """

    SIZES: ClassVar[tuple[str, ...]]

    @property
    def corpus(self) -> str: ...

    @property
    def batch(self) -> int: ...

    @property
    def coder(self) -> Any:
        """The codec between pieces and arrays."""

    @property
    def sizes(self) -> Mapping[str, Any]:
        """The values of `SIZES`, as far as they are known."""

    def minima(self, corpus: str | None = None) -> Mapping[str, int]:
        """Returns the least values that fields of a family need, such as "slots".

        Args:
          corpus: another corpus or file than the task's.
        """

    def data_digest(self) -> str:
        """Returns a digest of the data to train on, by which a run knows them."""

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> Batches:
        """Returns training batches without end."""

    def eval_batches(
        self,
        split: str,
        *,
        corpus: str | None = None,
        batch: int | None = None,
        process: Process = (0, 1),
    ) -> Iterable[Batch]:
        """Returns the batches of a split, with every piece in it once.

        Args:
          split: "train", "validation" or "test".
          corpus: another corpus or file than the task's.
          batch: rows of a batch; the task's by default.
          process: the part of each batch that is returned.
        """

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        """Returns the real pieces of a split, no longer than `length` steps.

        They are what a model of the task would write: whole pieces, or phrases.
        """

    def fit_primer(self, piece: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        """Encodes a piece that is to be continued, or that lacks the voices `missing`.

        The remarks say what was changed or left out.

        Raises:
          UsageError: the piece does not fit the codec.
        """

    def write_page(
        self, model: Any, folder: pathlib.Path, n: int, *, seed: int, title: str
    ) -> None:
        """Writes a page of what a model makes, with real examples beside."""


class MusicTask:
    """Defaults of the tasks whose models write music."""

    def minima(self, corpus: str | None = None) -> Mapping[str, int]:
        return {}

    corpus: str
    metre: str
    transpose: int = 0  # semitones, at most, at random in training

    def spec(self, corpus: str | None = None) -> str:
        """Returns `corpus`; if it is None or the task's, that with the task's metre."""
        if corpus not in (None, self.corpus):
            return corpus
        return with_metre(self.corpus, self.metre)

    @property
    def training_pieces(self: Any) -> Pieces:
        """The encoded pieces that rows are cut from."""
        return self.pieces("train")

    def data_digest(self: Any) -> str:
        return self.training_pieces.digest

    def fit_primer(self: Any, piece: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        with refusals(self.coder):
            return self.coder.fit_primer(piece, missing)

    def write_page(
        self: Any, model: Any, folder: pathlib.Path, n: int, *, seed: int, title: str
    ) -> None:
        if n:
            real = [self.coder.decode(piece) for piece in self.examples("test")[:3]]
            write_gallery(model.sample(n, seed), folder, title=title, real=real)


@contextlib.contextmanager
def refusals(codec: Codec) -> Iterator[None]:
    """Turns a codec's refusal of a piece into a UsageError."""
    try:
        yield
    except Refused as refused:
        name = type(codec).__name__
        fact, semicolon, _ = str(refused).partition("; add it to the codec")
        advice = "; it needs a model of its own." if semicolon else ""
        message = f"the piece does not fit the {name} codec: {fact}{advice}"
        raise UsageError(message) from refused


def bound(task: T, **values: Any) -> T:
    """Returns the task with cached properties that are known already.

    A restored task keeps the codec of its checkpoint, and need not open its corpus.
    """
    copy = dataclasses.replace(task)  # type: ignore[type-var]
    vars(copy).update(values)
    return copy


def cached_method(method: Callable[..., Any]) -> Any:
    """Caches what a method returns in its instance, by the arguments."""

    @functools.wraps(method)
    def cached(self: Any, *args: Any, **kwargs: Any) -> Any:
        cache = vars(self).setdefault(f"_{method.__qualname__}", {})
        key = args, tuple(sorted(kwargs.items()))
        if key not in cache:
            cache[key] = method(self, *args, **kwargs)
        return cache[key]

    return cached
