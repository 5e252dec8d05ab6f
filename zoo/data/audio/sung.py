"""Corpora of scores as audio datasets: their melodies are sung by a voice that speaks.

A piece is sung to its own lyrics, or to a traditional rhyme. Excerpts are whole phrases
where they fit; fast music is slowed until words can be sung to it. The pieces are sung
in worker processes. The splits are those of the corpus.
"""

import dataclasses
import hashlib
import pickle
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import tensorflow_datasets as tfds

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.recordings import to_int16
from zoo.data.corpora import build
from zoo.data.corpora.dedup import SPLITS
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.records import Record, Split
from zoo.data.corpora.registry import Corpus, corpus
from zoo.data.corpora.report import Report
from zoo.data.corpora.workers import read_all
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.speech.engines import speak, voice_of
from zoo.data.speech.rhymes import RHYMES
from zoo.data.speech.singing import Singing
from zoo.data.speech.song_excerpts import seed_of, song_excerpts
from zoo.data.speech.songs import sing_piece
from zoo.errors import UsageError

VERSION = 1  # raise it whenever singing changes
SLOWNESS = 1.2  # of the speech that is sung
SILENCE = "-"  # in the phonemes of an example


@dataclasses.dataclass(frozen=True)
class Guard:
    """Limits on the singing of one piece: seconds, and bytes of memory."""

    seconds: float = 300.0
    memory: int = 4 << 30


@dataclasses.dataclass(frozen=True)
class SungCorpus(ExcerptSpec):
    """A corpus of scores, sung.

    Attributes:
      scores: spec of the corpus.
      voice: engine and voice, such as `flite/slt`.
    """

    scores: str
    voice: str = "flite/slt"

    @property
    def spec(self) -> str:
        return f"sung:{self.corpus.spec}/{self.voice}"

    @cached_property
    def corpus(self) -> Corpus:
        return corpus(self.scores)

    @property
    def voice_licence(self) -> str:
        """The licence of the voice and its sound."""
        engine, name = voice_of(self.voice)
        return engine.licences[name]

    @property
    def licences(self) -> dict[str, str]:
        """The licence of each source of the scores, and of the voice, by its name."""
        sources = {source.name: source.licence for source in self.corpus.sources}
        return {**sources, self.voice: self.voice_licence}

    @property
    def features(self) -> Mapping[str, Any]:
        scalar = lambda doc: tfds.features.Scalar(dtype=np.object_, doc=doc)
        return {
            "notes": scalar("A serialized NoteSequence with lyrics, as it is sung."),
            "phonemes": scalar(f"ARPAbet with spaces between; {SILENCE} is silence."),
            "ends": scalar("Samples at which the phonemes end, int32 little-endian."),
            "f0": scalar("Hertz of frames of 5 ms, float32; 0 is unvoiced."),
            "voice": scalar("Engine and voice."),
        }

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the scores."""
        about = repr((self.voice, VERSION, RHYMES)).encode()
        digest = hashlib.blake2b(about, digest_size=4).hexdigest()
        return root / f"sung-{self.corpus.key}-{self.rate}-{self.length}-{digest}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """Sings all pieces; returns a report and the shards of each split."""
        root = staging.parents[1]
        scores = build.build(self.corpus, root, workers=workers, progress=progress)
        licences = {**scores.licences, self.voice: self.voice_licence}
        report = Report(spec=self.spec, licences=licences)
        folder = staging / "sung"
        folder.mkdir(exist_ok=True)
        splits = {
            split: build.open_split(self.corpus, split, root)
            for split in SPLITS
            if scores.splits[split]
        }
        names = [f"{split}/{i}" for split, x in splits.items() for i in range(len(x))]
        sung: dict[str, list[tuple[Path, int]]] = {split: [] for split in splits}
        singer = Singer(self, splits, folder)
        results = read_all(names, singer, Guard(), workers)
        for done, (path, result) in enumerate(results, 1):
            progress(done, len(names))
            record = splits[path.parent.name][int(path.name)]
            if isinstance(result, Refused):
                report.drop(record.source, record.id, result)
                continue
            report.kept[record.source] += 1
            report.styles[record.style] += result
            sung[path.parent.name].append((singer.file(path), result))
        report.require_music()
        shards = {}
        for split, files in sung.items():
            count = sum(number for _, number in files)
            report.splits[split] = count
            report.milliseconds += round(1000 * self.seconds * count)
            if count:
                parts = self.shard([file for file, _ in files], count)
                shards[split] = [Shard(part) for part in parts]
        return report, shards


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file, from the files of its pieces."""

    files: tuple[Path, ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for file in self.files:
            for example in pickle.loads(file.read_bytes()):
                yield example["id"], example


@dataclasses.dataclass(frozen=True)
class Singer:
    """Sings the piece that a path names, `SPLIT/INDEX`; writes its examples to a file.

    Attributes:
      dataset: the dataset.
      splits: the records of each split.
      folder: where the files are.
    """

    dataset: SungCorpus
    splits: Mapping[str, Split]
    folder: Path

    def file(self, path: Path) -> Path:
        """Returns the file of the examples of a piece."""
        return self.folder / f"{path.parent.name}-{path.name}.pickle"

    def __call__(self, path: Path) -> int:
        """Returns the number of excerpts.

        Raises:
          Refused: none of the piece can be sung.
        """
        record = self.splits[path.parent.name][int(path.name)]
        examples, refusal = [], Refused("notes", "It has no melody to sing.")
        parts = song_excerpts(record.sequence, self.dataset.seconds, record.id)
        for number, part in enumerate(parts):
            try:
                examples.append(self._example(record, number, part))
            except Refused as refused:
                refusal = refused
        if not examples:
            raise refusal
        self.file(path).write_bytes(pickle.dumps(examples))
        return len(examples)

    def _example(
        self, record: Record, number: int, part: NoteSequence
    ) -> dict[str, Any]:
        """Returns the example of an excerpt.

        Raises:
          Refused: as `sing_piece`.
        """
        dataset, name = self.dataset, f"{record.id}#{number}"
        voice = lambda text: speak(text, dataset.voice, SLOWNESS)
        song = sing_piece(part, voice, seed=seed_of(name))
        audio, names, ends = padded(song, dataset.rate, dataset.length)
        shift = song.notes[0].pitch - part.notes[0].pitch
        for note in part.notes:
            note.pitch += shift
        return {
            "id": name,
            "label": record.style,
            "source": record.source,
            "licence": f"{record.licence} {dataset.voice_licence}",
            "rate": dataset.rate,
            "audio": to_int16(audio).astype("<i2").tobytes(),
            "notes": part.SerializeToString(),
            "phonemes": " ".join(names).encode(),
            "ends": ends.astype("<i4").tobytes(),
            "f0": song.f0.astype("<f4").tobytes(),
            "voice": dataset.voice.encode(),
        }


def parse_spec(text: str) -> tuple[str, str]:
    """Returns the corpus and the voice of `CORPUS/ENGINE/VOICE`.

    Raises:
      UsageError: it is none, or there is no such voice.
    """
    parts = text.rsplit("/", 2)
    if len(parts) < 3 or not parts[0]:
        raise UsageError(
            f"sung:{text} names no corpus and voice: write sung:CORPUS/ENGINE/VOICE, "
            "such as sung:tunes/flite/slt."
        )
    voice_of(f"{parts[1]}/{parts[2]}")
    return parts[0], f"{parts[1]}/{parts[2]}"


def padded(
    song: Singing, rate: int, length: int
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Returns samples [length] at `rate`, the phonemes, and the sample each ends at."""
    audio = soxr.resample(song.audio, song.rate, rate)
    audio = audio[:length]
    ends = np.minimum(np.rint(song.bounds[1:] * (rate / song.rate)), length)
    names = [name or SILENCE for name in song.phonemes]
    if ends[-1] < length:
        ends, names = np.append(ends, length), [*names, SILENCE]
    return np.pad(audio, (0, length - len(audio))), names, ends
