"""Encoded music: many arrays of different lengths, in one file that is mapped rather than read."""

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
from zoo.data.corpora.registry import benchmark_path, corpus
from zoo.data.pieces import Pieces as Pieces
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
        """Returns a label per piece; `kind` is one of `zoo.data.corpora.labels.KINDS`."""
        return self.about["labels"][kind]

    @property
    def refused(self) -> dict[str, int]:
        """Number of pieces that the codec refused, by reason."""
        return self.about["refused"]


def file_codec(spec: str, steps_per_quarter: int = 4) -> Codec | None:
    """Returns the codec of a benchmark file, or None if `spec` names a corpus.

    A `.mat` file contains piano rolls of 88 keys with that many steps in a quarter note,
    a `.json` file chorales on 16ths.
    """
    path = benchmark_path(spec)
    if path is None:
        return None
    if path.suffix == ".mat":
        return Pianoroll(onsets=False, steps_per_quarter=steps_per_quarter)
    return Voices()


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
        return benchmark_files.read(path)[known_split(split)]
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
    detail: dict[str, str] = {}
    ids, known, lengths, shape, dtype = [], [], [0], (), "int32"
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=".encoding-"
    ) as unfinished:
        made = pathlib.Path(unfinished)
        with (made / "events.bin").open("wb") as file:
            for count, record in enumerate(records):
                progress(count + 1)
                try:
                    array = codec.encode(record.sequence)
                except Refused as refusal:
                    refused[refusal.reason] += 1
                    detail.setdefault(refusal.reason, refusal.detail)
                    continue
                array.tofile(file)
                ids.append(record.id)
                known.append(labels(record))
                lengths.append(len(array))
                shape, dtype = array.shape[1:], array.dtype.name
        if not ids:
            raise nothing_kept(codec, refused, detail)
        np.save(made / "offsets.npy", np.cumsum(lengths))
        about = {"shape": shape, "dtype": dtype, "refused": dict(refused)}
        about |= {
            "ids": ids,
            "labels": {kind: [x[kind] for x in known] for kind in KINDS},
        }
        (made / "about.json").write_text(json.dumps(about))
        with contextlib.suppress(OSError):  # another process finished first
            os.rename(made, folder)
            made.mkdir()
    return EncodedPieces(folder)


def nothing_kept(
    codec: Codec, refused: collections.Counter[str], detail: dict[str, str]
) -> ZooError:
    if not refused:
        return ZooError("this split of the corpus is empty: choose a larger corpus.")
    reason, count = refused.most_common(1)[0]
    return ZooError(
        f"{type(codec).__name__} takes none of these {refused.total()} pieces; {count} are refused "
        f"as {reason} ({detail[reason]}): choose another codec or change that setting."
    )


class Part(NamedTuple):
    """Events `start` to `stop` of a piece, and `lead` events before them that are only context."""

    piece: int
    start: int
    stop: int
    lead: int = 0

    @property
    def size(self) -> int:
        return self.stop - self.start + self.lead


def parts(lengths: Sequence[int], row: int) -> Iterator[Part]:
    """Every piece, those longer than a row cut into several; each event belongs to one part.

    A part that goes on with a piece begins with what came before, an eighth of a row. Without it a
    model would learn that pieces begin in the middle, and are as short as what is left of one.
    """
    for piece, length in enumerate(lengths):
        start = 0
        while start < length:
            lead = min(start, row // 8)
            stop = min(start + row - lead, int(length))
            yield Part(piece, start, stop, lead)
            start = stop


def pack(lengths: Sequence[int], row: int) -> list[list[Part]]:
    """Parts laid into rows of `row` events, longest first, each where it leaves least room."""
    rows: list[list[Part]] = []
    room: dict[int, list[int]] = collections.defaultdict(
        list
    )  # rows by the events they could take
    for part in sorted(parts(lengths, row), key=lambda part: -part.size):
        fits = (space for space, some in room.items() if some and space >= part.size)
        left = min(fits, default=row)
        if room[left]:
            index = room[left].pop()
        else:
            index = len(rows)
            rows.append([])
        rows[index].append(part)
        room[left - part.size].append(index)
    return rows
