"""Encoded corpora: arrays of different lengths in one memory-mapped file."""

import collections
import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import Codec
from zoo.data.codecs.pianoroll import Pianoroll
from zoo.data.codecs.voices import Voices
from zoo.data.corpora import benchmark_files
from zoo.data.corpora.labels import KINDS, labels
from zoo.data.corpora.records import VERSION, data_root, known_split
from zoo.data.corpora.registry import (
    ROLL_SUFFIXES,
    benchmark_path,
    benchmark_steps,
    benchmark_suffix,
    corpus,
)
from zoo.data.pieces import Digest, Pieces, count_at_once
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

FORMAT = 2  # version of the files that `encode` writes


class EncodedPieces(Pieces):
    """Memory-mapped pieces in a folder of `events.bin`, `offsets.npy`, `about.json`."""

    def __init__(self, folder: pathlib.Path):
        self.about = json.loads((folder / "about.json").read_text())
        self.offsets = np.load(folder / "offsets.npy")
        self.lengths = np.diff(self.offsets)
        self.shape = tuple(self.about["shape"])
        events = np.memmap(folder / "events.bin", self.about["dtype"], "r")
        self.events = events.reshape(-1, *self.shape)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start, stop = self.offsets[range(len(self))[index] :][:2]
        return np.asarray(self.events[start:stop])

    def labels(self, kind: str) -> list[str]:
        """Returns a label per piece; `kind` is one of `labels.KINDS`."""
        return self.about["labels"][kind]

    @property
    def digest(self) -> str:
        # encodings of earlier versions do not record it
        return self.about.get("digest") or super().digest

    @property
    def most_at_once(self) -> int:
        most = self.about.get("most_at_once")
        return super().most_at_once if most is None else most

    @property
    def refused(self) -> dict[str, int]:
        """Number of pieces that the codec refused, by reason."""
        return self.about["refused"]


def file_codec(spec: str, steps_per_quarter: int = 4) -> Codec | None:
    """Returns the codec of a benchmark file, or None if `spec` names a corpus.

    A `.mat` file or a pickle contains piano rolls of 88 keys with that many steps in a
    quarter note, a `.json` or `.npz` file chorales on 16ths.
    """
    suffix = benchmark_suffix(spec)
    if suffix in ROLL_SUFFIXES:
        steps = benchmark_steps(spec) or steps_per_quarter
        return Pianoroll(onsets=False, steps_per_quarter=steps)
    return None if suffix is None else Voices()


def corpus_pieces(
    spec: str, split: str, codec: Codec, root: pathlib.Path | None = None
) -> Pieces:
    """Returns a split of a corpus or of a benchmark file, encoded by `codec`.

    A corpus is built and encoded under `root` (default `data_root()`) the first time.
    The arrays of a benchmark file are already those of `file_codec(spec)`.

    Raises:
      UsageError: no such corpus, file or split, or the file is of another codec.
      ZooError: the split is empty, or the codec refuses all of its pieces.
    """
    path = benchmark_path(spec)
    if path is not None:
        require_codec(path, codec, file_codec(spec))
        return benchmark_files.read_splits(path)[known_split(split)]
    source, home = corpus(spec), root or data_root()
    about = f"{FORMAT} {VERSION} {codec} {importlib.metadata.version('music-zoo')}"
    digest = hashlib.blake2b(about.encode(), digest_size=6).hexdigest()
    name = f"{type(codec).__name__.lower()}-{digest}"
    folder = home / source.key / "encoded" / name / split
    if (folder / "about.json").exists():
        return EncodedPieces(folder)
    from zoo.data.corpora.build import open_split, progress_bar

    records = open_split(source, split, home)
    with progress_bar(f"encoding {split}") as progress:
        return encode(
            records, codec, folder, progress=lambda n: progress(n, len(records))
        )


def require_codec(path: pathlib.Path, codec: Codec, needed: Codec | None) -> None:
    """Raises UsageError unless `codec` is of the same class as `needed`."""
    if type(codec) is not type(needed):
        raise UsageError(
            f"{path} contains arrays of the {type(needed).__name__} codec, not of "
            f"{type(codec).__name__}: choose that codec, or a corpus."
        )


def encode(
    records: Iterable,
    codec: Codec,
    folder: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> EncodedPieces:
    """Encodes `records` by `codec` into `folder`, which appears only when complete.

    Raises:
      ZooError: the codec refuses all records; names the most frequent reason.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    refused: collections.Counter[str] = collections.Counter()
    details: dict[str, str] = {}
    ids, record_labels, lengths, shape, dtype = [], [], [0], (), "int32"
    digest, most = Digest(), 0
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=".encoding-"
    ) as unfinished:
        staging = pathlib.Path(unfinished)
        with (staging / "events.bin").open("wb") as file:
            for count, record in enumerate(records):
                progress(count + 1)
                try:
                    array = codec.encode(record.sequence)
                except Refused as refusal:
                    refused[refusal.reason] += 1
                    details.setdefault(refusal.reason, refusal.detail)
                    continue
                array.tofile(file)
                digest.add(array)
                most = max(most, count_at_once(array))
                ids.append(record.id)
                record_labels.append(labels(record))
                lengths.append(len(array))
                shape, dtype = array.shape[1:], array.dtype.name
        if not ids:
            raise no_pieces_error(codec, refused, details)
        np.save(staging / "offsets.npy", np.cumsum(lengths))
        about = {
            "shape": shape,
            "dtype": dtype,
            "digest": digest.text,
            "most_at_once": most,
            "refused": dict(refused),
            "ids": ids,
            "labels": {kind: [x[kind] for x in record_labels] for kind in KINDS},
        }
        (staging / "about.json").write_text(json.dumps(about))
        with contextlib.suppress(OSError):  # another process finished first
            os.rename(staging, folder)
            staging.mkdir()
    return EncodedPieces(folder)


def no_pieces_error(
    codec: Codec, refused: collections.Counter[str], details: dict[str, str]
) -> ZooError:
    """Returns the error of a split of which no piece could be encoded."""
    if not refused:
        return ZooError("this split of the corpus is empty: choose a larger corpus.")
    reason, count = refused.most_common(1)[0]
    return ZooError(
        f"{type(codec).__name__} refuses all of these {refused.total()} pieces, "
        f"{count} of them as {reason} ({details[reason]}): choose another codec or "
        "change that setting."
    )


class Segment(NamedTuple):
    """Events `start` to `stop` of a piece, preceded by `context` masked events."""

    piece: int
    start: int
    stop: int
    context: int = 0

    @property
    def first(self) -> int:
        """Index of the first event, context included."""
        return self.start - self.context

    @property
    def size(self) -> int:
        return self.stop - self.first


def segments(lengths: Sequence[int], row: int) -> Iterator[Segment]:
    """Yields segments of at most `row` events; each event belongs to one segment.

    A segment that continues a piece begins with context: an eighth of a row of the
    events before it. Without context a model would learn that pieces may begin in the
    middle, and may be as short as a remainder.
    """
    for piece, length in enumerate(lengths):
        start = 0
        while start < length:
            context = min(start, row // 8)
            stop = min(start + row - context, int(length))
            yield Segment(piece, start, stop, context)
            start = stop


def pack(lengths: Sequence[int], row: int) -> list[list[Segment]]:
    """Packs segments into rows of `row` events: best fit, longest first."""
    rows: list[list[Segment]] = []
    rows_by_space: dict[int, list[int]] = collections.defaultdict(list)
    for segment in sorted(segments(lengths, row), key=lambda segment: -segment.size):
        fits = (
            space
            for space, indices in rows_by_space.items()
            if indices and space >= segment.size
        )
        space = min(fits, default=row)
        if rows_by_space[space]:
            index = rows_by_space[space].pop()
        else:
            index = len(rows)
            rows.append([])
        rows[index].append(segment)
        rows_by_space[space - segment.size].append(index)
    return rows
