"""Folders of recordings as TFDS datasets in ArrayRecord files, built without TensorFlow.

`audio_folder:/path` is read twice: first to know what is in it (`zoo.data.survey`), then to write
it, shard by shard. Memory is bounded by a shard, 128 MB, however long a recording is. What is
random about training, crops and their order, is up to `zoo.data.excerpts`.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from zoo.data.build import progress_bar
from zoo.data.fingerprint import SPLITS
from zoo.data.recordings import Recording
from zoo.data.records import Records, data_root
from zoo.data.refusal import Refused
from zoo.data.report import Report
from zoo.data.stage import Progress
from zoo.data.survey import Found, listed, survey
from zoo.data.writing import alone, replaced, writing
from zoo.errors import UsageError

PREFIX = "audio_folder:"
VERSION = "1.0.0"
SHARD_SAMPLES = 64 << 20
FEW = 20  # recordings below which a recording is divided among splits
LICENCE = "Not stated: these are your own files, on whatever terms you hold them."


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """A part of a recording: `audio` is int16 [s] at the dataset's rate."""

    id: str
    label: str
    source: str
    licence: str
    audio: np.ndarray


class Excerpts(Records, Sequence[Excerpt]):  # type: ignore[type-arg]
    """Those of one split, each read when asked for."""

    def __getitem__(self, index: int) -> Excerpt:  # type: ignore[override]
        found = self.source[range(len(self))[index]]
        texts = {name: found[name].decode() for name in ("id", "label", "source", "licence")}
        return Excerpt(**texts, audio=np.frombuffer(found["audio"], "<i2"))


@dataclasses.dataclass(frozen=True)
class Cut:
    """Some excerpts of a recording, by their numbers."""

    path: Path
    file: Found
    numbers: frozenset[int]


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file."""

    cuts: tuple[Cut, ...]
    source: str
    rate: int
    length: int

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for cut in self.cuts:
            parts = Recording(cut.path, self.rate).excerpts(self.length)
            for number, part in zip(range(max(cut.numbers) + 1), parts, strict=False):
                if number in cut.numbers:
                    name = f"{cut.file.key}#{number}"
                    texts = {"id": name, "label": cut.file.label, "source": self.source}
                    sound = part.astype("<i2").tobytes()
                    yield name, {**texts, "licence": LICENCE, "rate": self.rate, "audio": sound}


class Sound(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The TFDS builder of one folder that is read and divided already."""

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Excerpts of 16 bits, one after the other."}
    pkg_dir_path = Path(__file__).parent

    def __init__(self, folder: Path, shards: Mapping[str, list[Shard]], report: Report):
        self._shards, self._report = shards, report
        super().__init__(data_dir=folder, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in ("id", "label", "source", "licence")}
        audio = tfds.features.Scalar(dtype=np.object_, doc="Samples of 16 bits, little-endian.")
        rate = tfds.features.Scalar(dtype=np.int32, doc="In samples per second.")
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self._report.spec}: excerpts of recordings, of one channel.",
            features=tfds.features.FeaturesDict({**texts, "rate": rate, "audio": audio}),
            license=LICENCE,
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Shard]]:
        del dl_manager  # nothing is downloaded
        self._report.save(Path(self.data_dir) / "report.json")
        return self._shards


@dataclasses.dataclass(frozen=True)
class Folder:
    """Recordings below `path`, at `rate`, in excerpts of `seconds`.

    Raises:
      UsageError: a rate below 1, or no seconds.
    """

    path: Path
    rate: int = 16_000
    seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.length < 1:
            raise UsageError(
                f"excerpts of {self.seconds:g} s at {self.rate} Hz are none: choose more of either."
            )

    @property
    def length(self) -> int:
        """Samples of an excerpt."""
        return round(self.rate * self.seconds)

    @property
    def spec(self) -> str:
        return f"{PREFIX}{self.path.name}"

    @functools.cached_property
    def files(self) -> list[Found]:
        return listed(self.path)

    def home(self, root: Path) -> Path:
        """The directory of all that is built of it; another one whenever a file changes."""
        stamps = "".join(f"{f.key} {f.size} {f.modified}\n" for f in self.files)
        listing = stamps.encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(listing, digest_size=6).hexdigest()
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in self.path.name)[:60]
        return root / f"{name}-{self.rate}-{self.length}-{digest}"


def folder(spec: str, rate: int = 16_000, seconds: float = 4.0) -> Folder:
    """What `audio_folder:/path` names.

    Raises:
      UsageError: it names something else.
    """
    if not spec.startswith(PREFIX):
        raise UsageError(f"{spec} is no folder of recordings: give {PREFIX}/PATH.")
    return Folder(Path(spec.removeprefix(PREFIX)).expanduser().resolve(), rate, seconds)


def build(
    of: Folder,
    root: Path | str | None = None,
    *,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Builds the dataset under `root` (default `data_root()`), where it is not built yet, and says
    what was kept, what dropped and why. A build that was killed goes on where it was.

    Raises UsageError where there are no recordings, ZooError where none is kept, or nothing can be
    written.
    """
    root = Path(root or data_root())
    home = of.home(root)
    finished, staging = home / "sound" / VERSION, home / "staging"
    with writing(root), alone(home / "lock"):
        if finished.exists() and not force:
            return Report.load(finished / "report.json")
        began = time.monotonic()
        staging.mkdir(exist_ok=True)
        notes, say = staging / "survey.jsonl", progress or (lambda done, total: None)
        found = survey(of.path, of.files, of.rate, of.length, notes, workers, say)
        report = reported(of, found)
        report.require_music()
        splits = divided(found)
        report.splits = Counter({split: len(chosen) for split, chosen in splits.items()})
        report.build_seconds = round(time.monotonic() - began, 1)
        builder = Sound(home, sharded(of, splits), report)
        with replaced(finished, staging), contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(download_dir=staging / "downloads")
        notes.unlink()
    return report


def reported(of: Folder, found: Sequence[Found]) -> Report:
    """What there is, but for its splits: kept and dropped are recordings, styles excerpts."""
    report, source = Report(spec=of.spec), of.path.name
    report.licences = {source: LICENCE}
    for file in found:
        if file.refused:
            report.drop(source, file.key, Refused(*file.refused))
            continue
        report.kept[source] += 1
        report.styles[file.label] += len(file.excerpts)
        report.remarks.update({"silent": file.silent, "clipped": file.clipped})
        report.milliseconds += round(1000 * file.samples / of.rate)
    report.remarks = +report.remarks
    return report


def divided(found: Sequence[Found]) -> dict[str, list[tuple[Found, int]]]:
    """The excerpts of each split, by recording and number: whole recordings go together, unless
    there are few; what sounds the same goes together whatever its name."""
    kept = [file for file in found if file.excerpts]
    alike: dict[str, list[tuple[Found, int]]] = defaultdict(list)
    for file in kept:
        whole = hashlib.blake2b("".join(file.excerpts).encode(), digest_size=8).hexdigest()
        for number, own in enumerate(file.excerpts):
            alike[whole if len(kept) >= FEW else own].append((file, number))
    splits: dict[str, list[tuple[Found, int]]] = defaultdict(list)
    for digest, split in assigned(alike).items():
        splits[split] += alike[digest]
    return splits


def assigned(digests: Iterable[str]) -> dict[str, str]:
    """The split of each hash; of three or more, no split is left with none."""
    order, ends = sorted(digests), np.cumsum([*SPLITS.values()][:-1])
    splits = {digest: [*SPLITS][int((int(digest, 16) / 2**64 >= ends).sum())] for digest in order}
    if len(order) >= len(SPLITS):
        for digest, split in zip((order[0], order[-2], order[-1]), SPLITS, strict=True):
            if split not in splits.values():
                splits[digest] = split
    return splits


def sharded(of: Folder, splits: Mapping[str, list[tuple[Found, int]]]) -> dict[str, list[Shard]]:
    """Each split cut into files, recordings in an order that depends on their names alone."""
    order = lambda one: (
        hashlib.md5(one[0].key.encode("utf-8", "surrogateescape")).digest(),
        one[1],
    )
    made = {}
    for split, chosen in splits.items():
        chosen = sorted(chosen, key=order)
        count = -(-len(chosen) * of.length // SHARD_SAMPLES)
        bounds = [len(chosen) * i // count for i in range(count + 1)]
        made[split] = [
            Shard(cuts(of, chosen[a:b]), of.path.name, of.rate, of.length)
            for a, b in pairwise(bounds)
        ]
    return made


def cuts(of: Folder, chosen: Sequence[tuple[Found, int]]) -> tuple[Cut, ...]:
    """The same by recording."""
    each = groupby(chosen, key=lambda one: one[0])
    return tuple(
        Cut(of.path / file.key, file, frozenset(number for _, number in some))
        for file, some in each
    )


def open_split(of: Folder, split: str, root: Path | str | None = None) -> Excerpts:
    """The excerpts of a split, with random access; builds the dataset first if it is not there.

    Raises UsageError for a split that does not exist, ZooError for one without excerpts.
    """
    finished = of.home(Path(root or data_root())) / "sound" / VERSION
    excerpts = Excerpts(finished, split)
    if not finished.exists():
        with progress_bar(f"reading {of.spec}") as progress:
            build(of, root, progress=progress)
    len(excerpts)
    return excerpts
