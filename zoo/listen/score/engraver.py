"""Engraving of scores by Verovio and resvg, in a process of its own.

Both are compiled libraries, which may crash on music that nobody has tried. So each
score is engraved in a guarded process, as files are read.
"""

import base64
import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence, seconds
from zoo.data.refusal import Refused
from zoo.errors import ZooError
from zoo.listen.score.mei import mei, sounding
from zoo.listen.score.notation import notate
from zoo.listen.score.shape import QUARTER, Score

PROGRAM = pathlib.Path(__file__).with_name("engraver_process.py")
MAX_BARS = 160  # of a picture: about four pages
SECONDS = 60.0  # that engraving may take
WIDTH = 2100  # of a line, in tenths of a millimetre
FONT = "DejaVu Serif"  # which matplotlib ships
FONT_FILES = ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSerif-Italic.ttf")


class Sounding(NamedTuple):
    """A chord of an engraved score: its id in the SVG, and its times in seconds."""

    id: str
    start: float
    end: float


class Engraving(NamedTuple):
    """An engraved score.

    Attributes:
      svg: the score as SVG.
      png: the same as PNG, or empty.
      times: its chords in the order of the score.
      bars: number of bars that it shows.
      total: number of bars of the piece.
    """

    svg: str
    png: bytes
    times: tuple[Sounding, ...]
    bars: int
    total: int


def engrave(
    sequence: NoteSequence,
    max_bars: int = MAX_BARS,
    *,
    title: bool = True,
    png: bool = True,
) -> Engraving:
    """Engraves the first `max_bars` bars of a piece.

    Args:
      sequence: the piece.
      max_bars: maximum number of bars.
      title: whether title and composer are printed, if the piece has them.
      png: whether there is a PNG besides the SVG.

    Raises:
      Refused: `timeout` or `crash`, of the process; or `engraving`, its error.
      ZooError: the piece has no notes.
    """
    score = notate(sequence, max_bars)
    if not title:
        score = dataclasses.replace(score, title="", composer="")
    answer = run_guarded({"mei": mei(score), "width": WIDTH, "png": png})
    return Engraving(
        answer["svg"],
        base64.b64decode(answer.get("png", "")),
        tuple(_times(score, sequence)),
        bars=len(score.bars),
        total=score.total,
    )


def _times(score: Score, sequence: NoteSequence) -> Iterator[Sounding]:
    """Yields when each chord of a score sounds."""
    clock = seconds(sequence)
    for number, event in enumerate(sounding(score), 1):
        start, end = clock(np.array([event.start, event.end]) / QUARTER).tolist()
        yield Sounding(f"note-{number}", start, end)


def run_guarded(request: dict, limit: float = SECONDS) -> dict:
    """Returns the answer of `engraver_process` to a request.

    Args:
      request: "mei", "width" and "png".
      limit: seconds that it may take.

    Raises:
      Refused: as `engrave`.
    """
    import matplotlib

    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    fonts = [str(folder / name) for name in FONT_FILES]
    try:
        done = subprocess.run(
            # -P: the folder of the program holds modules with names of the standard's
            [sys.executable, "-P", "-W", "ignore", str(PROGRAM)],
            input=json.dumps(request | {"fonts": fonts, "font": FONT}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(
            "timeout",
            f"Engraving the score took over {limit:g} seconds: write MusicXML instead.",
        ) from error
    except OSError as error:
        raise ZooError(
            f"No process can be started to engrave a score ({error}): end other "
            "programs and run again."
        ) from error
    if done.returncode:
        raise Refused(
            "crash",
            f"Engraving the score was ended by {_ending(done.returncode)}: write "
            "MusicXML instead.",
        )
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise Refused(
            "engraving",
            f"The score cannot be engraved ({answer['error']}): write MusicXML "
            "instead.",
        )
    return answer


def _ending(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"
