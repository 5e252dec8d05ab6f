"""Corpora as TFDS datasets in ArrayRecord files, built without TensorFlow.

A build has two halves. The first (`zoo.data.corpora.ingest`) reads every file into chunks of serialized
protos, and can stop and go on anywhere. The second divides them into splits, variants together, and
lets TFDS write them, shard by shard and under another name until all are there. Memory is bounded
by the file being read, a shard, and about 5 kB a piece. Both halves run on Apache Beam where it is
asked for; the splits are decided between them, so that the records come out the same.

TFDS's ShardBasedBuilder takes examples in the order of the files that they go to. Its
GeneratorBasedBuilder would sort them itself, in memory, and past 1 GB needs TensorFlow.
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
from zoo.data.corpora.dedup import SPLITS, assign
from zoo.data.corpora.ingest import Progress, Row, chunks, gather, stage
from zoo.data.corpora.records import VERSION, Record, Split, data_root
from zoo.data.corpora.registry import Corpus, corpus
from zoo.data.corpora.report import Report
from zoo.data.corpora.tfds_writer import Gathered, alone, replaced, writing
from zoo.data.scores.limits import Limits

__all__ = [
    "Music",
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
    """The examples of one file, in the order of `rows`."""

    rows: tuple[Row, ...]
    licences: Mapping[str, str]  # by source

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in self.rows:
            texts = {"id": row.id, "style": row.style, "source": row.source}
            licence = self.licences[row.source]
            yield row.id, {**texts, "licence": licence, "sequence": row.read()}


class Music(Gathered, skip_registration=True):  # type: ignore[call-arg]
    """The TFDS builder of one corpus that is read and divided already."""

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Scores as written, repeats unexpanded.",
        "1.1.0": "Keys of MusicXML are in the mode that it says.",
    }

    def __init__(
        self,
        made_of: Corpus,
        folder: Path,
        shards: Mapping[str, list[Shard]],
        report: Report,
    ):
        self._corpus = made_of
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
            description=f"{self._corpus.spec}: music as note_seq's NoteSequence protos.",
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
    """Build the corpus `spec` under `root` (default `data_root()`) and report on it.

    One that is there already is reported on and left alone, unless `force` is given, or `limits`
    other than those it was read under. A build that was killed goes on where it was. `progress` is
    called with the files done and the files in all. `beam_flags`, be they none at all, run the
    build on Apache Beam. Raises UsageError for a spec that names nothing, ZooError where nothing is
    kept or nothing can be written.
    """
    found = corpus(spec)
    root = Path(root or data_root())
    finished = _folder(root, found)
    with writing(root), alone(root / found.key / "lock"):
        if finished.exists() and not force:
            old = Report.load(finished / "report.json")
            if limits is None or old.limits == dataclasses.asdict(limits):
                return old
        limits = limits or Limits()
        began = time.monotonic()
        for source in found.sources:
            if source.notice:
                print(source.notice, file=sys.stderr)
        digest = hashlib.blake2b(repr(limits).encode(), digest_size=4).hexdigest()
        staging = root / found.key / f"staging-{digest}"
        rows, sketches, report = _stage(
            found, staging, limits, workers, progress, beam_flags
        )
        prints, given = (
            [getattr(row, x) for row in rows] for x in ("fingerprint", "split")
        )
        splits = assign(prints, sketches, given)
        report = dataclasses.replace(
            report,
            splits=Counter(splits),
            build_seconds=round(time.monotonic() - began, 1),
        )
        shards = _shards(rows, splits, report.licences)
        with replaced(finished, staging):
            _write(Music(found, root / found.key, shards, report), staging, beam_flags)
        for done in staging.parent.glob("staging-*"):
            shutil.rmtree(done)
        return report


def open_split(spec: str | Corpus, split: str, root: Path | str | None = None) -> Split:
    """The records of a split, with random access; builds the corpus first if it is not there.

    Raises UsageError for a spec or split that does not exist, ZooError for a split without pieces.
    """
    found = corpus(spec)
    finished = _folder(Path(root or data_root()), found)
    records = Split(finished, split)
    if not finished.exists():
        with progress_bar(f"reading {found.spec}") as progress:
            build(found, root, progress=progress)
    len(records)
    return records


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, as a function of how many are done and how many there are.

    It is drawn once something is: what refuses the work is read on its own.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True))
    task = bar.add_task(title, total=None)

    def progress(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        if bar.live.is_started:
            bar.stop()


def _folder(root: Path, found: Corpus) -> Path:
    """Where the finished dataset is: it appears complete or not at all."""
    return root / found.key / "music" / VERSION


def _stage(
    found: Corpus,
    staging: Path,
    limits: Limits,
    workers: int,
    progress: Progress | None,
    beam_flags: Sequence[str] | None,
) -> tuple[list[Row], list[np.ndarray], Report]:
    """The pieces kept, their sketches, and a report that lacks only the splits."""
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
    )
    report.require_music()
    return rows, sketches, report


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
    ):  # on Beam, TFDS writes all splits before each one again
        chosen = sorted(
            members[split], key=lambda row: hashlib.md5(row.id.encode()).digest()
        )
        count = -(-sum(row.size for row in chosen) // SHARD_BYTES)
        if count:
            bounds = [len(chosen) * i // count for i in range(count + 1)]
            cut[split] = [
                Shard(tuple(chosen[a:b]), licences) for a, b in pairwise(bounds)
            ]
    return cut


def _write(builder: Music, staging: Path, beam_flags: Sequence[str] | None) -> None:
    on_beam: dict[str, Any] = {}
    if beam_flags is not None:
        on_beam = {
            "beam_runner": beam.runner(beam_flags),
            "beam_options": beam.options(beam_flags),
        }
    config = tfds.download.DownloadConfig(**on_beam)
    with contextlib.redirect_stdout(
        io.StringIO()
    ):  # TFDS announces a download: there is none
        builder.download_and_prepare(
            download_dir=staging / "downloads", download_config=config
        )
