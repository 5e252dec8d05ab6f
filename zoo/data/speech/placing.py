"""Places of phonemes in time when they are sung.

The vowel of a syllable begins on the beat of its note. The consonants before it come
before the beat, in the length in which they were spoken, those after it come before the
note ends, and the vowel takes the rest (as singers do: J. Sundberg, The science of the
singing voice, 1987, chapter 8). Times are in seconds.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.refusal import Refused
from zoo.data.text.inventory import CONSONANTS, VOWELS, is_vowel
from zoo.data.text.syllables import divided

SILENT = -1  # the number of the phoneme that silence has
LEGATO = 0.06  # a shorter gap between notes is no rest
SHORTEST, SHARE = 0.12, 0.4  # the least vowel: seconds, or this share of a short note


class SungNote(NamedTuple):
    """A note that is sung.

    Attributes:
      pitch: MIDI number.
      start: in seconds.
      end: in seconds.
      syllable: number of its syllable, from 0; several notes on one are a melisma.
    """

    pitch: int
    start: float
    end: float
    syllable: int


class Placed(NamedTuple):
    """A phoneme in a song, or silence.

    Attributes:
      phoneme: its number in the utterance; SILENT.
      start: in seconds.
      end: in seconds.
    """

    phoneme: int
    start: float
    end: float


class Syllable(NamedTuple):
    """The numbers of the phonemes of a syllable.

    Attributes:
      first: of its first phoneme.
      vowel: of its vowel.
      stop: after its last phoneme.
    """

    first: int
    vowel: int
    stop: int


class Layout(NamedTuple):
    """Phonemes and silences in order, which join, and what was changed for them.

    Attributes:
      placed: the phonemes and silences.
      remarks: one `code: sentence` for each change.
    """

    placed: tuple[Placed, ...]
    remarks: tuple[str, ...]


def is_sounding(name: str) -> bool:
    """Says whether a name is that of a phoneme, and not of a silence."""
    return name in CONSONANTS or name.rstrip("012") in VOWELS


def syllables_in(
    phonemes: Sequence[str], words: Sequence[range] = ()
) -> list[Syllable]:
    """Returns the syllables of spoken phonemes.

    Phonemes are divided within words if these are known, else between silences. What
    has no vowel belongs to the syllable before it, or else to the one after it.

    Args:
      phonemes: of ARPAbet; other names are silences.
      words: the numbers of the phonemes of each word.
    """
    found: list[Syllable] = []
    waiting: int | None = None  # the first consonant of a syllable without a vowel
    for run in words or _runs(phonemes):
        first = run.start
        for part in divided(tuple(phonemes[run.start : run.stop])):
            stop = first + len(part)
            vowel = next((i for i in range(first, stop) if _vowel(phonemes[i])), None)
            if vowel is not None:
                begin = first if waiting is None else waiting
                found.append(Syllable(begin, vowel, stop))
                waiting = None
            elif found and all(map(is_sounding, phonemes[found[-1].stop : stop])):
                found[-1] = found[-1]._replace(stop=stop)
            elif waiting is None:
                waiting = first
            first = stop
    return found


def _vowel(name: str) -> bool:
    return is_sounding(name) and is_vowel(name)


def _runs(phonemes: Sequence[str]) -> list[range]:
    """Returns the numbers of the phonemes between silences."""
    edges = [-1, *(i for i, x in enumerate(phonemes) if not is_sounding(x))]
    edges.append(len(phonemes))
    return [range(a + 1, b) for a, b in itertools.pairwise(edges) if b > a + 1]


def require_notes(notes: Sequence[SungNote], syllables: Sequence[Syllable]) -> None:
    """Raises Refused unless notes and syllables belong together.

    Raises:
      Refused: `notes`: there are none, or fewer than syllables, or they do not follow
        each other; `words`: there are none, or fewer than notes need.
    """
    if not notes:
        raise Refused("notes", "There are words but no notes: give a note for each.")
    if not syllables:
        raise Refused("words", "There are notes but no words: give them lyrics.")
    sung = [note.syllable for note in notes]
    if sorted(set(sung)) != list(range(max(sung) + 1)) or sung != sorted(sung):
        raise Refused(
            "notes",
            "The syllables of the notes are not 0, 1, 2 and so on in order: number "
            "them so, and repeat a number for each further note of a melisma.",
        )
    if len(syllables) > max(sung) + 1:
        raise Refused(
            "notes",
            f"There are {len(syllables)} syllables and notes for {max(sung) + 1}: give "
            "more notes, or fewer words.",
        )
    if len(syllables) < max(sung) + 1:
        raise Refused(
            "words",
            f"There are {len(syllables)} syllables and notes for {max(sung) + 1}: give "
            "more words, or make melismas of the notes.",
        )
    times = np.array([(note.start, note.end) for note in notes])
    ordered = (times[:, 0] < times[:, 1]).all() and (
        times[1:, 0] >= times[:-1, 1] - 1e-6
    ).all()
    if not (np.isfinite(times).all() and times.min() >= 0 and ordered):
        raise Refused(
            "notes", "The notes are not a line in time: let each end before the next."
        )


def joined(notes: Sequence[SungNote]) -> list[SungNote]:
    """Returns notes without the short gaps that are no rests."""
    after = [note.start for note in notes[1:]] + [np.inf]
    return [
        note._replace(end=start if start - note.end < LEGATO else note.end)
        for note, start in zip(notes, after, strict=True)
    ]


def place(
    lengths: np.ndarray, syllables: Sequence[Syllable], notes: Sequence[SungNote]
) -> Layout:
    """Places the phonemes of an utterance under notes.

    Args:
      lengths: the length of each phoneme as it was spoken, in seconds, [t].
      syllables: the numbers of the phonemes of each syllable.
      notes: the notes in order, as `require_notes` demands, without short gaps.
    """
    groups = [list(x) for _, x in itertools.groupby(notes, lambda note: note.syllable)]
    before = np.array([lengths[x.first : x.vowel].sum() for x in syllables])
    after = np.array([lengths[x.vowel + 1 : x.stop].sum() for x in syllables])
    scale_before, scale_after = np.ones(len(groups)), np.ones(len(groups))
    late, scale_before[0] = _beginning(groups[0][0], before[0])
    for index, group in enumerate(groups):
        last = index == len(groups) - 1
        gap = 0.0 if last else groups[index + 1][0].start - group[-1].end
        following = 0.0 if last else before[index + 1]
        begin = late if index == 0 and len(group) == 1 else 0.0
        space = group[-1].end - group[-1].start - begin
        space -= min(SHORTEST, SHARE * space)
        scale = _scale(space, gap, after[index], following)
        scale_after[index] = scale
        if not last:
            scale_before[index + 1] = scale
    placed: list[Placed] = []
    for index, (syllable, group) in enumerate(zip(syllables, groups, strict=True)):
        last = index == len(groups) - 1
        beat = group[0].start + (late if index == 0 else 0.0)
        head = lengths[syllable.first : syllable.vowel] * scale_before[index]
        _append(placed, syllable.first, np.append(beat - head.sum(), head))
        end = group[-1].end
        if not last:
            begins = before[index + 1] * scale_before[index + 1]
            end = min(end, groups[index + 1][0].start - begins)
        tail = lengths[syllable.vowel + 1 : syllable.stop] * scale_after[index]
        for start, stop in _sounding(group, beat, end - tail.sum()):
            _append(placed, syllable.vowel, np.array([start, stop - start]))
        _append(placed, syllable.vowel + 1, np.append(end - tail.sum(), tail))
    remarks = []
    changed = np.concatenate([before[scale_before < 1], after[scale_after < 1]])
    if count := int(np.sum(changed > 0)):
        remarks.append(f"shortened: the consonants of {count} notes were too long")
    if late:
        remarks.append(f"late: the first vowel begins {1000 * late:.0f} ms late")
    return Layout(tuple(_with_silence(placed, notes[-1].end)), tuple(remarks))


def _beginning(note: SungNote, before: float) -> tuple[float, float]:
    """Returns how late the first vowel begins, and the scale of what is before it.

    Nothing can be sung before time 0.
    """
    late = min(max(before - note.start, 0.0), 0.5 * (note.end - note.start))
    return late, min(1.0, (note.start + late) / before) if before else 1.0


def _scale(space: float, gap: float, after: float, following: float) -> float:
    """Returns the scale of the consonants after a vowel and those before the next.

    Args:
      space: seconds that they may take of a note.
      gap: seconds of the rest after it, in which the latter may lie.
      after: seconds of the consonants after the vowel.
      following: seconds of those before the next vowel.
    """
    if after + max(following - gap, 0.0) <= space:
        return 1.0
    scale = (space + gap) / (after + following)
    return scale if scale * following >= gap else space / after


def _sounding(
    group: Sequence[SungNote], begin: float, end: float
) -> list[tuple[float, float]]:
    """Returns the times in which a vowel sounds: not in rests of a melisma."""
    spans = [(begin, group[0].end)]
    for note in group[1:]:
        if note.start > spans[-1][1]:
            spans.append((note.start, note.end))
        else:
            spans[-1] = spans[-1][0], note.end
    return [*spans[:-1], (spans[-1][0], end)]


def _append(placed: list[Placed], first: int, times: np.ndarray) -> None:
    """Adds phonemes from the number `first` on: a start, and the length of each."""
    edges = np.cumsum(times).tolist()
    for number, (start, end) in enumerate(itertools.pairwise(edges), first):
        placed.append(Placed(number, start, end))


def _with_silence(placed: Sequence[Placed], end: float) -> list[Placed]:
    """Returns phonemes with silences between those that do not join."""
    found: list[Placed] = []
    at = 0.0
    for one in placed:
        if one.start > at + 1e-6:
            found.append(Placed(SILENT, at, one.start))
        found.append(one._replace(start=max(at, one.start)))
        at = one.end
    if end > at + 1e-6:
        found.append(Placed(SILENT, at, end))
    return found
