"""Pieces of a model from a primer on, or of a number of bars."""

import collections
import dataclasses
import functools
import math
from typing import Any

import numpy as np

from zoo.data.bars import bar_lines, excerpt, mark_model, model_begins, stop_after
from zoo.data.proto import NoteSequence, metres, quarters
from zoo.errors import UsageError, require
from zoo.inference.known_keys import transposed
from zoo.inference.primer import Primer
from zoo.inference.sampler import Request, Sampler
from zoo.ranges import Bars, checked

METRE_CHANGES = 8  # events of them in a first draw; more make it draw again
DOUBLINGS = 6


class Samples(list[NoteSequence]):
    """The pieces that a model wrote.

    Attributes:
      remarks: one `code: sentence` for each thing that reading the primer changed or
        left out.
    """

    def __init__(self, pieces: list[NoteSequence], remarks: tuple[str, ...] = ()):
        super().__init__(pieces)
        self.remarks = remarks


@dataclasses.dataclass(frozen=True, eq=False)
class Writer:
    """Writes the pieces of a request.

    Attributes:
      sampler: draws arrays.
      codec: decodes them.
      request: the controls of sampling.
      primer: music that every piece continues, is a version of, or accompanies.
      bars: bars of new music; by default the model ends the pieces.
    """

    sampler: Sampler
    codec: Any
    request: Request
    _: dataclasses.KW_ONLY
    primer: Primer | None = None
    bars: int | None = None

    @property
    def continues(self) -> bool:
        """True if the pieces begin with the primer."""
        changes = self.request.free is not None or self.sampler.accompanies
        return self.primer is not None and not changes

    @property
    def writes_phrases(self) -> bool:
        """True if a piece has as many bars as the codec says."""
        return self.codec.source is not self.codec

    @property
    def sized(self) -> Request:
        """The request, with a length for a primer that fills the usual one."""
        request, usual = self.request, self.sampler.family.length
        begun = 0 if request.primer is None else len(request.primer)
        if not self.continues or self.writes_phrases or request.length is not None:
            return request
        length = begun + usual // 2 if begun >= usual else None
        return dataclasses.replace(request, length=length)

    @functools.cached_property
    def start(self) -> NoteSequence:
        """The primer as the codec writes it."""
        assert self.primer is not None
        return self.decode_like(self.primer.array, self.primer)

    def pieces(self, n: int, seed: int) -> list[NoteSequence]:
        """Writes `n` pieces, silent ones among them; piece i depends on seed and i.

        Raises:
          UsageError: as `Sampler.draw`, or the model cannot write so many bars.
        """
        if self.bars is None:
            return self.decoded(self.sampler.draw(n, seed, self.sized))
        if self.writes_phrases:
            self.check_phrases(self.bars)
            pieces = self.decoded(self.sampler.draw(n, seed, self.request))
            return [self.cut(piece, self.bars) or piece for piece in pieces]
        return self.barred(n, seed, self.bars)

    def barred(self, n: int, seed: int, bars: int) -> list[NoteSequence]:
        """Writes pieces of so many new bars, drawing more events until each has them.

        Of each piece the first draw with enough bars is kept, so that it does not
        depend on the others.
        """
        require(
            self.request.grammar or not self.sampler.takes("grammar"),
            "the grammar keeps a piece from ending before its `bars`: leave it on.",
        )
        size, kept = self.first_size(bars), dict[int, NoteSequence]()
        for _ in range(DOUBLINGS):
            request = dataclasses.replace(self.request, length=size, ends=False)
            for i, piece in enumerate(
                self.decoded(self.sampler.draw(n, seed, request))
            ):
                part = None if i in kept else self.cut(piece, bars)
                if part is not None:
                    kept[i] = part
            if len(kept) == n:
                return [kept[i] for i in range(n)]
            size *= 2
        raise UsageError(
            f"the model wrote fewer than {bars} bars in {size // 2} events: request "
            "fewer `bars`."
        )

    def decoded(self, rows: np.ndarray) -> list[NoteSequence]:
        """Decodes rows at the tempo of the primer, and marks where the model begins."""
        if self.primer is None:
            return [self.codec.decode(row) for row in rows]
        pieces = [self.decode_like(row, self.primer) for row in rows]
        if self.continues:
            for piece in pieces:
                mark_model(piece, self.begins(piece))
        return pieces

    def decode_like(self, row: np.ndarray, primer: Primer) -> NoteSequence:
        """Decodes a row at the tempo, and in the key, of a primer."""
        piece = self.codec.decode_like(row, primer.source)
        return transposed(piece, -primer.transposition)

    def begins(self, piece: NoteSequence) -> float:
        """Returns the time where the primer ends, or of a new note before, in seconds.

        A model that writes notes may add some to the last bar of the primer.
        """
        old = collections.Counter(map(note_key, self.start.notes))
        end = self.start.total_time
        for note in sorted(piece.notes, key=lambda note: note.start_time):
            if note.start_time >= end:
                break
            if not old[note_key(note)]:
                return note.start_time
            old[note_key(note)] -= 1
        return end

    def cut(self, piece: NoteSequence, bars: int) -> NoteSequence | None:
        """Returns a piece up to the end of its new bars, or None if it has fewer."""
        stop = stop_after(piece, model_begins(piece) or 0.0, bars)
        if self.codec.lists_notes:  # the last bar may go on
            onsets = [note.start_time for note in piece.notes]
            if stop is not None and stop > max(onsets, default=0.0):
                return None
        return None if stop is None else excerpt(piece, 0.0, stop)

    def first_size(self, bars: int) -> int:
        """Returns about the events or frames of the primer and of new bars."""
        rate = self.codec.beat  # of a codec with a grid: of events per quarter
        if self.primer is None:
            new = bars * metres(NoteSequence())[0].bar
            return math.ceil(new * rate) + METRE_CHANGES
        music, size = self.start, len(self.primer.array)
        end = float(quarters(music)(np.array(music.total_time)))
        rest = bar_lines(music, end)[-1] - end
        new = rest + bars * metres(music)[-1].bar
        if not self.codec.frame_shape or self.codec.lists_notes:
            rate = max(rate, size / end)
            size += METRE_CHANGES
        return size + math.ceil(new * rate - 1e-6)

    def check_phrases(self, bars: int) -> None:
        """Raises UsageError unless a piece has so many bars after the primer."""
        total, used = self.codec.bars, 0
        if self.primer is not None and self.continues:
            used = len(self.primer.array) * total // self.codec.length
        begun = f", of which the primer has {used}" if used else ""
        require(
            bars <= total - used,
            f"`bars` is {bars}, and {self.sampler.name} writes {total} bars{begun}: "
            f"choose at most {total - used}.",
        )


def note_key(note: NoteSequence.Note) -> tuple[int, int, bool, int]:
    """Returns what notes of the same onset, pitch and program have in common."""
    milliseconds = round(note.start_time * 1000)
    return milliseconds, note.pitch, note.is_drum, note.program


@checked
def check_bars(
    bars: Bars | None, *, length: int | None, beam: int | None, changes: bool
) -> None:
    """Raises UsageError if bars of new music cannot be counted.

    Args:
      bars: their number; None for any.
      length: of a piece, in events.
      beam: width of a beam search.
      changes: whether the bars of the primer are rewritten.
    """
    if bars is None:
        return
    require(length is None, "give `bars` or `length`, but not both.")
    require(
        beam is None,
        "beam search ends where the likeliest piece ends: leave `bars` or `beam` out.",
    )
    require(
        not changes,
        "`rewrite` and `span` change the bars of the primer: leave `bars` out.",
    )
