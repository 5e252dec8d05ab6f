"""Building of corpora as TFDS datasets in ArrayRecord files, without TensorFlow.

A build has two halves. The first (`zoo.data.corpora.ingest`) reads every file into
chunks of serialized protos, and can be interrupted and resumed at any time. The second
assigns the pieces to splits, variants together, and TFDS writes them shard by shard,
under a temporary name until all are complete. Memory is bounded by the file being read,
a shard, and about 5 kB per piece. Both halves can run on Apache Beam; the splits are
assigned between them, so that the records are the same.

TFDS's ShardBasedBuilder receives examples in the order of the files that they are
written to. Its GeneratorBasedBuilder would sort them in memory, and needs TensorFlow
beyond 1 GB.
"""

import contextlib
import dataclasses
import hashlib
import io
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from zoo.data.corpora import beam
from zoo.data.corpora.dedup import SPLITS, assign, split_notices
from zoo.data.corpora.ingest import Progress, Row, chunks, gather, stage
from zoo.data.corpora.listing import readable
from zoo.data.corpora.records import VERSION, Record, Split, data_root
from zoo.data.corpora.registry import Corpus, corpus
from zoo.data.corpora.report import Report
from zoo.data.corpora.tfds_writer import (
    ShardedBuilder,
    atomic_replace,
    exclusive_lock,
    translate_write_errors,
)
from zoo.data.scores.limits import Limits
from zoo.errors import printable
from zoo.files import without_home

__all__ = [
    "MusicBuilder",
    "Record",
    "Split",
    "build",
    "data_root",
    "open_split",
    "progress_bar",
]

SHARD_BYTES = 64 << 20


@dataclass(frozen=True)
class Shard:
    """The examples of one file, in the order of `rows`; `licences` are by source."""

    rows: tuple[Row, ...]
    licences: Mapping[str, str]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in self.rows:
            texts = {"id": row.id, "style": row.style, "source": row.source}
            licence = self.licences[row.source]
            yield row.id, {**texts, "licence": licence, "sequence": row.read()}


class MusicBuilder(ShardedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The TFDS builder of one corpus."""

    name = "music"  # the directory of the dataset
    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Scores as written, repeats unexpanded.",
        "1.1.0": "Keys of MusicXML are in the mode that it says.",
        "1.2.0": "Tempos, programs, keys, ties and octaves of all three formats.",
    }

    def __init__(
        self,
        source: Corpus,
        folder: Path,
        shards: Mapping[str, list[Shard]],
        report: Report,
    ):
        self._corpus = source
        super().__init__(folder, shards, report)

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {
            name: tfds.features.Text() for name in ("id", "style", "source", "licence")
        }
        sequence = tfds.features.Scalar(
            dtype=np.object_, doc="A serialized NoteSequence."
        )
        sources = self._corpus.sources
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self._report.spec}: scores as note_seq's NoteSequences.",
            features=tfds.features.FeaturesDict({**texts, "sequence": sequence}),
            citation="\n".join(source.citation for source in sources),
            license="\n".join(f"{source.name}: {source.licence}" for source in sources),
        )


def build(
    spec: str | Corpus,
    root: Path | str | None = None,
    *,
    limits: Limits | None = None,
    workers: int = 2,
    force: bool = False,
    progress: Progress | None = None,
    beam_flags: Sequence[str] | None = None,
) -> Report:
    """Builds a corpus, unless it is built already. An interrupted build is resumed.

    Args:
      spec: the corpus.
      root: folder of built corpora, by default `data_root()`.
      limits: limits on one file; other limits than those of the present build build it
        again.
      workers: number of processes that read files.
      force: builds it again.
      progress: called with the number of files done and the total number.
      beam_flags: if not None, runs the build on Apache Beam with these flags.

    Returns:
      The report of the corpus.

    Raises:
      UsageError: an unknown spec, or a folder without a readable file.
      ZooError: no piece could be read, or the corpus cannot be written.
    """
    source_corpus = corpus(spec)
    root = Path(root or data_root())
    home = root / source_corpus.key
    finished = _folder(root, source_corpus)
    with translate_write_errors(root), exclusive_lock(home / "lock"):
        if finished.exists() and not force:
            old = Report.load(finished / "report.json")
            if limits is None or old.limits == dataclasses.asdict(limits):
                return old
        limits = limits or Limits()
        began = time.monotonic()
        for source in source_corpus.sources:
            if source.notice:
                print(source.notice, file=sys.stderr)
        about = f"{VERSION} {limits}"  # what chunks of an interrupted build depend on
        digest = hashlib.blake2b(about.encode(), digest_size=4).hexdigest()
        staging = home / f"staging-{digest}"
        rows, sketches, report = _stage(
            source_corpus,
            staging,
            limits,
            workers=workers,
            progress=progress,
            beam_flags=beam_flags,
        )
        fingerprints = [row.fingerprint for row in rows]
        kinds = [row.kinds for row in rows]
        splits = assign(fingerprints, sketches, [row.split for row in rows], kinds)
        report = dataclasses.replace(
            report,
            splits=Counter(splits),
            notices=split_notices(splits, kinds),
            build_seconds=round(time.monotonic() - began, 1),
        )
        shards = _shards(rows, splits, report.licences)
        with atomic_replace(finished, staging):
            builder = MusicBuilder(source_corpus, home, shards, report)
            _write(builder, staging, beam_flags)
        for folder in home.glob("staging-*"):
            shutil.rmtree(folder)
        return report


def open_split(spec: str | Corpus, split: str, root: Path | str | None = None) -> Split:
    """Opens a split of a corpus for random access; builds the corpus the first time.

    Raises:
      UsageError: no such corpus or split.
      ZooError: the split is empty, or the corpus cannot be built.
    """
    source_corpus = corpus(spec)
    finished = _folder(Path(root or data_root()), source_corpus)
    records = Split(finished, split)
    if not finished.exists():
        with progress_bar(f"reading {source_corpus.spec}") as progress:
            build(source_corpus, root, progress=progress)
    len(records)  # raises if the split is empty
    return records


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function of (done, total) that draws a progress bar on stderr.

    The bar appears with the first call, so that earlier errors are printed alone.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    )
    bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True))
    task = bar.add_task(printable(title), total=None)

    def progress(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        if bar.live.is_started:
            bar.stop()


def _folder(root: Path, source_corpus: Corpus) -> Path:
    """Returns the folder of the finished dataset."""
    return root / source_corpus.key / MusicBuilder.name / VERSION


def _stage(
    source_corpus: Corpus,
    staging: Path,
    limits: Limits,
    *,
    workers: int,
    progress: Progress | None,
    beam_flags: Sequence[str] | None,
) -> tuple[list[Row], list[np.ndarray], Report]:
    """Reads a corpus; returns its rows, their sketches, and a report without splits."""
    staging.mkdir(parents=True, exist_ok=True)
    todo = chunks(source_corpus, staging)
    if beam_flags is None:
        stage(todo, limits, workers, progress or (lambda done, total: None))
    else:
        beam.stage(todo, limits, beam_flags)
    rows, sketches, report = gather(todo)
    report = dataclasses.replace(
        report,
        spec=without_home(source_corpus.spec),
        licences={source.name: source.licence for source in source_corpus.sources},
        limits=dataclasses.asdict(limits),
    )
    for source in source_corpus.sources:
        for name, refused in source.refused:
            report.drop(source.name, readable(f"{source.name}/{name}"), refused)
    report.require_music()
    return rows, sketches, report


def _shards(
    rows: Sequence[Row], splits: Sequence[str], licences: Mapping[str, str]
) -> dict[str, list[Shard]]:
    """Divides each split into files; the order depends on the ids alone."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row, split in zip(rows, splits, strict=True):
        members[split].append(row)
    shards: dict[str, list[Shard]] = {}
    # On Beam, TFDS writes the preceding splits again with each split, so the largest,
    # train, is last.
    for split in reversed(SPLITS):
        ordered = sorted(
            members[split], key=lambda row: hashlib.md5(row.id.encode()).digest()
        )
        count = -(-sum(row.size for row in ordered) // SHARD_BYTES)
        if count:
            bounds = [len(ordered) * i // count for i in range(count + 1)]
            shards[split] = [
                Shard(tuple(ordered[a:b]), licences) for a, b in pairwise(bounds)
            ]
    return shards


def _write(
    builder: MusicBuilder, staging: Path, beam_flags: Sequence[str] | None
) -> None:
    on_beam: dict[str, Any] = {}
    if beam_flags is not None:
        on_beam = {
            "beam_runner": beam.runner(beam_flags),
            "beam_options": beam.options(beam_flags),
        }
    config = tfds.download.DownloadConfig(**on_beam)
    # TFDS announces a download, although there is none.
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(
            download_dir=staging / "downloads", download_config=config
        )
