"""Corpora of scores as audio datasets: each piece is rendered by a SoundFont.

An excerpt contains the notes that sound in it, timed from its beginning, so that audio
and notes are aligned to the sample. The splits are those of the corpus.
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

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.recordings import to_int16
from zoo.data.audio.soundfont_notes import SYNTH_RATE
from zoo.data.corpora import build
from zoo.data.corpora.dedup import SPLITS
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.records import Record, Split
from zoo.data.corpora.registry import Corpus, corpus
from zoo.data.corpora.report import Report
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import ZooError
from zoo.soundfont import bank as sf
from zoo.soundfont.score import MAX_SECONDS, render


@dataclasses.dataclass(frozen=True)
class RenderedCorpus(ExcerptSpec):
    """A corpus of scores, rendered.

    Attributes:
      scores: spec of the corpus.
      soundfont: path of a SoundFont, by default the General MIDI set of pretty_midi.
    """

    scores: str
    soundfont: Path | None = None

    @property
    def spec(self) -> str:
        return f"rendered:{self.corpus.spec}"

    @cached_property
    def corpus(self) -> Corpus:
        return corpus(self.scores)

    @property
    def licences(self) -> dict[str, str]:
        """The licence of each source of the scores, by its name."""
        return {source.name: source.licence for source in self.corpus.sources}

    @property
    def features(self) -> Mapping[str, Any]:
        return {
            "notes": tfds.features.Scalar(
                dtype=np.object_, doc="A serialized NoteSequence."
            )
        }

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the scores."""
        font = sf.path(self.soundfont).read_bytes()
        digest = hashlib.blake2b(font, digest_size=4).hexdigest()
        return root / f"rendered-{self.corpus.key}-{self.rate}-{self.length}-{digest}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """Returns a report and the shards of each split."""
        root = staging.parents[1]
        scores = build.build(self.corpus, root, workers=workers, progress=progress)
        report = Report(spec=self.spec, licences=scores.licences)
        shards = {}
        for split in SPLITS:
            if not scores.splits[split]:
                continue
            records = build.open_split(self.corpus, split, root)
            pieces = []
            for index, record in enumerate(records):
                if numbers := self.sounding_excerpts(record, report):
                    pieces.append((index, numbers))
                    report.styles[record.style] += len(numbers)
            count = sum(len(numbers) for _, numbers in pieces)
            report.splits[split] = count
            report.milliseconds += round(1000 * self.seconds * count)
            shards[split] = [
                Shard(self, records, part) for part in self.shard(pieces, count)
            ]
        report.require_music()
        return report, shards

    def sounding_excerpts(self, record: Record, report: Report) -> tuple[int, ...]:
        """Returns the indices of the excerpts of a piece that contain notes.

        There are none if the piece is refused. `report` counts pieces kept and dropped.
        """
        times = [
            (note.start_time, note.end_time)
            for note in record.sequence.notes
            if note.velocity
        ]
        if max((end for _, end in times), default=0.0) > MAX_SECONDS:
            refused = Refused("long", "It is longer than an hour; divide it.")
            report.drop(record.source, record.id, refused)
            return ()
        if not times:
            refused = Refused("silent", "It has no note with a velocity.")
            report.drop(record.source, record.id, refused)
            return ()
        report.kept[record.source] += 1
        numbers: set[int] = set()
        for start, end in times:
            first, stop = int(start / self.seconds), math.ceil(end / self.seconds)
            numbers.update(range(first, stop))
        return tuple(sorted(numbers))


@dataclasses.dataclass(frozen=True)
class Shard:
    """The excerpts of one file, by index of the piece and indices of its excerpts."""

    dataset: RenderedCorpus
    records: Split
    pieces: tuple[tuple[int, tuple[int, ...]], ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        dataset = self.dataset
        length, seconds = dataset.length, dataset.seconds
        for index, numbers in self.pieces:
            record = self.records[index]
            audio = render_mono(record.sequence, dataset.rate, dataset.soundfont)
            for number in numbers:
                part = audio[number * length :][:length]
                part = np.pad(part, (0, length - len(part)))
                begin = number * seconds
                notes = notes_between(record.sequence, begin, begin + seconds)
                name = f"{record.id}#{number}"
                yield (
                    name,
                    {
                        "id": name,
                        "label": record.style,
                        "source": record.source,
                        "licence": record.licence,
                        "rate": dataset.rate,
                        "audio": to_int16(part).astype("<i2").tobytes(),
                        "notes": notes.SerializeToString(),
                    },
                )


def render_mono(
    sequence: NoteSequence, rate: int, soundfont: Path | None = None
) -> np.ndarray:
    """Renders a piece to one channel, float32 [s].

    The result is silence if the SoundFont has none of its instruments.
    """
    try:
        mono = render(sequence, SYNTH_RATE, soundfont).mean(axis=1)
    except ZooError:
        return np.zeros(round(sequence.total_time * rate), np.float32)
    return soxr.resample(mono, SYNTH_RATE, rate) if rate != SYNTH_RATE else mono


def notes_between(sequence: NoteSequence, begin: float, end: float) -> NoteSequence:
    """Returns the notes that sound between two times, in seconds from `begin`."""
    part = NoteSequence(ticks_per_quarter=sequence.ticks_per_quarter)
    for note in sequence.notes:
        if note.velocity and note.start_time < end and note.end_time > begin:
            copy = part.notes.add()
            copy.CopyFrom(note)
            copy.start_time = max(note.start_time, begin) - begin
            copy.end_time = min(note.end_time, end) - begin
    part.total_time = max((note.end_time for note in part.notes), default=0.0)
    return part
