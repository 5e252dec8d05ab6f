"""Corpora as TFDS datasets in ArrayRecord files, built without TensorFlow.

A build has two halves. The first (`zoo.data.stage`) reads every file into chunks of serialized protos
and can stop and go on anywhere. The second groups variants into splits and lets TFDS write the
records, shard by shard and under another name until all are there. Memory is bounded by one file, one
shard and 2 kB a piece. Either half runs on Apache Beam where flags for it are given.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import io
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.data import beam
from zoo.data.corpora import Corpus, corpus
from zoo.data.fingerprint import SPLITS, assign
from zoo.data.limits import Limits
from zoo.data.records import Record, Split, data_root
from zoo.data.report import Report
from zoo.data.stage import Row, chunks, gather, stage
from zoo.errors import ZooError

__all__ = ["Music", "Record", "Split", "build", "data_root", "open_split", "progress_bar"]

SHARD_BYTES = 64 << 20
FEATURES = ("id", "style", "source", "licence")


@dataclass(frozen=True)
class Shard:
    """The examples of one file, in the order of `rows`."""

    rows: tuple[Row, ...]
    licences: Mapping[str, str]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in self.rows:
            texts = {"id": row.id, "style": row.style, "source": row.source}
            licence = self.licences[row.source]
            yield row.id, {**texts, "licence": licence, "sequence": row.read()}


class Music(tfds.core.ShardBasedBuilder, skip_registration=True):
    """The TFDS builder of one corpus, staged and split."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "NoteSequence protos as written, repeats unexpanded."}
    pkg_dir_path = Path(__file__).parent

    def __init__(
        self, made_of: Corpus, root: Path, shards: Mapping[str, list[Shard]], report: Report
    ):
        self._corpus, self._shards, self._report = made_of, shards, report
        super().__init__(data_dir=root / made_of.key, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in FEATURES}
        sequence = tfds.features.Scalar(dtype=np.object_, doc="A serialized NoteSequence.")
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self._corpus.spec}: music as note_seq NoteSequence protos.",
            features=tfds.features.FeaturesDict({**texts, "sequence": sequence}),
            citation="\n".join(source.citation for source in self._corpus.sources),
            license="\n".join(f"{s.name}: {s.licence}" for s in self._corpus.sources),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Shard]]:
        del dl_manager  # nothing is downloaded
        self._report.save(Path(self.data_dir) / "report.json")
        return self._shards


def build(
    spec: str,
    root: Path | None = None,
    *,
    limits: Limits | None = None,
    workers: int = 2,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    beam_flags: Sequence[str] | None = None,
) -> Report:
    """Build the corpus `spec` under `root` (default `data_root()`) and report on it.

    What is already there is reported on and left alone, unless `force` is given, or `limits` other
    than those it was built under. `progress` is called with the files done and the files in all.
    `beam_flags` (even none, `()`) runs the build on Apache Beam. Raises UsageError for a spec that
    names nothing, ZooError where nothing is kept or there is no room.
    """
    found = corpus(spec)
    root = Path(root or data_root())
    with _room(root), _alone(root / found.key / "lock"):
        folder = _folder(root, found)
        if folder.exists() and not force:
            old = Report.load(folder / "report.json")
            if limits is None or old.limits == dataclasses.asdict(limits):
                return old
        return _build(
            found, root, limits or Limits(), workers, progress, beam_flags, folder.exists()
        )


def open_split(spec: str, split: str, root: Path | None = None) -> Split:
    """The records of a split, as a sequence with random access; builds the corpus if it is not there.

    Raises UsageError for a spec or a split that does not exist, ZooError for a split without pieces.
    """
    found = corpus(spec)
    root = Path(root or data_root())
    folder = _folder(root, found)
    records = Split(folder, split)
    if not folder.exists():
        with progress_bar(f"reading {found.spec}") as progress:
            build(spec, root, progress=progress)
    len(records)
    return records


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, as a function of how many are done and how many there are."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _folder(root: Path, found: Corpus) -> Path:
    return root / found.key / "music" / str(Music.VERSION)


def _build(
    found: Corpus,
    root: Path,
    limits: Limits,
    workers: int,
    progress: Callable[[int, int], None] | None,
    beam_flags: Sequence[str] | None,
    overwrite: bool,
) -> Report:
    began = time.monotonic()
    for source in found.sources:
        if source.notice:
            print(source.notice, file=sys.stderr)
    digest = hashlib.blake2b(repr(limits).encode(), digest_size=4).hexdigest()
    staging = root / found.key / f"staging-{digest}"
    staging.mkdir(parents=True, exist_ok=True)
    todo = chunks(found, staging)
    if beam_flags is None:
        stage(todo, limits, workers, progress or (lambda done, total: None))
    else:
        beam.stage(todo, limits, beam_flags)
    rows, sketches, report = gather(todo)
    report = dataclasses.replace(
        report,
        spec=found.spec,
        licences={source.name: source.licence for source in found.sources},
        limits=dataclasses.asdict(limits),
    ).require_music()
    splits = assign([row.fingerprint for row in rows], sketches)
    report = dataclasses.replace(
        report, splits=Counter(splits), build_seconds=round(time.monotonic() - began, 1)
    )
    builder = Music(found, root, _shards(rows, splits, report.licences), report)
    _write(builder, overwrite, beam_flags, staging)
    for stale in staging.parent.glob("staging-*"):
        shutil.rmtree(stale)
    return report


def _shards(
    rows: Sequence[Row], splits: Sequence[str], licences: Mapping[str, str]
) -> dict[str, list[Shard]]:
    """The rows of each split, in an order that depends on their ids alone, cut into files."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row, split in zip(rows, splits, strict=True):
        members[split].append(row)
    cut: dict[str, list[Shard]] = {}
    for split in reversed(
        SPLITS
    ):  # TFDS on Beam writes those before each again: the large one last
        chosen = sorted(members[split], key=lambda row: hashlib.md5(row.id.encode()).digest())
        count = -(-sum(row.size for row in chosen) // SHARD_BYTES)
        parts = [
            chosen[len(chosen) * i // count : len(chosen) * (i + 1) // count] for i in range(count)
        ]
        if parts:
            cut[split] = [Shard(tuple(part), licences) for part in parts]
    return cut


def _write(
    builder: Music, overwrite: bool, beam_flags: Sequence[str] | None, staging: Path
) -> None:
    """Let TFDS write the shards under a name of its own, and rename the whole when it is complete."""
    folder = Path(builder.data_dir)
    for killed in folder.parent.glob("incomplete.*"):
        shutil.rmtree(killed)
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS if overwrite else None
    on_beam: dict[str, Any] = {}
    if beam_flags is not None:
        on_beam = {"beam_runner": beam.runner(beam_flags), "beam_options": beam.options(beam_flags)}
    config = tfds.download.DownloadConfig(**({"download_mode": mode} if mode else {}), **on_beam)
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS announces a download, and there is none
        builder.download_and_prepare(download_dir=staging / "downloads", download_config=config)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, waiting for whoever holds it; a killed process holds none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _room(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ZooError(
            f"The corpus could not be written below {root} ({error.strerror or error}): make room there, "
            "or set ZOO_DATA to another folder. What was read so far is kept."
        ) from error
