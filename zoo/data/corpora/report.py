"""Reports of corpora: the pieces kept, and the pieces dropped with reasons.

Addition of reports is associative and commutative, so that each chunk has its own.
"""

import bisect
import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table

from zoo.data.proto import NoteSequence, metres, quarters
from zoo.data.refusal import Refused
from zoo.errors import ZooError, as_cell, printable

MAX_DETAIL = 160  # characters of a detail in a table
NO_REMARKS: Mapping[str, int] = {}


class SequenceCodec(Protocol):
    """A codec of sequences (see `zoo.data.codecs`); `fit` raises Refused."""

    def fit(self, sequence: NoteSequence) -> Any: ...


class NamedSequence(Protocol):
    """A sequence with a name, such as `zoo.data.corpora.records.Record`."""

    @property
    def id(self) -> str: ...

    @property
    def sequence(self) -> NoteSequence: ...


@dataclass
class Drops:
    """Refusals by reason: their counts, and the name and detail of every piece."""

    counts: Counter[str] = field(default_factory=Counter)
    pieces: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, name: str, refused: Refused) -> None:
        self.counts[refused.reason] += 1
        pieces = self.pieces.setdefault(refused.reason, [])
        bisect.insort(pieces, (name, refused.detail))

    def __add__(self, other: Self) -> "Drops":
        pieces = {
            reason: sorted(self.pieces.get(reason, []) + other.pieces.get(reason, []))
            for reason in {**self.pieces, **other.pieces}
        }
        return Drops(self.counts + other.counts, pieces)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Yields the reason, name and detail of every piece."""
        for reason in sorted(self.pieces):
            for name, detail in self.pieces[reason]:
                yield reason, name, detail

    @property
    def most_frequent(self) -> tuple[str, int, str]:
        """The most frequent reason, its count, and its first piece."""
        reason = min(self.counts, key=lambda r: (-self.counts[r], r))
        name, detail = self.pieces[reason][0]
        return reason, self.counts[reason], f"{name}: {detail}"


@dataclass
class Report:
    """The contents of a corpus.

    Attributes:
      spec: the corpus.
      kept: pieces by source.
      dropped: refusals by source.
      styles: pieces by style; excerpts, for audio.
      splits: pieces by split; excerpts, for audio.
      metres: pieces by time signature.
      remarks: counts of what was left out of the pieces kept, or corrected.
      pitches: notes by MIDI number, without drums.
      milliseconds: duration of the music. An integer, so that sums are independent of
        their order.
      licences: licences by source.
      refusals: refusals by codec, of the pieces kept.
      notices: sentences about the corpus for the user.
      limits: limits under which files were read.
      build_seconds: time of the build.
    """

    spec: str = ""
    kept: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Drops] = field(default_factory=dict)
    _: KW_ONLY
    styles: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    metres: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    pitches: Counter[int] = field(default_factory=Counter)
    milliseconds: int = 0
    licences: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, Drops] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    build_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Duration of the music kept."""
        return self.milliseconds / 1000

    @property
    def reasons(self) -> Drops:
        """The drops of all sources."""
        return sum(self.dropped.values(), Drops())

    def keep(
        self,
        source: str,
        style: str,
        sequence: NoteSequence,
        remarks: Mapping[str, int] = NO_REMARKS,
    ) -> None:
        """Counts a piece that is kept."""
        self.kept[source] += 1
        self.styles[style] += 1
        self.remarks.update(remarks)
        self.milliseconds += round(1000 * sequence.total_time)
        self.metres.update(_metres(sequence))
        self.pitches.update(note.pitch for note in sequence.notes if not note.is_drum)

    def drop(self, source: str, name: str, refused: Refused) -> None:
        """Counts a piece that is refused."""
        self.dropped.setdefault(source, Drops()).add(name, refused)

    def __add__(self, other: Self) -> "Report":
        """Returns the report of both together."""

        def total(name: str) -> Any:
            ours, theirs = getattr(self, name), getattr(other, name)
            if isinstance(ours, dict) and not isinstance(ours, Counter):
                shared = {
                    k: ours[k] + theirs[k]
                    for k in ours.keys() & theirs.keys()
                    if name in DROPS
                }
                return {**theirs, **ours, **shared}
            return max(ours, theirs) if name == "spec" else ours + theirs

        return Report(**{f.name: total(f.name) for f in dataclasses.fields(self)})

    def with_codec(
        self, codec: SequenceCodec, pieces: Iterable[NamedSequence]
    ) -> "Report":
        """Returns the report with the refusals of `codec` added."""
        drops = Drops()
        for piece in pieces:
            try:
                codec.fit(piece.sequence)
            except Refused as refused:
                drops.add(piece.id, refused)
        return dataclasses.replace(
            self, refusals={**self.refusals, type(codec).__name__: drops}
        )

    def require_music(self) -> None:
        """Raises ZooError, with the most frequent reason, if no piece was kept."""
        if self.kept.total():
            return
        if not self.dropped:
            raise ZooError(
                f"The corpus {self.spec} contains no music: all of its files are empty."
            )
        reason, count, example = self.reasons.most_frequent
        raise ZooError(
            f"No piece of {self.spec} could be kept: {count} of "
            f"{self.reasons.counts.total()} pieces were dropped as {reason}, such as "
            f"{example}"
        )

    def save(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.write_text(json.dumps(self.to_json(), indent=1, sort_keys=True))

    def to_json(self) -> dict[str, Any]:
        """Converts the report to plain dictionaries, lists and numbers."""
        drops = {
            name: {k: vars(d) for k, d in getattr(self, name).items()} for name in DROPS
        }
        return {**vars(self), **drops}

    @classmethod
    def load(cls, path: Path) -> "Report":
        """Reads a report that `save` wrote."""
        return cls.from_json(json.loads(path.read_text()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """Inverts `to_json`, also after serialisation to text."""
        values = dict(data)
        for name in COUNTERS:
            values[name] = Counter(values[name])
        values["pitches"] = Counter({int(k): v for k, v in data["pitches"].items()})
        for name in DROPS:
            values[name] = {
                key: Drops(
                    Counter(drops["counts"]),
                    {k: [(n, d) for n, d in v] for k, v in drops["pieces"].items()},
                )
                for key, drops in data[name].items()
            }
        return cls(**values)

    def print(self, console: Console | None = None) -> None:
        """Prints the report as tables."""
        (console or Console()).print(self)

    def list_drops(self) -> Iterator[str]:
        """Yields a line for every piece that is dropped, or a codec would refuse."""
        for title, drops in {"dropped": self.reasons, **self._codec_drops()}.items():
            for reason, name, detail in drops:
                yield printable(f"{title} as {reason}: {name}: {detail}")

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._sources(), self._contents()]
        for name, drops in {"dropped": self.reasons, **self._codec_drops()}.items():
            if drops.counts:
                parts.append(_reasons(name, drops))
        parts += [as_cell(text) for text in self.notices]
        parts += [as_cell(f"{name}: {text}") for name, text in self.licences.items()]
        return Group(*parts)

    def _codec_drops(self) -> dict[str, Drops]:
        return {f"{name} would refuse": drops for name, drops in self.refusals.items()}

    def _sources(self) -> Table:
        table = Table("source", "kept", "dropped", "kept %", title=as_cell(self.spec))
        for source in sorted(self.kept.keys() | self.dropped.keys()):
            kept, dropped = (
                self.kept[source],
                self.dropped.get(source, Drops()).counts.total(),
            )
            table.add_row(
                as_cell(source),
                f"{kept:,}",
                f"{dropped:,}",
                f"{100 * kept / (kept + dropped):.1f}",
            )
        return table

    def _contents(self) -> Table:
        table = Table("", "", show_header=False)
        hours = self.seconds / 3600
        table.add_row(
            "music", f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
        )
        if self.pitches:
            table.add_row("pitches", f"{min(self.pitches)} to {max(self.pitches)}")
        for name in ("styles", "splits", "metres", "remarks"):
            counts: Counter[str] = getattr(self, name)
            if counts:
                most = ", ".join(f"{k} {n:,}" for k, n in counts.most_common(12))
                table.add_row(name, as_cell(most))
        return table


COUNTERS = ("kept", "styles", "splits", "metres", "remarks")
DROPS = ("dropped", "refusals")


def _metres(sequence: NoteSequence) -> set[str]:
    """Returns the time signatures that last for more than one bar."""
    if not sequence.time_signatures:
        return {"none"}
    changes = metres(sequence)
    end = float(quarters(sequence)(np.array(sequence.total_time)))
    stops = [metre.start for metre in changes[1:]] + [max(end, changes[-1].start)]
    longer = [
        metre
        for metre, stop in zip(changes, stops, strict=True)
        if stop - metre.start > 1.01 * metre.bar
    ]
    return {f"{metre.numerator}/{metre.denominator}" for metre in longer or changes}


def _reasons(title: str, drops: Drops) -> Table:
    table = Table(title, "pieces", "for example")
    for reason, count in drops.counts.most_common():
        name, detail = drops.pieces[reason][0]
        example = as_cell(f"{name}: {detail}"[:MAX_DETAIL])
        table.add_row(as_cell(reason), f"{count:,}", example)
    return table
