"""Lyrics of a MIDI file: lyric events, or the texts of a karaoke file.

A word ends with a space (RP-017, SMF Lyric Meta Event Definition) or before a line
break; in karaoke files spaces and breaks stand before words. In files without spaces
each event is a word, or a syllable if it ends with a hyphen. The standard has no sign
for melismas: a note without an event continues the syllable before it, unless a rest
lies between. Of spaces alone, an event says that its note is not sung; of a `_`, that
its note extends the syllable before.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from zoo.data.lyrics import EXTENDS, Syllable, clean, syllabic, write_line
from zoo.data.proto import NoteSequence
from zoo.data.scores.midi_events import META, MidiFile
from zoo.data.scores.midi_lines import DRUM_CHANNEL, Line, decode
from zoo.data.scores.timeline import Clock

TEXT, LYRIC = 0x01, 0x05  # types of meta events
NEAR = 4  # a syllable lies within this part of a quarter of its note
REST = 2  # a rest is at least this part of a quarter
SPACED = 20  # words end with spaces if one of so many events has one
KARAOKE = b"@K"  # begins the first text of a karaoke file

_CODES = re.compile(r"\{[@#][^}]*\}")  # RP-026: language and tags
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BOUNDS = re.compile(r"([\s\\/]*)(.*?)(\s*)", re.DOTALL)


class Word(NamedTuple):
    """A text of a file.

    Attributes:
      tick: its time.
      text: the text; empty if there are only spaces.
      after: whether a space or line break precedes it.
      before: whether one follows it.
    """

    tick: int
    text: str
    after: bool
    before: bool

    @property
    def holds(self) -> bool:
        """Says whether it only continues the syllable before."""
        return bool(self.text) and not self.text.strip("_-")


def write_words(
    sequence: NoteSequence,
    file: MidiFile,
    lines: list[Line],
    *,
    seconds: Clock,
    remarks: Counter[str],
) -> None:
    """Writes the lyrics of the lines, each of which is an instrument."""
    written = set()
    for track, events in _events(file):
        words = list(_words(events))
        index = _line(words, lines, track, file.division)
        if index is None:
            remarks["syllables-without-note"] += len(_texts(words))
        elif index in written:
            remarks["verses"] += 1
        else:
            written.add(index)
            sung = _aligned(words, lines[index], file.division, remarks)
            onsets = ((seconds(tick), syllable) for tick, syllable in sung)
            write_line(sequence, (index, 0), onsets)


def _events(file: MidiFile) -> list[tuple[int, list[tuple[int, str]]]]:
    """Returns ticks and texts of each track that has lyrics.

    In a karaoke file without lyric events, the track with the most texts has them.
    """
    tracks = [
        [(x.tick, x.data, x.kind) for x in track if x.status == META]
        for track in file.tracks
    ]
    texts = [[x for x in track if x[2] == TEXT] for track in tracks]
    chosen = [[x for x in track if x[2] == LYRIC] for track in tracks]
    if not any(chosen) and any(d.startswith(KARAOKE) for x in texts for _, d, _ in x):
        texts = [[x for x in track if not x[1].startswith(b"@")] for track in texts]
        most = max(range(len(texts)), key=lambda i: len(texts[i]))
        chosen[most] = texts[most]
    encoding = decode(b"\n".join(d for x in chosen for _, d, _ in x))[1]
    return [
        (i, [(tick, data.decode(encoding)) for tick, data, _ in track])
        for i, track in enumerate(chosen)
        if track
    ]


def _words(events: list[tuple[int, str]]) -> Iterator[Word]:
    """Yields the words of a track; line breaks are in those after and before them."""
    waiting: Word | None = None
    broken = False
    for tick, text in events:
        text = _CONTROLS.sub("", _CODES.sub("", text))
        match = _BOUNDS.fullmatch(text)
        before, core, after = match.groups() if match else ("", "", "")
        core = clean(core)
        if core or before.strip(" ") == "" != before:
            if waiting is not None:
                yield waiting
            waiting = Word(tick, core, broken or bool(before), bool(after))
            broken = False
        elif text:
            broken = True
            waiting = waiting and waiting._replace(before=True)
    if waiting is not None:
        yield waiting


def _texts(words: list[Word]) -> list[Word]:
    """Returns the words that are syllables."""
    return [word for word in words if word.text and not word.holds]


def _line(
    words: list[Word], lines: list[Line], track: int, division: int
) -> int | None:
    """Returns the index of the line that words belong to, if there is one.

    It is one of their track, if half of the words lie at its notes. Otherwise it is the
    one with the most words for its notes, and notes for the words.
    """
    ticks = [word.tick for word in _texts(words)]

    def share(index: int) -> tuple[float, float]:
        onsets = _onsets(lines[index])
        found = sum(_near(onsets, tick, division) is not None for tick in ticks)
        return 2 * found / (len(ticks) + len(onsets)), found / len(ticks)

    pitched = [i for i, x in enumerate(lines) if x.channel != DRUM_CHANNEL]
    if not ticks or not pitched:
        return None
    own = max((i for i in pitched if lines[i].track == track), key=share, default=None)
    if own is not None and share(own)[1] >= 0.5:
        return own
    best = max(pitched, key=share)
    return best if share(best)[1] else None


def _onsets(line: Line) -> list[int]:
    return sorted({sound.start for sound in line.sounds})


def _near(onsets: Sequence[int], tick: int, division: int) -> int | None:
    """Returns the onset nearest to a tick, if it is near."""
    after = bisect_left(onsets, tick)
    nearest = min(onsets[max(after - 1, 0) : after + 1], key=lambda x: abs(x - tick))
    return nearest if abs(nearest - tick) * NEAR <= division else None


def _aligned(
    words: list[Word], line: Line, division: int, remarks: Counter[str]
) -> Iterator[tuple[int, Syllable | None]]:
    """Yields the onsets of a line with their syllables."""
    onsets = _onsets(line)
    sung: dict[int, Syllable | None] = {}
    for word, syllable in _syllables(_texts(words)):
        onset = _near(onsets, word.tick, division)
        if onset is None or onset in sung:
            remarks["syllables-without-note"] += 1
        else:
            sung[onset] = syllable
    for word in words:
        onset = _near(onsets, word.tick, division)
        if onset is not None and (word.holds or not word.text):
            sung.setdefault(onset, EXTENDS if word.holds else None)
    ends = {sound.start: sound.end for sound in line.sounds}
    end = 0
    for onset in onsets:
        legato = (onset - end) * REST < division
        yield onset, sung.get(onset, EXTENDS if legato else None)
        end = max(end, ends[onset])


def _syllables(words: list[Word]) -> Iterator[tuple[Word, Syllable]]:
    """Yields words with their syllables."""
    spaces = sum(word.after or word.before for word in words)
    spaced = spaces * SPACED >= len(words) and spaces > 0
    joints = [False]
    for word, following in pairwise(words):
        if spaced:
            joints.append(not (word.before or following.after))
        else:
            joints.append(word.text.endswith("-"))
    joints.append(bool(words) and not spaced and words[-1].text.endswith("-"))
    for word, after, before in zip(words, joints, joints[1:], strict=False):
        text = word.text.rstrip("-") if before else word.text
        yield word, Syllable(text, syllabic(after, before))
