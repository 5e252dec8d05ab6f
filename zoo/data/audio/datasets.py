"""Audio datasets, built as TFDS datasets in ArrayRecord files, without TensorFlow.

The recordings of `audio_folder:/path` are decoded into one file for each process
(`zoo.data.audio.scan`), from which shards are written. `soundfont_notes` and
`rendered:CORPUS` are synthesised while they are written, `spoken:VOICE` and
`sung:CORPUS/ENGINE/VOICE` in worker processes before. Memory is bounded by a shard, 128
MB. Random crops and their order are chosen in training, by `zoo.data.audio.batches`.
"""

import contextlib
import dataclasses
import io
import itertools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import tensorflow_datasets as tfds

from zoo.data.audio.folder import AudioFolder
from zoo.data.audio.rendered import RenderedCorpus
from zoo.data.audio.soundfont_notes import SoundfontNotes
from zoo.data.audio.spoken import PREFIX as SPOKEN_PREFIX
from zoo.data.audio.spoken import spoken_sentences
from zoo.data.audio.sung import SungCorpus, parse_spec
from zoo.data.audio.tfds import TfdsAudio
from zoo.data.corpora.build import progress_bar
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.records import Records, data_root
from zoo.data.corpora.report import Report
from zoo.data.corpora.tfds_writer import (
    ShardedBuilder,
    atomic_replace,
    exclusive_lock,
    translate_write_errors,
)
from zoo.errors import UsageError

FOLDER_PREFIX, RENDERED_PREFIX, TFDS_PREFIX = "audio_folder:", "rendered:", "tfds:"
SUNG_PREFIX = "sung:"
NOTES = "soundfont_notes"
SYNTHESISED = RENDERED_PREFIX, SPOKEN_PREFIX, SUNG_PREFIX
SPECS = FOLDER_PREFIX, NOTES, *SYNTHESISED, TFDS_PREFIX
VERSION = "1.1.0"
TEXTS = ("id", "label", "source", "licence")

# The examples of one file, by key.
Shard = Callable[[], Iterable[tuple[str, dict[str, Any]]]]


@dataclasses.dataclass(frozen=True)
class AudioExcerpt:
    """An excerpt of a recording, or a note.

    Attributes:
      rate: samples per second.
      audio: samples int16 [s].
      features: the other features of the dataset.
    """

    id: str
    label: str
    source: str
    _: dataclasses.KW_ONLY
    licence: str
    rate: int
    audio: np.ndarray
    features: Mapping[str, Any]


class AudioSplit(Records, Sequence[AudioExcerpt]):  # type: ignore[type-arg]
    """The excerpts of one split, each read on access."""

    def __getitem__(self, index: int) -> AudioExcerpt:  # type: ignore[override]
        example = dict(self.source[range(len(self))[index]])
        texts = {name: example.pop(name).decode() for name in TEXTS}
        audio = np.frombuffer(example.pop("audio"), "<i2")
        rate = int(example.pop("rate"))
        return AudioExcerpt(**texts, rate=rate, audio=audio, features=example)


class AudioDataset(Protocol):
    """A source of audio excerpts."""

    @property
    def spec(self) -> str: ...

    @property
    def rate(self) -> int:
        """Samples per second."""

    @property
    def length(self) -> int:
        """Maximum number of samples of an excerpt."""

    @property
    def licences(self) -> Mapping[str, str]:
        """The licence of each source, by its name."""

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the contents."""

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, Mapping[str, Sequence[Shard]]]:
        """Returns a report and the shards of each split."""

    @property
    def features(self) -> Mapping[str, Any]:
        """The TFDS features of an excerpt besides those of `AudioExcerpt`."""


class AudioBuilder(ShardedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The TFDS builder of one audio dataset."""

    name = "sound"  # the directory of the dataset
    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Excerpts of 16 bits, of one channel.",
        "1.1.0": "Truncated recordings end where they do.",
    }

    def __init__(
        self,
        dataset: AudioDataset,
        folder: Path,
        shards: Mapping[str, Sequence[Shard]],
        report: Report,
    ):
        self._dataset = dataset
        super().__init__(folder, shards, report)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            **{name: tfds.features.Text() for name in TEXTS},
            "rate": tfds.features.Scalar(dtype=np.int32, doc="In samples per second."),
            "audio": tfds.features.Scalar(
                dtype=np.object_, doc="Samples of 16 bits, little-endian."
            ),
            **self._dataset.features,
        }
        licences = self._report.licences.items()
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self._dataset.spec}: audio excerpts or notes.",
            features=tfds.features.FeaturesDict(features),
            license="\n".join(f"{source}: {text}" for source, text in licences),
        )


def audio_dataset(spec: str, rate: int = 16_000, seconds: float = 4.0) -> AudioDataset:
    """Returns the audio dataset that `spec` names.

    Args:
      spec: `soundfont_notes`, `audio_folder:/path`, `rendered:CORPUS`,
        `spoken:VOICE+VOICE`, such as `spoken:flite/slt+flite/rms`, where
        `@/path/to/sentences.txt` may follow, `sung:CORPUS/ENGINE/VOICE`, or
        `tfds:NAME`.
      rate: samples per second.
      seconds: maximum duration of an excerpt.

    Raises:
      UsageError: an unknown spec, or voice.
    """
    if spec == NOTES:
        return SoundfontNotes(rate=rate, seconds=seconds)
    if spec.startswith(FOLDER_PREFIX):
        path = Path(spec.removeprefix(FOLDER_PREFIX)).expanduser().resolve()
        return AudioFolder(path, rate=rate, seconds=seconds)
    if spec.startswith(RENDERED_PREFIX):
        scores = spec.removeprefix(RENDERED_PREFIX)
        return RenderedCorpus(scores, rate=rate, seconds=seconds)
    if spec.startswith(SUNG_PREFIX):
        scores, voice = parse_spec(spec.removeprefix(SUNG_PREFIX))
        return SungCorpus(scores, voice, rate=rate, seconds=seconds)
    if spec.startswith(SPOKEN_PREFIX):
        return spoken_sentences(spec, rate, seconds)
    if spec.startswith(TFDS_PREFIX):
        return TfdsAudio(spec.removeprefix(TFDS_PREFIX), rate=rate, seconds=seconds)
    raise UsageError(
        f"There is no audio dataset {spec!r}: choose {NOTES}, {FOLDER_PREFIX}/PATH, "
        f"{RENDERED_PREFIX}CORPUS, {SPOKEN_PREFIX}VOICE, "
        f"{SUNG_PREFIX}CORPUS/ENGINE/VOICE or {TFDS_PREFIX}NAME."
    )


def build(
    dataset: AudioDataset,
    root: Path | str | None = None,
    *,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Builds an audio dataset, unless it is built; an interrupted build is resumed.

    Args:
      dataset: the dataset.
      root: folder of built corpora, by default `data_root()`.
      workers: number of processes that read recordings.
      force: builds it again.
      progress: called with the number of items done and the total number.

    Returns:
      The report of the dataset.

    Raises:
      UsageError: there are no files to read.
      ZooError: no excerpt could be read, or the dataset cannot be written.
    """
    root = Path(root or data_root())
    home = dataset.home(root)
    finished, staging = home / AudioBuilder.name / VERSION, home / "staging"
    with translate_write_errors(root), exclusive_lock(home / "lock"):
        if finished.exists() and not force:
            return Report.load(finished / "report.json")
        began = time.monotonic()
        staging.mkdir(exist_ok=True)
        report_progress = progress or (lambda done, total: None)
        report, shards = dataset.collect(staging, workers, report_progress)
        report.build_seconds = round(time.monotonic() - began, 1)
        numbers = itertools.count(1)

        def count() -> None:
            report_progress(next(numbers), report.splits.total())

        counted = {
            split: [partial(count_examples, shard, count) for shard in parts]
            for split, parts in shards.items()
        }
        builder = AudioBuilder(dataset, home, counted, report)
        with (
            atomic_replace(finished, staging),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            builder.download_and_prepare(download_dir=staging / "downloads")
        shutil.rmtree(staging)
    return report


def count_examples(
    shard: Shard, count: Callable[[], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the examples of a shard, and calls `count` after each."""
    for example in shard():
        yield example
        count()


def open_split(
    dataset: AudioDataset, split: str, root: Path | str | None = None
) -> AudioSplit:
    """Opens a split of a dataset for random access; builds the dataset the first time.

    Raises:
      UsageError: no such split.
      ZooError: the split is empty, or the dataset cannot be built.
    """
    finished = dataset.home(Path(root or data_root())) / AudioBuilder.name / VERSION
    excerpts = AudioSplit(finished, split)
    if not finished.exists():
        with progress_bar(f"reading {dataset.spec}") as progress:
            build(dataset, root, progress=progress)
    len(excerpts)  # raises if the split is empty
    return excerpts
