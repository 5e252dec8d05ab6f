"""Sound as TFDS datasets in ArrayRecord files, built without TensorFlow.

`audio_folder:/path` is read twice: first to know what is in it (`zoo.data.audio.scan`), then to write
it, shard by shard; `soundfont_notes` and `rendered:CORPUS` are played as they are written. Memory
is bounded by a shard, 128 MB, however long a recording is. What is random about training, crops and
their order, is up to `zoo.data.audio.batches`.
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

PREFIX, SCORES, CATALOGUE = "audio_folder:", "rendered:", "tfds:"
NOTES = "soundfont_notes"
ALL = PREFIX, NOTES, SCORES, CATALOGUE
VERSION = "1.0.0"
TEXTS = ("id", "label", "source", "licence")

Shard = Callable[[], Iterable[tuple[str, dict[str, Any]]]]  # the examples of one file


@dataclasses.dataclass(frozen=True)
class AudioExcerpt:
    """A part of a recording, or a note: `audio` is int16 [s] at `rate`, and `about` what else is
    known of it."""

    id: str
    label: str
    source: str
    licence: str
    rate: int
    audio: np.ndarray
    about: Mapping[str, Any]


class AudioSplit(Records, Sequence[AudioExcerpt]):  # type: ignore[type-arg]
    """Those of one split, each read when asked for."""

    def __getitem__(self, index: int) -> AudioExcerpt:  # type: ignore[override]
        found = dict(self.source[range(len(self))[index]])
        texts = {name: found.pop(name).decode() for name in TEXTS}
        audio, rate = np.frombuffer(found.pop("audio"), "<i2"), int(found.pop("rate"))
        return AudioExcerpt(**texts, rate=rate, audio=audio, about=found)


class AudioDataset(Protocol):
    """What there is to hear somewhere."""

    @property
    def spec(self) -> str: ...

    @property
    def rate(self) -> int:
        """Samples a second."""

    @property
    def length(self) -> int:
        """The most samples of an excerpt."""

    def home(self, root: Path) -> Path:
        """The directory of all that is built of it; another one whenever that would differ."""

    def gathered(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, Mapping[str, Sequence[Shard]]]:
        """What there is, and the files of each split that it is to be written to."""

    @property
    def features(self) -> Mapping[str, Any]:
        """What is known beside an excerpt's own, as TFDS describes it."""


class AudioBuilder(ShardedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The TFDS builder of what is gathered already."""

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Excerpts of 16 bits, of one channel."
    }

    def __init__(
        self,
        of: AudioDataset,
        folder: Path,
        shards: Mapping[str, Sequence[Shard]],
        report: Report,
    ):
        self._of = of
        super().__init__(folder, shards, report)

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in TEXTS}
        audio = tfds.features.Scalar(
            dtype=np.object_, doc="Samples of 16 bits, little-endian."
        )
        rate = tfds.features.Scalar(dtype=np.int32, doc="In samples per second.")
        own = {**texts, "rate": rate, "audio": audio}
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self._of.spec}: sound, an excerpt or a note at a time.",
            features=tfds.features.FeaturesDict({**own, **self._of.features}),
            license="\n".join(
                f"{k}: {text}" for k, text in self._report.licences.items()
            ),
        )


def audio_dataset(spec: str, rate: int = 16_000, seconds: float = 4.0) -> AudioDataset:
    """What `soundfont_notes`, `audio_folder:/path`, `rendered:CORPUS` or `tfds:NAME` names, at
    `rate` and in excerpts of `seconds`.

    Raises:
      UsageError: it names something else.
    """
    cut: dict[str, Any] = {"rate": rate, "seconds": seconds}
    if spec == NOTES:
        return SoundfontNotes(**cut)
    if spec.startswith(PREFIX):
        return AudioFolder(
            Path(spec.removeprefix(PREFIX)).expanduser().resolve(), **cut
        )
    if spec.startswith(SCORES):
        return RenderedCorpus(spec.removeprefix(SCORES), **cut)
    if spec.startswith(CATALOGUE):
        return TfdsAudio(spec.removeprefix(CATALOGUE), **cut)
    raise UsageError(
        f"{spec} is no dataset of sound: give {NOTES}, {PREFIX}/PATH, {SCORES}CORPUS, or "
        f"{CATALOGUE}NAME."
    )


def build(
    of: AudioDataset,
    root: Path | str | None = None,
    *,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Builds the dataset under `root` (default `data_root()`), where it is not built yet, and says
    what was kept, what dropped and why. A build that was killed goes on where it was.

    Raises UsageError where there is nothing to read, ZooError where none of it is kept, or nothing
    can be written.
    """
    root = Path(root or data_root())
    home = of.home(root)
    finished, staging = home / "sound" / VERSION, home / "staging"
    with translate_write_errors(root), exclusive_lock(home / "lock"):
        if finished.exists() and not force:
            return Report.load(finished / "report.json")
        began = time.monotonic()
        staging.mkdir(exist_ok=True)
        say = progress or (lambda done, total: None)
        report, shards = of.gathered(staging, workers, say)
        report.build_seconds = round(time.monotonic() - began, 1)
        written = itertools.count(1)
        told = lambda: say(next(written), report.splits.total())
        shards = {
            split: [partial(count_examples, x, told) for x in some]
            for split, some in shards.items()
        }
        builder = AudioBuilder(of, home, shards, report)
        with (
            atomic_replace(finished, staging),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            builder.download_and_prepare(download_dir=staging / "downloads")
        shutil.rmtree(staging)
    return report


def count_examples(
    shard: Shard, told: Callable[[], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its examples, each of them told of."""
    for example in shard():
        yield example
        told()


def open_split(
    of: AudioDataset, split: str, root: Path | str | None = None
) -> AudioSplit:
    """The excerpts of a split, with random access; builds the dataset first if it is not there.

    Raises UsageError for a split that does not exist, ZooError for one without excerpts.
    """
    finished = of.home(Path(root or data_root())) / "sound" / VERSION
    excerpts = AudioSplit(finished, split)
    if not finished.exists():
        with progress_bar(f"reading {of.spec}") as progress:
            build(of, root, progress=progress)
    len(excerpts)
    return excerpts
