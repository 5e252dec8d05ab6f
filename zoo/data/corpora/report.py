"""What a corpus turned out to hold: what was kept, what was dropped and why.

Reports of parts add up to the report of the whole, in any order and grouping, so that workers can
count apart.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table

from zoo.data.proto import NoteSequence, metres, quarters
from zoo.data.refusal import Refused
from zoo.errors import ZooError

EXAMPLES = 3  # names shown for each reason
NONE: Mapping[str, int] = {}


class Codec(Protocol):
    """Whatever takes a sequence or raises Refused (see zoo.data.codecs)."""

    def fit(self, sequence: NoteSequence) -> Any: ...


class Piece(Protocol):
    """Whatever has a name and a sequence: `zoo.data.corpora.build.Record` for one."""

    @property
    def id(self) -> str: ...

    @property
    def sequence(self) -> NoteSequence: ...


@dataclass
class Drops:
    """How often each reason was given, with the first few names in order and a sentence each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, name: str, refused: Refused) -> None:
        self.counts[refused.reason] += 1
        self._merge(refused.reason, [(name, refused.detail)])

    def __add__(self, other: Self) -> "Drops":
        total = Drops(self.counts + other.counts)
        for part in (self, other):
            for reason, examples in part.examples.items():
                total._merge(reason, examples)
        return total

    def _merge(self, reason: str, examples: list[tuple[str, str]]) -> None:
        both = self.examples.get(reason, []) + [
            (name, detail) for name, detail in examples
        ]
        self.examples[reason] = sorted(both)[:EXAMPLES]

    @property
    def top(self) -> tuple[str, int, str]:
        """The most frequent reason, its count, and the sentence of its first example."""
        reason = min(self.counts, key=lambda r: (-self.counts[r], r))
        name, detail = self.examples[reason][0]
        return reason, self.counts[reason], f"{name}: {detail}"


@dataclass
class Report:
    """The contents of a corpus. Durations are in seconds, pitches in MIDI semitones."""

    spec: str = ""
    kept: Counter[str] = field(default_factory=Counter)  # by source
    dropped: dict[str, Drops] = field(default_factory=dict)  # by source
    styles: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    metres: Counter[str] = field(
        default_factory=Counter
    )  # pieces that have each time signature
    remarks: Counter[str] = field(
        default_factory=Counter
    )  # what was left out of pieces kept, or mended
    pitches: Counter[int] = field(
        default_factory=Counter
    )  # notes of each pitch, percussion aside
    milliseconds: int = 0  # of music; whole, so that sums do not depend on their order
    licences: dict[str, str] = field(default_factory=dict)  # by source
    refusals: dict[str, Drops] = field(default_factory=dict)  # by codec
    limits: dict[str, float] = field(
        default_factory=dict
    )  # under which files were read
    build_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Length of all the music kept."""
        return self.milliseconds / 1000

    @property
    def reasons(self) -> Drops:
        """The drops of all sources together."""
        return sum(self.dropped.values(), Drops())

    def keep(
        self,
        source: str,
        style: str,
        sequence: NoteSequence,
        remarks: Mapping[str, int] = NONE,
    ) -> None:
        self.kept[source] += 1
        self.styles[style] += 1
        self.remarks.update(remarks)
        self.milliseconds += round(1000 * sequence.total_time)
        self.metres.update(_metres(sequence))
        self.pitches.update(note.pitch for note in sequence.notes if not note.is_drum)

    def drop(self, source: str, name: str, refused: Refused) -> None:
        self.dropped.setdefault(source, Drops()).add(name, refused)

    def __add__(self, other: Self) -> "Report":
        """The report of both parts together; associative and commutative."""

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

    def with_codec(self, codec: Codec, pieces: Iterable[Piece]) -> "Report":
        """This report with what `codec` would refuse of `pieces`, under the name of its class."""
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
        """Raises ZooError, with the commonest reason and what to change, where nothing was kept."""
        if self.kept.total():
            return
        if not self.dropped:
            raise ZooError(
                f"The corpus {self.spec} holds no music: its files are all empty."
            )
        reason, count, example = self.reasons.top
        raise ZooError(
            f"Nothing in {self.spec} could be kept: {count} of {self.reasons.counts.total()} "
            f"pieces were dropped as {reason}, such as {example}"
        )

    def save(self, path: Path) -> None:
        """Write JSON at `path`."""
        path.write_text(json.dumps(self.to_json(), indent=1, sort_keys=True))

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        drops = {
            name: {k: vars(d) for k, d in getattr(self, name).items()} for name in DROPS
        }
        return {**vars(self), **drops}

    @classmethod
    def load(cls, path: Path) -> "Report":
        return cls.from_json(json.loads(path.read_text()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """The inverse of `to_json`, whether or not it passed through text."""
        values = dict(data)
        for name in COUNTERS:
            values[name] = Counter(values[name])
        values["pitches"] = Counter({int(k): v for k, v in data["pitches"].items()})
        for name in DROPS:
            values[name] = {
                key: Drops(
                    Counter(drops["counts"]),
                    {k: [(n, d) for n, d in v] for k, v in drops["examples"].items()},
                )
                for key, drops in data[name].items()
            }
        return cls(**values)

    def print(self, console: Console | None = None) -> None:
        (console or Console()).print(self)

    def __rich__(self) -> RenderableType:
        tables = [self._sources(), self._contents()]
        for name, drops in {"dropped": self.reasons, **self._codec_drops()}.items():
            if drops.counts:
                tables.append(_reasons(name, drops))
        return Group(
            *tables, *(f"{name}: {text}" for name, text in self.licences.items())
        )

    def _codec_drops(self) -> dict[str, Drops]:
        return {f"{name} would refuse": drops for name, drops in self.refusals.items()}

    def _sources(self) -> Table:
        table = Table("source", "kept", "dropped", "kept %", title=f"{self.spec}")
        for source in sorted(self.kept.keys() | self.dropped.keys()):
            kept, dropped = (
                self.kept[source],
                self.dropped.get(source, Drops()).counts.total(),
            )
            table.add_row(
                source,
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
                table.add_row(
                    name, ", ".join(f"{k} {n:,}" for k, n in counts.most_common(12))
                )
        return table


COUNTERS = ("kept", "styles", "splits", "metres", "remarks")
DROPS = ("dropped", "refusals")


def _metres(sequence: NoteSequence) -> set[str]:
    """Its time signatures, but for those of a single bar: pickups and bars of irregular length."""
    if not sequence.time_signatures:
        return {"none"}
    found = metres(sequence)
    end = float(quarters(sequence)(np.array(sequence.total_time)))
    ends = [metre.start for metre in found[1:]] + [max(end, found[-1].start)]
    lasting = [
        m for m, stop in zip(found, ends, strict=True) if stop - m.start > 1.01 * m.bar
    ]
    return {f"{m.numerator}/{m.denominator}" for m in lasting or found}


def _reasons(title: str, drops: Drops) -> Table:
    table = Table(title, "pieces", "for example")
    for reason, count in drops.counts.most_common():
        name, detail = drops.examples[reason][0]
        table.add_row(reason, f"{count:,}", f"{name}: {detail}"[:160])
    return table
