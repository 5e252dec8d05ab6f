"""Lyrics of a NoteSequence: the syllable that each note is sung to.

The protos have no lyrics, so each is a text annotation without a type, at the time of
its note: `lyric 0 1 begin Hal` is the syllable "Hal" of instrument 0 and voice 1, with
which a word begins. A note without an annotation extends the syllable before it in
its line (a melisma, also over rests), until `lyric 0 1 none`, from which on notes are
not sung. Of several verses, readers keep the first.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zoo.data.proto import NoteSequence
from zoo.errors import printable

NONE = "none"  # notes from here on are not sung
NEAR = 0.05  # seconds; a syllable that lies farther from all notes has none
TEXT = re.compile(r"lyric (\d{1,9}) (\d{1,9}) (none|single|begin|middle|end)(?: (.*))?")

Line = tuple[int, int]  # instrument and voice


class Syllable(NamedTuple):
    """The syllable of a note.

    Attributes:
      text: the syllable, without hyphens to its neighbours.
      syllabic: its place in its word, as in MusicXML: "single" is a whole word, others
        are "begin", "middle" and "end".
      extends: whether the note extends the syllable of the note before, in a melisma.
    """

    text: str = ""
    syllabic: str = "single"
    extends: bool = False

    @property
    def joined(self) -> bool:
        """Says whether the next syllable is of the same word."""
        return self.syllabic in ("begin", "middle")


EXTENDS = Syllable(extends=True)  # enough to state where readers find a melisma
Onset = tuple[float, Syllable | None]  # time in seconds, and what is sung
Sung = tuple[float, float, Syllable | None]  # the same with the time of the offset


def syllabic(after: bool, before: bool) -> str:
    """Returns the place of a syllable in its word.

    Args:
      after: whether it follows a syllable of its word.
      before: whether one of its word follows it.
    """
    if after:
        return "middle" if before else "end"
    return "begin" if before else "single"


def clean(text: str) -> str:
    """Returns a text on one line, without control characters and outer spaces.

    Without the two signs that XML cannot contain, too.
    """
    return " ".join(printable(re.sub("[\ufffe\uffff]", "", text)).split())


def has_lyrics(sequence: NoteSequence) -> bool:
    """Says whether a piece has lyrics."""
    return any(TEXT.fullmatch(x.text) for x in sequence.text_annotations)


def lyrics_of(sequence: NoteSequence) -> list[Syllable | None]:
    """Returns the syllable of each note, in the order of the notes; None is not sung.

    A note that extends a syllable has its text, too. Of a chord, the first note is
    sung. A note that begins while a sung one of its line sounds is not.
    """
    result: list[Syllable | None] = [None] * len(sequence.notes)
    words = _annotations(sequence)
    if not words:
        return result
    lines: dict[Line, list[int]] = defaultdict(list)
    for index, note in enumerate(sequence.notes):
        lines[note.instrument, note.voice].append(index)
    for line, indices in lines.items():
        if line in words:
            ordered = sorted(indices, key=lambda i: sequence.notes[i].start_time)
            _align(sequence, ordered, words[line], result=result)
    return result


def _annotations(sequence: NoteSequence) -> dict[Line, list[Onset]]:
    """Returns the lyrics of each line, by time."""
    words: dict[Line, list[Onset]] = defaultdict(list)
    for annotation in sequence.text_annotations:
        match = TEXT.fullmatch(annotation.text)
        if match:
            instrument, voice, place, text = match.groups()
            found = None if place == NONE else Syllable(text or "", place)
            words[int(instrument), int(voice)].append((annotation.time, found))
    for onsets in words.values():
        onsets.sort(key=lambda onset: onset[0])
    return words


def _align(
    sequence: NoteSequence,
    indices: list[int],
    onsets: list[Onset],
    *,
    result: list[Syllable | None],
) -> None:
    """Writes the syllables of a line, whose notes are ordered by time, to `result`."""
    notes = [sequence.notes[i] for i in indices]
    starts = [note.start_time for note in notes]
    sung: dict[int, Syllable | None] = {}
    for time, syllable in onsets:
        after = bisect_left(starts, time)
        before = bisect_left(starts, starts[after - 1]) if after else 0
        near = min(
            (i for i in (before, after) if i < len(starts)),
            key=lambda i: abs(starts[i] - time),
        )
        if abs(starts[near] - time) <= NEAR:
            sung.setdefault(near, syllable)
    current: Syllable | None = None
    end = 0.0
    for place, (index, note) in enumerate(zip(indices, notes, strict=True)):
        if place in sung:
            current = result[index] = sung[place]
        elif current is None or note.start_time < end - NEAR:
            continue
        else:
            result[index] = current._replace(extends=True)
        end = note.end_time


def write_lyrics(sequence: NoteSequence, lyrics: Sequence[Syllable | None]) -> None:
    """Replaces the lyrics of a piece.

    Args:
      sequence: the piece.
      lyrics: what `lyrics_of` returns of it then; `EXTENDS` needs no text.
    """
    others = [x for x in sequence.text_annotations if not TEXT.fullmatch(x.text)]
    kept = [type(x).FromString(x.SerializeToString()) for x in others]
    del sequence.text_annotations[:]
    sequence.text_annotations.extend(kept)
    for line, notes in by_line(sequence, lyrics).items():
        write_line(sequence, line, [(start, word) for start, _, word in notes])


def by_line(
    sequence: NoteSequence, lyrics: Sequence[Syllable | None]
) -> dict[Line, list[Sung]]:
    """Returns the onsets of each line in order, each once.

    Notes that are not sung and begin while a sung one sounds are left out.
    """
    lines: dict[Line, list[Sung]] = defaultdict(list)
    notes = zip(sequence.notes, lyrics, strict=True)
    ordered = sorted(notes, key=lambda x: (x[0].start_time, x[1] is None))
    ends: dict[Line, float] = defaultdict(float)
    for note, syllable in ordered:
        line = note.instrument, note.voice
        onsets = lines[line]
        if onsets and onsets[-1][0] == note.start_time:
            continue
        if syllable is not None:
            ends[line] = note.end_time
        elif note.start_time < ends[line] - NEAR:
            continue
        onsets.append((note.start_time, note.end_time, syllable))
    return lines


def write_line(sequence: NoteSequence, line: Line, onsets: Iterable[Onset]) -> None:
    """Adds the lyrics of a line to a piece.

    Files contradict themselves in what is a word. A syllable that says that its word
    goes on is believed, and what the next one says of that is not.

    Args:
      sequence: the piece.
      line: instrument and voice of its notes.
      onsets: the onsets of its notes in order, each with its syllable.
    """
    head, singing, joined = f"lyric {line[0]} {line[1]}", False, False
    for time, syllable in onsets:
        if syllable is not None and syllable.extends:
            continue
        text = clean(syllable.text) if syllable is not None else ""
        if syllable is not None and text:
            words = f"{head} {syllabic(joined, syllable.joined)} {text}"
            sequence.text_annotations.add(time=time, text=words)
            joined = syllable.joined
        elif singing:
            sequence.text_annotations.add(time=time, text=f"{head} {NONE}")
        singing = bool(text)
