"""Every corpus of scores as one of sound: each piece played by a SoundFont, with what is played.

An excerpt's notes are those that sound in it, in its own seconds, so that sound and score are
aligned to the sample. Splits are those of the corpus.
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import tensorflow_datasets as tfds

from zoo.data.audio.excerpt_spec import Cutting
from zoo.data.audio.recordings import quantised
from zoo.data.audio.soundfont_notes import PLAYED
from zoo.data.corpora import build
from zoo.data.corpora.dedup import SPLITS
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.records import Split
from zoo.data.corpora.registry import Corpus, corpus
from zoo.data.corpora.report import Report
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import ZooError
from zoo.soundfont import bank as sf
from zoo.soundfont.score import MAX_SECONDS, render


@dataclasses.dataclass(frozen=True)
class Rendered(Cutting):
    """The corpus `of`, by `soundfont`, or by the General MIDI set that pretty_midi ships."""

    of: str
    soundfont: Path | None = None

    @property
    def spec(self) -> str:
        return f"rendered:{self.scores.spec}"

    @cached_property
    def scores(self) -> Corpus:
        return corpus(self.of)

    @property
    def features(self) -> Mapping[str, Any]:
        return {
            "notes": tfds.features.Scalar(
                dtype=np.object_, doc="A serialized NoteSequence."
            )
        }

    def home(self, root: Path) -> Path:
        """The directory of all that is built of it; another one whenever a score changes."""
        font = hashlib.blake2b(
            sf.path(self.soundfont).read_bytes(), digest_size=4
        ).hexdigest()
        return root / f"rendered-{self.scores.key}-{self.rate}-{self.length}-{font}"

    def gathered(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """What there is: excerpts in which a note begins or goes on."""
        root = staging.parents[1]
        read = build.build(self.of, root, workers=workers, progress=progress)
        report = Report(spec=self.spec, licences=read.licences)
        shards = {}
        for split in SPLITS:
            if not read.splits[split]:
                continue
            records = build.open_split(self.of, split, root)
            chosen = [
                (number, sounding)
                for number, record in enumerate(records)
                if (
                    sounding := self.sounding(
                        record.sequence, record.id, record.source, report
                    )
                )
            ]
            count = sum(len(numbers) for _, numbers in chosen)
            report.splits[split] = count
            report.milliseconds += round(1000 * self.seconds * count)
            for number, numbers in chosen:
                report.styles[records[number].style] += len(numbers)
            shards[split] = [
                Shard(self, records, some) for some in self.by_file(chosen, count)
            ]
        report.require_music()
        return report, shards

    def sounding(
        self, sequence: NoteSequence, key: str, source: str, report: Report
    ) -> tuple[int, ...]:
        """The numbers of a piece's excerpts in which there are notes; none where it is refused."""
        times = [
            (note.start_time, note.end_time) for note in sequence.notes if note.velocity
        ]
        if max((end for _, end in times), default=0.0) > MAX_SECONDS:
            report.drop(
                source, key, Refused("long", "It lasts more than an hour; divide it.")
            )
            return ()
        if not times:
            report.drop(source, key, Refused("silent", "It has no note that sounds."))
            return ()
        report.kept[source] += 1
        first, last = (
            (lambda a: int(a / self.seconds)),
            lambda b: math.ceil(b / self.seconds),
        )
        return tuple(
            sorted({number for a, b in times for number in range(first(a), last(b))})
        )


@dataclasses.dataclass(frozen=True)
class Shard:
    """The excerpts of one file: of pieces by number, those of these numbers."""

    rendered: Rendered
    records: Split
    chosen: tuple[tuple[int, tuple[int, ...]], ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        of = self.rendered
        for piece, numbers in self.chosen:
            record = self.records[piece]
            audio = played(record.sequence, of.rate, of.soundfont)
            for number in numbers:
                part = audio[number * of.length :][: of.length]
                part = np.pad(part, (0, of.length - len(part)))
                begin = number * of.seconds
                notes = within(
                    record.sequence, begin, begin + of.seconds
                ).SerializeToString()
                name = f"{record.id}#{number}"
                texts = {"id": name, "label": record.style, "source": record.source}
                sound = {
                    "rate": of.rate,
                    "audio": quantised(part).astype("<i2").tobytes(),
                }
                yield (
                    name,
                    {**texts, "licence": record.licence, **sound, "notes": notes},
                )


def played(
    sequence: NoteSequence, rate: int, soundfont: Path | None = None
) -> np.ndarray:
    """A piece in one channel, float32 [s]; silence of as many seconds as a SoundFont that has none
    of its instruments would play."""
    try:
        mono = render(sequence, PLAYED, soundfont).mean(axis=1)
    except ZooError:
        return np.zeros(round(sequence.total_time * rate), np.float32)
    return soxr.resample(mono, PLAYED, rate) if rate != PLAYED else mono


def within(sequence: NoteSequence, begin: float, end: float) -> NoteSequence:
    """The notes that sound between two times in seconds, counted from the first of them."""
    part = NoteSequence(ticks_per_quarter=sequence.ticks_per_quarter)
    for note in sequence.notes:
        if note.velocity and note.start_time < end and note.end_time > begin:
            one = part.notes.add()
            one.CopyFrom(note)
            one.start_time = max(note.start_time, begin) - begin
            one.end_time = min(note.end_time, end) - begin
    part.total_time = max((note.end_time for note in part.notes), default=0.0)
    return part
