"""A folder of recordings as an audio dataset.

The recordings are scanned, divided into splits so that identical audio shares a split,
and read again to be written.
"""

import dataclasses
import functools
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.recordings import Recording
from zoo.data.audio.scan import ScannedFile, list_recordings, scan
from zoo.data.corpora.dedup import assign_groups
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.report import Report
from zoo.data.refusal import Refused

MIN_RECORDINGS = 20  # with fewer, excerpts of one recording may be in several splits
LICENCE = "Not stated: these are your own files, under your own terms."

Excerpt = tuple[ScannedFile, int]  # a recording and the index of one of its excerpts


@dataclasses.dataclass(frozen=True)
class FileExcerpts:
    """Excerpts of a recording, by their indices."""

    path: Path
    file: ScannedFile
    numbers: frozenset[int]


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file."""

    recordings: tuple[FileExcerpts, ...]
    source: str
    rate: int
    _: dataclasses.KW_ONLY
    length: int

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for recording in self.recordings:
            parts = Recording(recording.path, self.rate).excerpts(self.length)
            indices = range(max(recording.numbers) + 1)
            for number, part in zip(indices, parts, strict=False):
                if number in recording.numbers:
                    name = f"{recording.file.key}#{number}"
                    yield (
                        name,
                        {
                            "id": name,
                            "label": recording.file.label,
                            "source": self.source,
                            "licence": LICENCE,
                            "rate": self.rate,
                            "audio": part.astype("<i2").tobytes(),
                        },
                    )


@dataclasses.dataclass(frozen=True)
class AudioFolder(ExcerptSpec):
    """The recordings below `path`."""

    path: Path

    @property
    def spec(self) -> str:
        return f"audio_folder:{self.path.name}"

    @property
    def features(self) -> Mapping[str, Any]:
        return {}

    @functools.cached_property
    def files(self) -> list[ScannedFile]:
        return list_recordings(self.path)

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the files."""
        stamps = "".join(f"{f.key} {f.size} {f.modified}\n" for f in self.files)
        listing = stamps.encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(listing, digest_size=6).hexdigest()
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in self.path.name)
        return root / f"{name[:60]}-{self.rate}-{self.length}-{digest}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list[Shard]]]:
        """Returns a report and the shards of each split."""
        files = scan(
            self.path,
            self.files,
            staging / "survey.jsonl",
            rate=self.rate,
            length=self.length,
            workers=workers,
            progress=progress,
        )
        report = build_report(self, files)
        report.require_music()
        splits = assign_splits(files)
        report.splits = Counter(
            {split: len(excerpts) for split, excerpts in splits.items()}
        )
        return report, make_shards(self, splits)


def build_report(dataset: AudioFolder, files: Sequence[ScannedFile]) -> Report:
    """Returns a report without splits; it counts recordings, but excerpts by style."""
    report, source = Report(spec=dataset.spec), dataset.path.name
    report.licences = {source: LICENCE}
    for file in files:
        if file.refused:
            report.drop(source, file.key, Refused(*file.refused))
            continue
        report.kept[source] += 1
        report.styles[file.label] += len(file.excerpts)
        report.remarks.update({"silent": file.silent, "clipped": file.clipped})
        report.milliseconds += round(1000 * file.samples / dataset.rate)
    report.remarks = +report.remarks
    return report


def assign_splits(files: Sequence[ScannedFile]) -> dict[str, list[Excerpt]]:
    """Assigns excerpts to splits.

    The excerpts of a recording share a split, unless there are fewer than
    `MIN_RECORDINGS`; identical audio always shares a split.
    """
    kept = [file for file in files if file.excerpts]
    groups: dict[str, list[Excerpt]] = defaultdict(list)
    for file in kept:
        joined = "".join(file.excerpts).encode()
        whole = hashlib.blake2b(joined, digest_size=8).hexdigest()
        for number, digest in enumerate(file.excerpts):
            group = whole if len(kept) >= MIN_RECORDINGS else digest
            groups[group].append((file, number))
    splits: dict[str, list[Excerpt]] = defaultdict(list)
    for digest, split in assign_groups({digest: digest for digest in groups}).items():
        splits[split] += groups[digest]
    return splits


def make_shards(
    dataset: AudioFolder, splits: Mapping[str, list[Excerpt]]
) -> dict[str, list[Shard]]:
    """Divides each split into files; the order depends only on the names."""

    def order(excerpt: Excerpt) -> tuple[bytes, int]:
        key = excerpt[0].key.encode("utf-8", "surrogateescape")
        return hashlib.md5(key).digest(), excerpt[1]

    shards = {}
    for split, excerpts in splits.items():
        ordered = sorted(excerpts, key=order)
        shards[split] = [
            Shard(
                group_by_file(dataset, part),
                dataset.path.name,
                dataset.rate,
                length=dataset.length,
            )
            for part in dataset.shard(ordered, len(ordered))
        ]
    return shards


def group_by_file(
    dataset: AudioFolder, excerpts: Sequence[Excerpt]
) -> tuple[FileExcerpts, ...]:
    """Groups successive excerpts of the same recording."""
    return tuple(
        FileExcerpts(
            dataset.path / file.key, file, frozenset(number for _, number in group)
        )
        for file, group in groupby(excerpts, key=lambda excerpt: excerpt[0])
    )
