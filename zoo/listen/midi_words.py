"""Lyrics as events of MIDI files (RP-017, SMF Lyric Meta Event Definition).

A word ends with a space. `zoo.data.scores.midi_words` says how notes without a
syllable are read.
"""

from collections.abc import Callable, Iterator, Sequence

from zoo.data.lyrics import Syllable, by_line
from zoo.data.proto import TICKS, NoteSequence

HOLD, SILENT = "_", " "  # a melisma goes on after a rest; a note is not sung
REST = 2  # a rest is at least this part of a quarter

Events = list[tuple[int, str]]


def tracks_of_words(
    sequence: NoteSequence,
    lyrics: Sequence[Syllable | None],
    tick: Callable[[float], int],
) -> dict[int, Events]:
    """Returns the ticks and texts of the lyrics of each instrument, in order.

    Of several voices of an instrument, the first that is sung has its lyrics written.

    Args:
      sequence: the piece.
      lyrics: the syllables of its notes.
      tick: the map from seconds to ticks.
    """
    quarter = sequence.ticks_per_quarter or TICKS
    tracks: dict[int, Events] = {}
    for (instrument, _), notes in sorted(by_line(sequence, lyrics).items()):
        if instrument not in tracks and any(word for _, _, word in notes):
            places = [(tick(start), tick(end), word) for start, end, word in notes]
            tracks[instrument] = list(_events(places, quarter))
    return tracks


def _events(
    notes: list[tuple[int, int, Syllable | None]], quarter: int
) -> Iterator[tuple[int, str]]:
    """Yields the texts of a track: those that a reader cannot conclude from others.

    Args:
      notes: onset and offset in ticks, and the syllable of each note.
      quarter: ticks of a quarter.
    """
    singing, last = False, 0
    for start, end, syllable in notes:
        legato = (start - last) * REST < quarter
        if syllable is None:
            if singing and legato:
                yield start, SILENT
            singing = False
        elif not syllable.extends:
            yield start, syllable.text + " " * (not syllable.joined)
            singing = True
        elif not legato:
            yield start, HOLD
        last = max(end, last)
