"""The first half of a build: files in, chunks of serialized pieces out, each with its counts.

A chunk is three files beside each other, `N.bin` (the protos, end to end), `N.npz` (their sketches)
and `N.json` (ids, sizes, counts), the last of which appears when the others are complete: whatever
kills a build, the chunks that it finished are there for the next. Chunks can be made in any order
by any number of machines that share the folder.
"""

import contextlib
import dataclasses
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.corpora.dedup import fingerprint, sketch
from zoo.data.corpora.registry import Corpus, File, Source
from zoo.data.corpora.report import Report
from zoo.data.corpora.workers import read_all
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits, Piece

CHUNK_FILES = 256
CHUNK_BYTES = 4 << 20

Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True)
class Chunk:
    """Some files of a corpus and where what is read of them goes."""

    stem: Path
    files: tuple[tuple[Source, File], ...]

    @property
    def done(self) -> bool:
        return self.stem.with_suffix(".json").exists()


@dataclass(frozen=True)
class Row:
    """One piece kept: where its proto lies, and what goes beside it into the record."""

    file: Path
    offset: int
    size: int
    id: str
    style: str
    source: str
    fingerprint: str
    split: str = ""  # where the collection itself says

    def read(self) -> bytes:
        """The serialized NoteSequence."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def chunks(corpus: Corpus, folder: Path) -> list[Chunk]:
    """The corpus cut into chunks of at most CHUNK_FILES files and about CHUNK_BYTES to read."""
    cut: list[list[tuple[Source, File]]] = []
    size = CHUNK_BYTES
    for source, file in corpus.files:
        if size >= CHUNK_BYTES or len(cut[-1]) == CHUNK_FILES:
            cut.append([])
            size = 0
        light = dataclasses.replace(
            source, files=()
        )  # a chunk travels to other machines
        cut[-1].append((light, file))
        size += file.size
    return [Chunk(folder / f"{i:05d}", tuple(files)) for i, files in enumerate(cut)]


def stage(
    todo: Sequence[Chunk], limits: Limits, workers: int, progress: Progress
) -> None:
    """Read all chunks of `todo` that are not done, in `workers` processes."""
    left = [chunk for chunk in todo if not chunk.done]
    total = sum(len(chunk.files) for chunk in todo)
    done = total - sum(len(chunk.files) for chunk in left)
    answers = read_all(
        (file.path for c in left for _, file in c.files), limits, workers
    )

    def pieces(chunk: Chunk) -> Iterator[list[Piece]]:
        nonlocal done
        for _ in chunk.files:
            yield next(answers)[1]
            done += 1
            progress(done, total)

    progress(done, total)
    for chunk in left:
        _write(chunk, pieces(chunk))


def stage_one(chunk: Chunk, limits: Limits) -> None:
    """Read one chunk in a process of its own, unless it is done."""
    if not chunk.done:
        _write(
            chunk,
            (
                found
                for _, found in read_all([f.path for _, f in chunk.files], limits, 1)
            ),
        )


def _write(chunk: Chunk, answers: Iterable[list[Piece]]) -> None:
    report, rows, sketches = Report(), [], [np.zeros(0, np.uint64)]
    with (
        _complete(chunk.stem.with_suffix(".bin")) as temporary,
        temporary.open("wb") as file,
    ):
        for (source, origin), found in zip(chunk.files, answers, strict=True):
            for piece in found:
                name = f"{source.name}/{origin.key}{piece.name.removeprefix(origin.path.name)}"
                try:
                    sequence = _taken(source, piece)
                except Refused as refused:
                    report.drop(source.name, name, refused)
                    continue
                report.keep(source.name, origin.style, sequence, piece.remarks)
                sequence.id = name
                size = file.write(sequence.SerializeToString())
                of = (
                    name,
                    origin.style,
                    source.name,
                    fingerprint(sequence),
                    origin.split,
                )
                rows.append((size, *of))
                sketches.append(sketch(sequence))
    with (
        _complete(chunk.stem.with_suffix(".npz")) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(
            file, hashes=np.concatenate(sketches), sizes=[len(s) for s in sketches[1:]]
        )
    with _complete(chunk.stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"rows": rows, "report": report.to_json()}))


def _taken(source: Source, piece: Piece) -> NoteSequence:
    """The piece's sequence. Raises Refused where the reader or the source has none of it."""
    if piece.sequence is None:
        raise piece.refused or Refused(
            "no-notes", "There are no notes in it; leave it out."
        )
    voices = len({note.part for note in piece.sequence.notes})
    if source.voices not in (None, voices):
        raise Refused(
            "voices", f"It has {voices} voices, and this corpus is of {source.voices}."
        )
    return piece.sequence


@contextlib.contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path` at the end, all at once or not at all."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def gather(done: Iterable[Chunk]) -> tuple[list[Row], list[np.ndarray], Report]:
    """The rows of all chunks, their sketches, and the sum of their reports."""
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
        for size, *rest in about["rows"]:
            rows.append(Row(file, offset, size, *rest))
            offset += size
    return rows, sketches, report
