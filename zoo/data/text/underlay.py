"""Words laid on the notes of a melody.

The rules of underlay are those of hymns: words are not divided between phrases where
this can be avoided, and where there are more notes than syllables, short notes off the
beat extend the syllable before them.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.lyrics import EXTENDS, Line, Syllable, write_lyrics
from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused
from zoo.data.text.lines import sung_lines
from zoo.data.text.reading import ENGINES
from zoo.data.text.syllables import SpokenSyllable

REST = 0.2  # quarters without a note that end a phrase
LONGEST = 16  # notes of a phrase; longer ones are divided
FILLED = 2 / 3  # share of a phrase after which it may end with a line of the text


class Laid(NamedTuple):
    """A piece with lyrics, and remarks: one `code: sentence` for each."""

    sequence: NoteSequence
    remarks: tuple[str, ...]


def lay(
    sequence: NoteSequence,
    text: str,
    engine: str = ENGINES[0],
    line: Line | None = None,
) -> Laid:
    """Returns a piece with the lyrics of a text, which is repeated where it runs out.

    Args:
      sequence: the piece.
      text: the words, in lines.
      engine: what pronounces them, "cmudict" or "espeak".
      line: instrument and voice that is sung; by default that of the highest notes.

    Raises:
      Refused: `notes`: there are none; others as `sung_lines`.
      ZooError, UsageError: as `read`.
    """
    piece = NoteSequence()
    piece.CopyFrom(sequence)
    indices = sung_line(piece, line)
    lines, remarks = sung_lines(text, engine)
    phrases = phrases_of(piece, indices)
    words = [_by_word(row) for row in lines]
    lyrics: list[Syllable | None] = [None] * len(piece.notes)
    queue: list[list[list[SpokenSyllable]]] = []
    verses = 0
    clock = quarters(piece)
    for phrase in phrases:
        taken: list[SpokenSyllable] = []
        while len(taken) < len(phrase):
            if not queue:
                queue, verses = [list(row) for row in words], verses + 1
            if not _take(taken, queue, len(phrase)):
                break
        times = [(piece.notes[i].start_time, piece.notes[i].end_time) for i in phrase]
        begins = beginnings(clock(np.array(times)), len(taken))
        syllables = iter(taken)
        for index, begin in zip(phrase, begins, strict=True):
            lyrics[index] = next(syllables).lyric if begin else EXTENDS
    write_lyrics(piece, lyrics)
    if verses > 1:
        remarks = (*remarks, f"repeated: the text is sung {verses} times")
    return Laid(piece, remarks)


def _take(
    taken: list[SpokenSyllable], queue: list[list[list[SpokenSyllable]]], size: int
) -> bool:
    """Moves the next word to those of a phrase of `size` notes; False if it is full."""
    word = queue[0][0]
    if len(taken) + len(word) > size:
        if taken:
            return False
        taken += word[:size]  # the rest is sung in the next phrase
        queue[0][0] = word[size:]
        return False
    taken += queue[0].pop(0)
    if not queue[0]:
        queue.pop(0)
        return len(taken) < FILLED * size
    return True


def _by_word(row: Sequence[SpokenSyllable]) -> list[list[SpokenSyllable]]:
    """Returns the syllables of each word of a line."""
    words: list[list[SpokenSyllable]] = [[]]
    for syllable in row:
        words[-1].append(syllable)
        if not syllable.lyric.joined:
            words.append([])
    return [word for word in words if word]


def sung_line(sequence: NoteSequence, line: Line | None = None) -> list[int]:
    """Returns the indices of the notes of a line, by time; of a chord, the highest.

    Args:
      sequence: the piece.
      line: instrument and voice; by default the one with the highest notes.

    Raises:
      Refused: `notes`: there are none.
    """
    lines: dict[Line, list[int]] = defaultdict(list)
    for index, note in enumerate(sequence.notes):
        if not note.is_drum and note.end_time > note.start_time:
            lines[note.instrument, note.voice].append(index)
    if line is None and lines:
        notes = sequence.notes
        line = max(lines, key=lambda k: np.mean([notes[i].pitch for i in lines[k]]))
    if line is None or line not in lines:
        raise Refused("notes", "There are no notes to lay words on: give a melody.")
    ordered = sorted(
        lines[line],
        key=lambda i: (sequence.notes[i].start_time, -sequence.notes[i].pitch),
    )
    found: list[int] = []
    for index in ordered:
        start = sequence.notes[index].start_time
        if not found or start > sequence.notes[found[-1]].start_time + 1e-6:
            found.append(index)
    return found


def phrases_of(sequence: NoteSequence, indices: Sequence[int]) -> list[list[int]]:
    """Divides the notes of a line at rests, and long phrases after long notes."""
    clock = quarters(sequence)
    times = [
        (sequence.notes[i].start_time, sequence.notes[i].end_time) for i in indices
    ]
    at = clock(np.array(times))
    cuts = 1 + np.flatnonzero(at[1:, 0] - at[:-1, 1] > REST)
    edges = [0, *cuts.tolist(), len(indices)]
    lengths = np.diff(at[:, 0], append=at[-1, 1])
    spans = [
        part for a, b in itertools.pairwise(edges) for part in _parted(lengths, a, b)
    ]
    return [list(indices[a:b]) for a, b in spans]


def _parted(lengths: np.ndarray, start: int, stop: int) -> list[tuple[int, int]]:
    """Divides a phrase near its middle, after a note that is long, until all are short.

    Args:
      lengths: from each note to the next, in quarters.
      start: the first note.
      stop: after the last.
    """
    count = stop - start
    if count <= LONGEST:
        return [(start, stop)]
    places = np.arange(start + count // 4, stop - count // 4)
    off = np.abs(places + 1 - (start + stop) / 2) / count
    cut = 1 + int(places[np.argmax(lengths[places] - 4 * off)])
    return [*_parted(lengths, start, cut), *_parted(lengths, cut, stop)]


def beginnings(times: np.ndarray, syllables: int) -> list[bool]:
    """Says which notes of a phrase begin a syllable; the others extend one.

    Short notes extend first, then those off the beat, spread evenly.

    Args:
      times: onset and offset of each note in quarters, [n, 2].
      syllables: how many there are, from 1 to n.
    """
    count = len(times)
    onset, length = times[:, 0], np.round(times[:, 1] - times[:, 0], 3)
    at = np.round(onset * 4) / 4
    weight = sum((at % unit != 0).astype(int) for unit in (2.0, 1.0, 0.5))
    kinds = sorted({(a, -b) for a, b in zip(length.tolist(), weight, strict=True)})
    begins, spare = [True] * count, count - syllables
    for size, off in kinds:
        same = np.flatnonzero((length == size) & (weight == -off))
        same = same[same > 0]
        few = min(spare, len(same))
        chosen = same[
            np.floor((np.arange(few) + 0.5) * len(same) / max(few, 1)).astype(int)
        ]
        for place in chosen:
            begins[place] = False
        spare -= few
    return begins
