"""A folder of pieces as MIDI, audio, scores and plots, with a listening page."""

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np

from zoo.data.bars import model_begins
from zoo.data.codecs.names import require_one_of
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.files import written_whole
from zoo.listen.files import (
    AUDIO_FORMATS,
    DEFAULT_FORMATS,
    FORMATS,
    rendered,
    write_files,
)
from zoo.listen.page import MAX_BYTES, Section, Track, write_page
from zoo.listen.score.engraver import MAX_BARS, Engraving, engrave
from zoo.listen.score.inline import inline
from zoo.listen.timeline import bar_number, clock

SCORE_SHARE = 0.4  # of the page, for all scores together
FEWEST_BARS = 4  # of a score on the page


@written_whole
def write_gallery(
    pieces: Sequence[NoteSequence],
    folder: pathlib.Path,
    *,
    title: str,
    intro: str = "",
    others: Mapping[str, Sequence[NoteSequence]] = MappingProxyType({}),
    real: Sequence[NoteSequence] = (),
    names: Sequence[str] = (),
    formats: Sequence[str] = DEFAULT_FORMATS,
) -> pathlib.Path:
    """Writes the files of every piece, and index.html.

    The files are 01.mid and so on, as `zoo.listen.files.write_files` names them. What
    cannot be written is left out, and standard error says why. Where a model
    begins, files and page have a mark.

    Args:
      pieces: the pieces.
      folder: the folder to write to.
      title: the title of the page.
      intro: text below the title.
      others: pieces of other models by their headings, for the page only.
      real: excerpts of real music, for the page only.
      names: names of the pieces; by default "Sample 1" and so on.
      formats: some of `FORMATS`.

    Returns:
      The path of index.html.

    Raises:
      UsageError: a format is not one of `FORMATS`.
      ZooError: the folder cannot be written; nothing new is in it then.
    """
    for name in formats:
        require_one_of(name, FORMATS, "format")
    titles = list(names) or [f"Sample {i}" for i in range(1, len(pieces) + 1)]
    music = [*pieces]
    for name, more in {**others, "Real music": real}.items():
        titles += [f"{name} {i}" for i in range(1, len(more) + 1)]
        music += more
    heard = pieces if {*formats} & {*AUDIO_FORMATS} else ()
    with ThreadPoolExecutor(2) as pool:  # other processes engrave meanwhile
        sounds = pool.map(rendered, heard)
        scores = _engrave_all(music, png="png" in formats)
        audio: list[np.ndarray | None] = [*sounds] or [None] * len(pieces)
    limit = int(SCORE_SHARE * MAX_BYTES / max(len(music), 1))
    tracks = [
        _track(name, piece, score, limit=limit)
        for name, piece, score in zip(titles, music, scores, strict=True)
    ]
    for i in range(len(pieces)):
        tracks[i] = dataclasses.replace(tracks[i], audio=audio[i])
        stem, label = folder / f"{i + 1:02d}", f"{title}, {i + 1}"
        for reason in write_files(
            tracks[i], stem, formats, score=scores[i], title=label
        ):
            print(f"{stem.name}: {reason}", file=sys.stderr)
    rest = iter(tracks)
    heading = "Pieces" if names else "Samples of the model"
    columns = {heading: pieces, **others, "Real music, for comparison": real}
    sections = [
        Section(name, [*itertools.islice(rest, len(column))], real=column is real)
        for name, column in columns.items()
        if column
    ]
    write_page(sections, folder / "index.html", title=title, intro=intro)
    return folder / "index.html"


def _engrave_all(
    pieces: Sequence[NoteSequence], png: bool
) -> list[Engraving | Refused]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda x: _engrave(x, title=True, png=png), pieces))


def _engrave(
    piece: NoteSequence,
    max_bars: int = MAX_BARS,
    *,
    title: bool = False,
    png: bool = False,
) -> Engraving | Refused:
    try:
        return engrave(piece, max_bars, title=title, png=png)
    except Refused as refused:
        return refused


def _track(
    name: str, piece: NoteSequence, score: Engraving | Refused, *, limit: int
) -> Track:
    """Returns a piece for the page, with as many bars of its score as `limit` allows.

    Args:
      name: its heading.
      piece: the piece.
      score: its score, or the reason why there is none.
      limit: bytes of the score.
    """
    if piece.sequence_metadata.title:  # which is the heading on the page
        score = _engrave(piece)
    size, bars = limit, 0
    while not isinstance(score, Refused):
        size, bars = len(inline(score, "track-00-")), score.bars
        fewer = int(0.9 * bars * limit / size)
        if size <= limit or fewer < FEWEST_BARS:
            break
        score = _engrave(piece, fewer)
    if isinstance(score, Refused) or size > limit:
        return Track(name, piece, caption(piece))
    lines = [caption(piece)]
    if bars < score.total:
        lines.append(f"The score shows the first {bars} of {score.total} bars.")
    return Track(name, piece, " ".join(filter(None, lines)), score=score)


def caption(piece: NoteSequence) -> str:
    """Returns a line that says where the model begins, if the piece has the mark."""
    begins = model_begins(piece)
    if begins is None:
        return ""
    return f"The model begins at {clock(begins)}, in bar {bar_number(piece, begins)}."
