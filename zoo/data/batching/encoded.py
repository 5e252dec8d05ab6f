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
from zoo.data.corpora.labels import KINDS, labels
from zoo.data.corpora.records import VERSION, data_root
from zoo.data.corpora.registry import corpus
from zoo.data.refusal import Refused
from zoo.errors import ZooError

FORMAT = 2  # of the files below


class Pieces(Sequence[np.ndarray]):
    """Encoded pieces, a folder of `events.bin`, `offsets.npy` and `about.json`."""

    def __init__(self, folder: pathlib.Path):
        self.about = json.loads((folder / "about.json").read_text())
        self.offsets = np.load(folder / "offsets.npy")
        self.shape = tuple(
            self.about["shape"]
        )  # of one event: () for tokens, (4,) for chorales
        self.events = np.memmap(
            folder / "events.bin", self.about["dtype"], "r"
        ).reshape(-1, *self.shape)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start, stop = self.offsets[range(len(self))[index] :][:2]
        return np.asarray(self.events[start:stop])

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def labels(self, kind: str) -> list[str]:
        """The style, the mode or the metre of each piece, as `zoo.data.corpora.labels` has it."""
        return self.about["labels"][kind]

    @property
    def refused(self) -> dict[str, int]:
        """How many pieces the codec would not take, by reason."""
        return self.about["refused"]


def corpus_pieces(
    spec: str, split: str, codec: Codec, root: pathlib.Path | None = None
) -> Pieces:
    """A split of a corpus as arrays of `codec`; builds and encodes whatever is not there yet."""
    home = root or data_root()
    about = f"{FORMAT} {VERSION} {codec} {importlib.metadata.version('music-zoo')}"
    digest = hashlib.blake2b(about.encode(), digest_size=6).hexdigest()
    name = f"{type(codec).__name__.lower()}-{digest}"
    folder = home / corpus(spec).key / "encoded" / name / split
    if (folder / "about.json").exists():
        return Pieces(folder)
    from zoo.data.corpora.build import open_split, progress_bar

    records = open_split(spec, split, home)
    with progress_bar(f"encoding {split}") as progress:
        return encode(
            records, codec, folder, progress=lambda n: progress(n, len(records))
        )


def encode(
    records: Iterable,
    codec: Codec,
    folder: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> Pieces:
    """The `records` as arrays of `codec`, kept in `folder`; a kill leaves it unmade.

    Raises ZooError where the codec takes none of them, naming the reason it gave most often.
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
    return Pieces(folder)


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
