"""The first half of a build: reads files into chunks of serialized pieces.

A chunk consists of three files: `N.bin` (the concatenated protos), `N.npz` (their
sketches) and `N.json` (ids, sizes, counts), which is written last. A build that is
interrupted continues with the unfinished chunks. Chunks can be written in any order, by
any number of machines that share the folder.
"""

import contextlib
import dataclasses
import functools
import json
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.bars import state_metre
from zoo.data.corpora.dedup import fingerprint, sketch
from zoo.data.corpora.labels import metre
from zoo.data.corpora.listing import readable
from zoo.data.corpora.registry import Corpus, File, Source
from zoo.data.corpora.report import Report
from zoo.data.corpora.workers import read_all
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits, Piece
from zoo.data.scores.read import read

CHUNK_FILES = 256
CHUNK_BYTES = 4 << 20

Progress = Callable[[int, int], None]  # number of files done, total number


@dataclass(frozen=True)
class Chunk:
    """Files of a corpus, and the path without suffix of the chunk that stores them."""

    stem: Path
    files: tuple[tuple[Source, File], ...]

    @property
    def done(self) -> bool:
        return self.stem.with_suffix(".json").exists()


@dataclass(frozen=True)
class Row:
    """A piece of a chunk: the location of its proto, and the fields of its record.

    Attributes:
      metre: the metre of most of it, "" if there is none.
      split: the split of the collection that it belongs to; "" if there is none.
    """

    file: Path
    offset: int
    size: int
    _: dataclasses.KW_ONLY
    id: str
    style: str
    source: str
    fingerprint: str
    metre: str
    split: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The style and the metre, which every split should have."""
        return tuple(filter(None, (self.style, self.metre)))

    def read(self) -> bytes:
        """Returns the serialized NoteSequence."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def chunks(corpus: Corpus, folder: Path) -> list[Chunk]:
    """Divides a corpus into chunks of at most CHUNK_FILES, about CHUNK_BYTES."""
    groups: list[list[tuple[Source, File]]] = []
    size = CHUNK_BYTES
    for source, file in corpus.files:
        if size >= CHUNK_BYTES or len(groups[-1]) == CHUNK_FILES:
            groups.append([])
            size = 0
        # Chunks are sent to other machines, so they do not contain the list of files.
        groups[-1].append((dataclasses.replace(source, files=(), refused=()), file))
        size += file.size
    return [Chunk(folder / f"{i:05d}", tuple(files)) for i, files in enumerate(groups)]


def stage(
    todo: Sequence[Chunk], limits: Limits, workers: int, progress: Progress
) -> None:
    """Reads all unfinished chunks of `todo` in `workers` processes."""
    left = [chunk for chunk in todo if not chunk.done]
    total = sum(len(chunk.files) for chunk in todo)
    done = total - sum(len(chunk.files) for chunk in left)
    results = read_scores(
        (file.path for c in left for _, file in c.files), limits, workers
    )

    def pieces(chunk: Chunk) -> Iterator[list[Piece]]:
        nonlocal done
        for _ in chunk.files:
            yield next(results)
            done += 1
            progress(done, total)

    progress(done, total)
    with contextlib.closing(results):
        for chunk in left:
            _write(chunk, pieces(chunk))


def stage_one(chunk: Chunk, limits: Limits) -> None:
    """Reads one chunk in a separate process, unless it is finished."""
    if not chunk.done:
        _write(chunk, read_scores([file.path for _, file in chunk.files], limits, 1))


def read_scores(
    paths: Iterable[Path], limits: Limits, workers: int
) -> Generator[list[Piece]]:
    """Yields the pieces of each file, which worker processes read."""
    reader = functools.partial(read, limits=limits)
    with contextlib.closing(read_all(paths, reader, limits, workers)) as results:
        for path, found in results:
            if isinstance(found, Refused):
                yield [Piece(path.name, refused=found)]
            else:
                yield found


def _write(chunk: Chunk, results: Iterable[list[Piece]]) -> None:
    """Writes a chunk; `results` are the pieces of each of its files."""
    report, rows, sketches = Report(), [], [np.zeros(0, np.uint64)]
    with (
        _atomic_path(chunk.stem.with_suffix(".bin")) as temporary,
        temporary.open("wb") as file,
    ):
        for (source, origin), pieces in zip(chunk.files, results, strict=True):
            for piece in pieces:
                suffix = piece.name.removeprefix(origin.path.name)
                name = readable(f"{source.name}/{origin.key}{suffix}")
                style = readable(origin.style)
                try:
                    sequence = _require_sequence(source, piece)
                except Refused as refused:
                    report.drop(source.name, name, refused)
                    continue
                report.keep(source.name, style, sequence, piece.remarks)
                sequence.id = name
                rows.append(
                    (
                        file.write(sequence.SerializeToString()),
                        name,
                        style,
                        source.name,
                        fingerprint(sequence),
                        metre(sequence),
                        origin.split,
                    )
                )
                sketches.append(sketch(sequence))
    with (
        _atomic_path(chunk.stem.with_suffix(".npz")) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(
            file, hashes=np.concatenate(sketches), sizes=[len(s) for s in sketches[1:]]
        )
    with _atomic_path(chunk.stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"rows": rows, "report": report.to_json()}))


def _require_sequence(source: Source, piece: Piece) -> NoteSequence:
    """Returns the sequence of a piece; raises Refused if there is none."""
    if piece.sequence is None:
        raise piece.refused or Refused(
            "no-notes", "There are no notes in it; leave it out."
        )
    voices = len({note.part for note in piece.sequence.notes})
    if source.voices not in (None, voices):
        raise Refused(
            "voices", f"It has {voices} voices, but this corpus needs {source.voices}."
        )
    if source.metre:
        state_metre(piece.sequence, source.metre)
    return piece.sequence


@contextlib.contextmanager
def _atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path, which is renamed to `path` if the body succeeds."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def gather(done: Iterable[Chunk]) -> tuple[list[Row], list[np.ndarray], Report]:
    """Returns the rows of all chunks, their sketches, and the sum of their reports."""
    rows: list[Row] = []
    sketches: list[np.ndarray] = []
    report = Report()
    for chunk in done:
        about = json.loads(chunk.stem.with_suffix(".json").read_text())
        report += Report.from_json(about["report"])
        with np.load(chunk.stem.with_suffix(".npz")) as arrays:
            ends = np.cumsum(arrays["sizes"])[:-1]
            sketches += np.split(arrays["hashes"], ends) if about["rows"] else []
        file, offset = chunk.stem.with_suffix(".bin"), 0
        for size, name, style, source, digest, beat, split in about["rows"]:
            rows.append(
                Row(
                    file,
                    offset,
                    size,
                    id=name,
                    style=style,
                    source=source,
                    fingerprint=digest,
                    metre=beat,
                    split=split,
                )
            )
            offset += size
    return rows, sketches, report
