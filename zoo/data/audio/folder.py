"""A folder of recordings as an audio dataset.

The recordings are decoded, and divided into splits so that identical audio shares a
split.
"""

import dataclasses
import functools
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from zoo.data.audio.decode import Decoded, Decoder
from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.scan import ScannedFile, list_recordings, scan
from zoo.data.corpora.dedup import assign_groups, split_notices
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.listing import Listing, readable
from zoo.data.corpora.report import Report
from zoo.data.corpora.sources import OWN_LICENCE
from zoo.data.refusal import Refused

MIN_RECORDINGS = 20  # with fewer, excerpts of one recording may be in several splits

Excerpt = tuple[ScannedFile, int]  # a recording and the index of one of its excerpts


@dataclasses.dataclass(frozen=True)
class FileExcerpts:
    """Excerpts of a recording, by their indices; `samples` is the file of all."""

    samples: Path
    decoded: Decoded
    numbers: tuple[int, ...]
    _: dataclasses.KW_ONLY
    name: str
    label: str

    def read(self, length: int) -> Iterator[tuple[int, bytes]]:
        """Yields each index with its samples, int16 little-endian."""
        with self.samples.open("rb") as file:
            for number in self.numbers:
                begin = number * length
                file.seek(self.decoded.offset + 2 * begin)
                yield number, file.read(2 * min(length, self.decoded.samples - begin))


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
            for number, audio in recording.read(self.length):
                name = f"{recording.name}#{number}"
                yield (
                    name,
                    {
                        "id": name,
                        "label": recording.label,
                        "source": self.source,
                        "licence": OWN_LICENCE,
                        "rate": self.rate,
                        "audio": audio,
                    },
                )


@dataclasses.dataclass(frozen=True)
class AudioFolder(ExcerptSpec):
    """The recordings below `path`."""

    path: Path

    @property
    def spec(self) -> str:
        return f"audio_folder:{self.name}"

    @property
    def name(self) -> str:
        """The folder's name."""
        return readable(self.path.name) or "folder"

    @property
    def licences(self) -> dict[str, str]:
        """The terms of the recordings, by the folder's name."""
        return {self.name: OWN_LICENCE}

    @property
    def features(self) -> Mapping[str, Any]:
        return {}

    @functools.cached_property
    def listing(self) -> Listing:
        return list_recordings(self.path)

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the files."""
        stamps = "".join(f"{f.key} {f.size} {f.modified}\n" for f in self.listing.files)
        digest = hashlib.blake2b(os.fsencode(stamps), digest_size=6).hexdigest()
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in self.name)
        return root / f"{name[:60]}-{self.rate}-{self.length}-{digest}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list[Shard]]]:
        """Returns a report and the shards of each split."""
        decoder = Decoder(staging, self.rate, self.length)
        files = scan(self.listing.files, decoder, workers=workers, progress=progress)
        report = build_report(self, files)
        report.require_music()
        splits = assign_splits(files)
        report.splits = Counter(
            {split: len(excerpts) for split, excerpts in splits.items()}
        )
        pairs = [(split, [f.label]) for split, part in splits.items() for f, _ in part]
        report.notices = split_notices(*zip(*pairs, strict=True))
        return report, make_shards(self, splits, staging)


def build_report(dataset: AudioFolder, files: Sequence[ScannedFile]) -> Report:
    """Returns a report without splits; it counts recordings, but excerpts by style."""
    report, source = Report(spec=dataset.spec), dataset.name
    report.licences = dataset.licences
    for key, refused in dataset.listing.refused:
        report.drop(source, readable(key), refused)
    for file in files:
        if file.decoded is None:
            assert file.refused is not None
            report.drop(source, readable(file.key), Refused(*file.refused))
            continue
        report.kept[source] += 1
        report.styles[readable(file.label)] += len(file.excerpts)
        report.remarks.update(file.decoded.remarks)
        report.milliseconds += round(1000 * file.decoded.samples / dataset.rate)
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
    labels = {key: {file.label for file, _ in group} for key, group in groups.items()}
    digests = {digest: digest for digest in groups}
    for digest, split in assign_groups(digests, kinds=labels).items():
        splits[split] += groups[digest]
    return splits


def make_shards(
    dataset: AudioFolder, splits: Mapping[str, list[Excerpt]], staging: Path
) -> dict[str, list[Shard]]:
    """Divides each split into files; the order depends only on the names."""

    def order(excerpt: Excerpt) -> tuple[bytes, int]:
        return hashlib.md5(os.fsencode(excerpt[0].key)).digest(), excerpt[1]

    shards = {}
    for split, excerpts in splits.items():
        ordered = sorted(excerpts, key=order)
        shards[split] = [
            Shard(
                group_by_file(part, staging),
                dataset.name,
                dataset.rate,
                length=dataset.length,
            )
            for part in dataset.shard(ordered, len(ordered))
        ]
    return shards


def group_by_file(
    excerpts: Sequence[Excerpt], staging: Path
) -> tuple[FileExcerpts, ...]:
    """Groups successive excerpts of the same recording."""
    groups = []
    for file, group in groupby(excerpts, key=lambda excerpt: excerpt[0]):
        assert file.decoded is not None
        groups.append(
            FileExcerpts(
                staging / file.decoded.file,
                file.decoded,
                tuple(number for _, number in group),
                name=readable(file.key),
                label=readable(file.label),
            )
        )
    return tuple(groups)
