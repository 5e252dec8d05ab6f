"""A folder of recordings: surveyed, divided by what sounds alike, and read again to be written."""

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

MIN_RECORDINGS = 20  # recordings below which a recording is divided among splits
LICENCE = "Not stated: these are your own files, on whatever terms you hold them."


@dataclasses.dataclass(frozen=True)
class FileExcerpts:
    """Some excerpts of a recording, by their numbers."""

    path: Path
    file: ScannedFile
    numbers: frozenset[int]


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file."""

    group_by_file: tuple[FileExcerpts, ...]
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
                    yield (
                        name,
                        {
                            **texts,
                            "licence": LICENCE,
                            "rate": self.rate,
                            "audio": sound,
                        },
                    )


@dataclasses.dataclass(frozen=True)
class AudioFolder(ExcerptSpec):
    """Recordings below `path`."""

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
        """The directory of all that is built of it; another one whenever a file changes."""
        stamps = "".join(f"{f.key} {f.size} {f.modified}\n" for f in self.files)
        listing = stamps.encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(listing, digest_size=6).hexdigest()
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in self.path.name)[
            :60
        ]
        return root / f"{name}-{self.rate}-{self.length}-{digest}"

    def gathered(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list[Shard]]]:
        """What there is, and the files that it is to be written to."""
        notes = staging / "survey.jsonl"
        found = scan(
            self.path, self.files, self.rate, self.length, notes, workers, progress
        )
        report = build_report(self, found)
        report.require_music()
        splits = assign_splits(found)
        report.splits = Counter(
            {split: len(chosen) for split, chosen in splits.items()}
        )
        return report, make_shards(self, splits)


def build_report(of: AudioFolder, found: Sequence[ScannedFile]) -> Report:
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


def assign_splits(
    found: Sequence[ScannedFile],
) -> dict[str, list[tuple[ScannedFile, int]]]:
    """The excerpts of each split, by recording and number: whole recordings go together, unless
    there are few; what sounds the same goes together whatever its name."""
    kept = [file for file in found if file.excerpts]
    alike: dict[str, list[tuple[ScannedFile, int]]] = defaultdict(list)
    for file in kept:
        whole = hashlib.blake2b(
            "".join(file.excerpts).encode(), digest_size=8
        ).hexdigest()
        for number, own in enumerate(file.excerpts):
            alike[whole if len(kept) >= MIN_RECORDINGS else own].append((file, number))
    splits: dict[str, list[tuple[ScannedFile, int]]] = defaultdict(list)
    for digest, split in assign_groups({digest: digest for digest in alike}).items():
        splits[split] += alike[digest]
    return splits


def make_shards(
    of: AudioFolder, splits: Mapping[str, list[tuple[ScannedFile, int]]]
) -> dict[str, list[Shard]]:
    """Each split cut into files, recordings in an order that depends on their names alone."""
    order = lambda one: (
        hashlib.md5(one[0].key.encode("utf-8", "surrogateescape")).digest(),
        one[1],
    )
    made = {}
    for split, chosen in splits.items():
        chosen = sorted(chosen, key=order)
        made[split] = [
            Shard(group_by_file(of, some), of.path.name, of.rate, of.length)
            for some in of.by_file(chosen, len(chosen))
        ]
    return made


def group_by_file(
    of: AudioFolder, chosen: Sequence[tuple[ScannedFile, int]]
) -> tuple[FileExcerpts, ...]:
    """The same by recording."""
    each = groupby(chosen, key=lambda one: one[0])
    return tuple(
        FileExcerpts(of.path / file.key, file, frozenset(number for _, number in some))
        for file, some in each
    )
