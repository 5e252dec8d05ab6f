"""One table for all families: what each writes in an arena, beside real music."""

import dataclasses
import functools
import hashlib
import json
import pathlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from zoo.config import write
from zoo.core import (
    AudioAutoencoder,
    Autoregressive,
    Classifier,
    Likelihood,
    NoteLikelihood,
    supports,
)
from zoo.data.codecs.base import Codec
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError, ZooError
from zoo.evaluation.arena import Arena, Excerpts
from zoo.evaluation.excerpt_corruptions import shuffled_bars
from zoo.evaluation.set_metrics import exact_nats, set_metrics
from zoo.evaluation.two_sample import TwoSampleTest, require_groups, some
from zoo.files import written_aside
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.inference.shipped import resolve
from zoo.metrics.bootstrap import ConfidenceInterval
from zoo.train.digests import digests

DRAWN = 32  # pieces drawn at a time
MOST_DRAWN = 8  # pieces drawn for each excerpt that is needed
PATIENCE = 128  # pieces without a single excerpt after which a model is left out
OTHER_REAL = "other real music"
SHUFFLED = "real music, bars shuffled"
Progress = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
      name: the run or the shipped weights; `OTHER_REAL` for the floor.
      family: the class of the model.
      corpus: the corpus of the model, whose held-out pieces it is compared with.
      excerpts: number of excerpts that were written and as many real ones.
      metrics: value and 95 % interval of each column; NaN where there is none.
      reason: why the model is left out, if it is.
    """

    name: str
    family: str = ""
    corpus: str = ""
    _: dataclasses.KW_ONLY
    excerpts: int = 0
    metrics: dict[str, ConfidenceInterval] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def plain(self) -> dict[str, Any]:
        """Returns what `from_plain` reads; NaN is None, as JSON has it."""
        values = {
            name: [None if np.isnan(x) else float(x) for x in interval]
            for name, interval in self.metrics.items()
        }
        return {**vars(self), "metrics": values}

    @classmethod
    def from_plain(cls, fields: dict[str, Any]) -> "Entry":
        """Returns the entry that was written by `plain`."""
        metrics = {
            name: ConfidenceInterval(*(np.nan if x is None else x for x in values))
            for name, values in fields["metrics"].items()
        }
        return cls(**{**fields, "metrics": metrics})


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """An arena, and how models are measured in it.

    Attributes:
      arena: the kind of music.
      pieces: the most excerpts of a model, and of real music.
      seed: seed of the sampling and of the measurement.
      test: the two-sample test.
      accept_licence: agrees to the terms of weights for non-commercial use.
      cache: a folder that keeps what was written and measured; None for nothing.
      progress: is told what is being done.
    """

    arena: Arena
    pieces: int = 1000
    seed: int = 0
    _: dataclasses.KW_ONLY
    test: TwoSampleTest = TwoSampleTest()
    accept_licence: bool = False
    cache: pathlib.Path | None = None
    progress: Progress = lambda text: None

    def entries(self, runs: Sequence[str]) -> Iterator[Entry]:
        """Yields the entry of each run, and one of real music for each corpus."""
        found = []
        for run in runs:
            found.append(self.entry(run))
            yield found[-1]
        corpora = {x.corpus: x for x in found if not x.reason}
        for corpus in dict.fromkeys([*corpora] or [self.arena.corpus]):
            for name in (OTHER_REAL, SHUFFLED):
                make = functools.partial(self.floor, name, corpus)
                real = digest(self.real(corpus).arrays.tobytes())
                yield self.kept(f"{name} {corpus} {real}", make)

    def entry(self, run: str) -> Entry:
        """Returns the entry of a run or of shipped weights, measured once.

        Raises:
          UsageError: there is no such run.
        """
        model = load(run, accept_licence=self.accept_licence)
        name, family = pathlib.Path(run).name, model.name
        if reason := cannot_write(model, self.arena):
            return Entry(name, family, reason=reason)
        spec = model.task.spec()
        self.progress(f"{name}: reading {spec}")
        try:
            real = self.real(spec)
            require_groups("real", real)
        except UsageError as error:
            return Entry(name, family, spec, reason=str(error))
        # other parameters are another model, though it has the name of this
        params = digest(repr(digests(jax.device_get(model.params))).encode())
        key = f"{name} {params} {digest(real.arrays.tobytes())}"
        return self.kept(key, lambda: self.measured(model, run, real=real, key=key))

    def kept(self, key: str, make: Callable[[], Entry]) -> Entry:
        """Returns the entry that the cache keeps under a key, or makes it.

        It is kept unless the model is left out, which may be mended.
        """
        path = self.path(f"{key} {digest(repr(self.test).encode())}", ".json")
        if path is not None and path.exists():
            return Entry.from_plain(json.loads(path.read_text()))
        entry = make()
        if path is not None and not entry.reason:
            write(path, entry.plain())
        return entry

    def path(self, key: str, suffix: str) -> pathlib.Path | None:
        """Returns the file of the cache for a key and this way to measure."""
        if self.cache is None:
            return None
        arena = f"{self.arena.name}-{self.arena.bars}-{self.arena.steps_per_quarter}"
        words = "".join(c if c.isalnum() else "-" for c in key)
        return self.cache / f"{arena}-{self.pieces}-{self.seed}-{words}{suffix}"

    def measured(self, model: Model, run: str, *, real: Excerpts, key: str) -> Entry:
        """Returns the entry of a model, beside `real` excerpts of its corpus."""
        name, spec = pathlib.Path(run).name, model.task.spec()
        try:
            written, rate = self.written(model, name, len(real), key)
            metrics = self.compared(name, spec, written, real)
        except ZooError as error:
            return Entry(name, model.name, spec, reason=str(error))
        metrics["nats"] = exact_nats(model) if exact(model) else NO_VALUE
        metrics["pieces_per_second"] = ConfidenceInterval(rate)
        metrics["parameters"] = ConfidenceInterval(
            float(sum(x.size for x in jax.tree.leaves(model.params)))
        )
        metrics["training_minutes"] = ConfidenceInterval(minutes_of(model, run))
        return Entry(name, model.name, spec, excerpts=len(real), metrics=metrics)

    def floor(self, name: str, spec: str) -> Entry:
        """Returns the entry of real pieces of the train split, `OTHER_REAL`.

        Of `SHUFFLED`, their bars are in random order: a test that does not find this
        has too few excerpts.
        """
        self.progress(f"{name}: reading {spec}")
        real = self.real(spec)
        rng = np.random.default_rng(self.seed)
        other = some(self.arena.real(spec, ("train",)), len(real), rng)
        if name == SHUFFLED:
            arrays = shuffled_bars(self.arena, other.arrays, rng)
            other = dataclasses.replace(other, arrays=arrays)
        metrics = self.compared(name, spec, other, real, copies_of=real)
        count = min(len(real), len(other))
        return Entry(name, "", spec, excerpts=count, metrics=metrics)

    def real(self, spec: str) -> Excerpts:
        """Returns excerpts of the held-out pieces of a corpus."""
        rng = np.random.default_rng(self.seed)
        return some(self.arena.real(spec), self.pieces, rng)

    def compared(
        self,
        name: str,
        spec: str,
        written: Excerpts,
        real: Excerpts,
        *,
        copies_of: Excerpts | None = None,
    ) -> dict[str, ConfidenceInterval]:
        """Returns the metrics of a set of excerpts, beside real ones.

        Args:
          name: for the progress.
          spec: the corpus whose train split may be copied.
          written: excerpts of a model.
          real: excerpts of held-out pieces.
          copies_of: excerpts in which copies are looked for, instead of `written`.
        """
        self.progress(f"{name}: comparing {len(written)} excerpts with {len(real)}")
        training = self.arena.training(spec)
        metrics = set_metrics(
            self.arena,
            written,
            real,
            training=training,
            copies_of=copies_of,
            seed=self.seed,
        )
        self.progress(f"{name}: two-sample test")
        theirs, ours = (
            Excerpts(self.arena.tokens(x.arrays), x.groups) for x in (real, written)
        )
        tested = self.test(theirs, ours, self.arena.steps_per_quarter, self.seed)
        return {"two_sample": tested.accuracy, **metrics}

    def written(
        self,
        model: Model,
        name: str,
        count: int,
        key: str = "",
        *,
        timed: bool = True,
    ) -> tuple[Excerpts, float]:
        """Returns `count` excerpts of a model, and how many it writes in a second.

        The first pieces, with which programs are compiled, are not `timed`; the rate is
        NaN without others. With a `key`, the cache keeps the excerpts.

        Raises:
          ZooError: its pieces have no excerpts, or too few.
        """
        path = self.path(key, ".npz") if key else None
        if path is not None and path.exists():
            kept = np.load(path)
            return Excerpts(kept["arrays"], kept["groups"]), float(kept["rate"])
        pieces: list[NoteSequence] = []
        seconds, found, refused = 0.0, self.arena.excerpts([])[0], Counter[str]()
        while len(found) < count or (timed and len(pieces) <= DRAWN):
            first, began = len(pieces), time.perf_counter()
            seed = (self.seed * 100_000 + first) % 2**32
            pieces += model.sample(DRAWN, seed)
            seconds += (time.perf_counter() - began) * bool(first)
            more, reasons = self.arena.excerpts(pieces[first:])
            refused.update(reasons)
            arrays = [x.arrays for x in (found, more) if len(x)]
            found = Excerpts(
                np.concatenate(arrays) if arrays else found.arrays,
                np.concatenate([found.groups, more.groups + first]),
            )
            self.progress(f"{name}: {min(len(found), count)} of {count} excerpts")
            few = len(pieces) >= PATIENCE and not len(found)
            if few or len(pieces) >= max(PATIENCE, MOST_DRAWN * count):
                break
        if len(found) < count:
            reason = refused.most_common(1)[0][0] if refused else "They are short."
            raise ZooError(
                f"{len(found)} excerpts of {self.arena.bars} bars were in "
                f"{len(pieces)} pieces, and {count} are needed. {reason}"
            )
        share = len(found) / len(pieces) * max(0, len(pieces) - DRAWN)
        rate = share / seconds if seconds else np.nan
        found = found.take(np.arange(count))
        if path is not None:
            with written_aside(path) as aside:
                np.savez_compressed(
                    aside, arrays=found.arrays, groups=found.groups, rate=rate
                )
        return found, rate


NO_VALUE = ConfidenceInterval(np.nan)


def digest(data: bytes) -> str:
    """Returns a short digest of bytes, for the name of a file."""
    return hashlib.blake2b(data, digest_size=4).hexdigest()


def cannot_write(model: Model, arena: Arena) -> str:
    """Returns why a model cannot write music of an arena; "" if it may."""
    if supports(model.family, AudioAutoencoder):
        return "It is a vocoder, which writes no music."
    if supports(model.family, Classifier):
        return "It classifies music, and writes none."
    if model.codec is None or model.task is None:
        return "It records no codec or task, so that it writes no music."
    if model.sampler.accompanies:
        return "It accompanies other tracks, and writes none alone."
    if arena.voices > 1 and model.codec.voices == 1:
        return "It writes one voice."
    if arena.voices == 1 and many_voices(model.codec):
        return "It writes several voices at once."
    if model.codec.beat < arena.steps_per_quarter:
        return (
            f"Its grid divides a quarter by {model.codec.beat}, and that of the arena "
            f"by {arena.steps_per_quarter}."
        )
    return ""


def many_voices(codec: Codec) -> bool:
    """Returns whether pieces of a codec have several notes at once."""
    if codec.voices is not None:
        return codec.voices > 1
    return bool(codec.frame_shape) and not codec.lists_notes


def exact(model: Model) -> bool:
    """Returns whether the likelihood of a family is no bound."""
    return supports(model.family, Likelihood) and any(
        supports(model.family, kind) for kind in (Autoregressive, NoteLikelihood)
    )


def minutes_of(model: Model, run: str) -> float:
    """Returns the minutes of training that a card or a run records; NaN without."""
    recorded = model.about.get("card", {}).get("result")
    file = resolve(run) / "result.json"
    if recorded is None and file.is_file():
        recorded = json.loads(file.read_text())
    seconds = (recorded or {}).get("seconds")
    return np.nan if seconds is None else float(np.mean(seconds)) / 60
