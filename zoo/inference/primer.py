"""Music that a model continues: read by its codec, and trimmed at a bar."""

import bisect
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.core import LatentSequenceModel, supports
from zoo.data.bars import NEAR, bar_lines, excerpt, main_tempo
from zoo.data.codecs.alignment import with_bars
from zoo.data.codecs.base import Fit
from zoo.data.proto import NoteSequence, quarters, seconds
from zoo.data.refusal import Refused
from zoo.errors import UsageError, require
from zoo.inference.sampler import Request
from zoo.tasks.base import refusals

USUAL_BARS = 8  # of a long primer, if no number is requested
OF_ALL = ("aligned:", "metre:", "quantised:", "swing:")  # remarks on a whole piece


@dataclasses.dataclass(frozen=True, eq=False)
class Primer:
    """A piece as a model reads it.

    Attributes:
      array: its events [t] or frames [t, ..], without an end.
      source: the piece itself, which has the tempo and the metres.
      remarks: one `code: sentence` for each thing that reading it changed or left out.
      transposition: semitones by which the array is higher than the piece.
    """

    array: np.ndarray
    source: NoteSequence
    remarks: tuple[str, ...]
    _: dataclasses.KW_ONLY
    transposition: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class PrimerReader:
    """Reads primers for a model.

    Attributes:
      encoder: the task of the model, or its codec.
      codec: the codec of what the model writes.
      unit: bars that the model reads together: those of a phrase, or 1.
      accompanies: whether the model plays to the primer, instead of after it.
    """

    encoder: Any
    codec: Any
    unit: int = 1
    _: dataclasses.KW_ONLY
    accompanies: bool = False

    def __call__(
        self,
        piece: NoteSequence,
        missing: Sequence[str] = (),
        *,
        bars: int | None = None,
        room: int | None = None,
        new: int | None = None,
    ) -> Primer:
        """Reads a piece, or its last bars.

        Args:
          piece: the piece.
          missing: voices that it lacks.
          bars: the bars to keep, from the end; by default as many as suit `room`.
          room: events or frames of a whole piece, primer and all; by default any
            number. Of a primer that leaves no bar of it, `USUAL_BARS` are kept, or as
            many as leave half of it.
          new: bars of new music; 0 if the primer itself is changed.

        Raises:
          UsageError: the codec refuses the piece, or it has fewer bars.
        """
        if new != 0 and not self.accompanies:
            piece = up_to_last_note(piece)
        with refusals(self.codec):
            fit = self.encoder.fit_primer(piece, missing)
            if self.accompanies:
                return self.accompanied(fit, piece, bars)
            aligned = any(x.startswith("aligned:") for x in fit.remarks)
            piece = with_bars(piece, aligned=aligned)
            music = self.codec.decode_like(fit.array, piece)
            lines = self.lines(music)
            count = (len(lines) - 1) * self.unit
            if bars is None:
                bars = self.fitting(fit.array, music, lines, room=room, new=new)
            else:
                self.check(bars, count)
            if bars == count:
                return Primer(fit.array, piece, self.remarks(fit.remarks, piece))
        start = float(lines[-1 - bars // self.unit])
        array = self.tail(fit.array, music, start, bars)
        begin = float(seconds(piece)(quarters(music)(np.array(start))))
        rest = excerpt(piece, begin)
        remarks = self.remarks_on(rest, missing, fit.remarks)
        trimmed = f"primer: the last {bars} of its {count} bars are read"
        return Primer(array, rest, (trimmed, *remarks))

    def tail(
        self, array: np.ndarray, music: NoteSequence, start: float, bars: int
    ) -> np.ndarray:
        """Returns the last `bars` of a primer, from `start` seconds on."""
        try:
            return self.codec.tail(array, music, start)
        except Refused as refused:
            raise UsageError(
                f"the end of the primer, `primer_bars={bars}`, does not fit the "
                f"{type(self.codec).__name__} codec: {refused.detail} Read more of it."
            ) from refused

    def accompanied(self, fit: Fit, piece: NoteSequence, bars: int | None) -> Primer:
        """Returns the phrase that a model plays to."""
        require(
            bars is None,
            f"the model accompanies phrases of {self.codec.bars} bars: leave "
            "`primer_bars` out.",
        )
        return Primer(fit.array, piece, self.remarks(fit.remarks, piece))

    def lines(self, music: NoteSequence) -> np.ndarray:
        """Returns the times in seconds at which a primer may begin, and its end."""
        end = float(quarters(music)(np.array(music.total_time)))
        lines = bar_lines(music, max(end - NEAR, end / 2))  # rounded up
        return seconds(music)(np.append(lines[:-1][:: self.unit], lines[-1]))

    def check(self, bars: int, count: int) -> None:
        """Raises UsageError unless the last `bars` of `count` bars can be kept."""
        require(
            1 <= bars <= count,
            f"`primer_bars` is {bars}, and the primer has {count} bars: choose 1 to "
            f"{count}, or leave it out.",
        )
        require(
            bars % self.unit == 0,
            f"`primer_bars` is {bars}, and the model reads phrases of {self.unit} "
            "bars: choose a multiple.",
        )

    def fitting(
        self,
        array: np.ndarray,
        music: NoteSequence,
        lines: np.ndarray,
        *,
        room: int | None,
        new: int | None,
    ) -> int:
        """Returns the most bars of a primer that leave room for new music."""
        count = len(lines) - 1
        phrases = self.codec.source is not self.codec  # then a piece has one length
        if room is None or (new == 0 and not phrases):
            return count * self.unit
        least = len(array) / count if new is None else 0.0
        if phrases and new is not None:
            least = new * room / self.codec.bars
        if len(array) + least <= room:
            return count * self.unit
        most = room - least if phrases and new is not None else room // 2
        sizes = functools.partial(self.size, array, music, lines)
        usual = USUAL_BARS // self.unit
        if not phrases and count > usual and sizes(usual) + least <= room:
            most = max(most, sizes(usual))
        # a binary search: the answer is within 1..count - 1
        return self.unit * max(1, bisect.bisect(range(1, count), most, key=sizes))

    def size(
        self, array: np.ndarray, music: NoteSequence, lines: np.ndarray, last: int
    ) -> int:
        """Returns the events or frames of a primer from its `last` line but one on."""
        try:
            return len(self.codec.tail(array, music, float(lines[-1 - last])))
        except Refused:  # too short to be a piece
            return 0

    def remarks_on(
        self, rest: NoteSequence, missing: Sequence[str], of_all: Sequence[str]
    ) -> tuple[str, ...]:
        """Returns the remarks on the last bars, or on all if those are no piece."""
        try:
            remarks = self.encoder.fit_primer(rest, missing).remarks
        except (Refused, UsageError):
            return self.remarks(of_all, rest)
        whole = [x for x in of_all if x.startswith(OF_ALL)]
        return self.remarks(
            [*whole, *(x for x in remarks if not x.startswith(OF_ALL))], rest
        )

    def remarks(self, remarks: Sequence[str], piece: NoteSequence) -> tuple[str, ...]:
        """Returns remarks on a piece whose main tempo is kept."""
        rates = {round(x.qpm, 1) for x in piece.tempos}
        tempo = f"tempo: {main_tempo(piece):g} quarters per minute throughout"
        others = [x for x in remarks if not x.startswith("tempo:")]
        return (*others, tempo) if len(rates) > 1 else tuple(others)


def up_to_last_note(piece: NoteSequence) -> NoteSequence:
    """Returns a piece without the silent bars at its end."""
    beat = quarters(piece)
    last = max((note.end_time for note in piece.notes), default=piece.total_time)
    end = bar_lines(piece, float(beat(np.array(last))))[-1]
    if float(beat(np.array(piece.total_time))) <= end + NEAR:
        return piece
    return excerpt(piece, 0.0, float(seconds(piece)(end)))


def primer_reader(model: Any) -> PrimerReader:
    """Returns the reader of a model's primers.

    Raises:
      UsageError: its family takes none.
    """
    model.sampler.check(Request())
    model.sampler.check_continues()
    phrases = supports(model.family, LatentSequenceModel)
    return PrimerReader(
        model.codec if model.task is None else model.task,
        model.codec,
        model.family.vae.bars if phrases else 1,
        accompanies=model.sampler.accompanies,
    )
