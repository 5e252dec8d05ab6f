"""Scores as ABC, standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1)."""

import itertools
from collections.abc import Iterator
from fractions import Fraction

from zoo.data.bars import MODEL
from zoo.data.refusal import Refused
from zoo.listen.score.shape import (
    WHOLE,
    Bar,
    Event,
    Head,
    Layer,
    Score,
    Tuplet,
    events,
)
from zoo.listen.score.spelling import FIFTHS, LETTERS, signature_alters
from zoo.listen.score.verses import Words

UNIT = 8  # the unit length is an eighth
BARS = 4  # of a line
MODES = {  # fifths of the tonic above that of the major key, and the suffix
    **{"": (0, ""), "major": (0, ""), "minor": (3, "m"), "dorian": (2, "dor")},
    **{"mixolydian": (1, "mix"), "phrygian": (4, "phr"), "lydian": (-1, "lyd")},
    "locrian": (5, "loc"),
}
SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


def abc(score: Score) -> str:
    """Returns a score as an ABC tune, with a voice for each layer.

    Raises:
      Refused: `percussion`: the score has a part for drums.
    """
    if any(part.drums for part in score.parts):
        raise Refused(
            "percussion", "ABC has no notation of drums: write MusicXML instead."
        )
    first = score.bars[0]
    lines = ["X:1", f"T:{_line(score.title) or 'Untitled'}"]
    lines += [f"C:{_line(score.composer)}"] if score.composer else []
    lines += [f"M:{_metre(first)}", f"L:1/{UNIT}"]
    lines += [f"Q:{_tempo(score.tempos[0][1])}"] if score.tempos else []
    lines += [f"K:{_key(first)}"]
    voices = list(_voices(score))
    for i, (staff, clef, program) in enumerate(voices):
        if len(voices) > 1:
            lines.append(f"V:{i + 1} clef={clef}")
        if program:
            lines.append(f"%%MIDI program {program}")
        place = sum(v[0] == staff for v in voices[:i])
        lines += _music(score, staff, place, leading=i == 0)
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """Returns a text that fits in one field: without line breaks and comments."""
    return " ".join(text.replace("%", r"\%").split())


def _voices(score: Score) -> Iterator[tuple[int, str, int]]:
    """Yields the staff, the clef and the program of each voice."""
    clefs = [(clef, part.program) for part in score.parts for clef in part.clefs]
    for staff, (clef, program) in enumerate(clefs):
        layers = max(len(bar.staves[staff]) for bar in score.bars)
        for layer in range(layers):
            sounds = (len(b.staves[staff]) > layer and b.staves[staff][layer]
                      for b in score.bars)  # fmt: skip
            if not layer or any(sounds):
                yield staff, clef, program


def _music(score: Score, staff: int, place: int, *, leading: bool) -> Iterator[str]:
    """Yields the lines of a voice; the leading one has tempos and chord symbols.

    In a voice with lyrics, the words of each line of music follow it.
    """
    bars: list[str] = []
    notes: list[list[Event]] = []
    for bar in score.bars:
        layer = bar.staves[staff][place] if place < len(bar.staves[staff]) else ()
        text = "" if bar is score.bars[0] else _changes(bar)
        marks = list(_marks(score, bar)) if leading else []
        bars.append(text + _bar(layer, bar, marks, hidden=place > 0))
        notes.append([event for event in events(layer) if event.heads])
    sung = any(event.lyric for event in itertools.chain(*notes))
    words = Words()
    for i in range(0, len(bars), BARS):
        ending = "|" if i + BARS < len(bars) else "|]"
        yield " | ".join(bars[i : i + BARS]) + f" {ending}"
        if sung:
            yield words.line(itertools.chain(*notes[i : i + BARS]))


def _changes(bar: Bar) -> str:
    metre = f"[M:{_metre(bar)}]" if bar.stated else ""
    return metre + (f"[K:{_key(bar)}]" if bar.keyed else "")


def _marks(score: Score, bar: Bar) -> Iterator[tuple[int, str]]:
    """Yields tempos, but the first, and chord symbols, with their ticks."""
    for tick, qpm in score.tempos[1:]:
        if bar.start <= tick < bar.end:
            yield tick, f"[Q:{_tempo(qpm)}]"
    if score.model is not None and bar.start <= score.model < bar.end:
        yield score.model, f'"^{MODEL}"'
    for tick, symbol in bar.harmonies:
        yield tick, '"' + symbol.replace('"', "") + '"'


def _bar(layer: Layer, bar: Bar, marks: list[tuple[int, str]], *, hidden: bool) -> str:
    if not layer:
        silence = Fraction((bar.end - bar.start) * UNIT, WHOLE)
        before = "".join(text for _, text in sorted(marks))
        return before + ("x" if hidden else "z") + _length(silence)
    words: list[str] = []
    waiting, altered = sorted(marks), set[str]()
    for beam, items in itertools.groupby(layer, key=lambda item: item.beam):
        word = ""
        for item in items:
            inside = item.events if isinstance(item, Tuplet) else (item,)
            if isinstance(item, Tuplet):
                word += f"({item.count}:{item.normal}:{len(inside)}"
            for event in inside:
                while waiting and waiting[0][0] <= event.start:
                    word += waiting.pop(0)[1]
                word += _event(event, bar, altered)
            if not beam:
                words.append(word)
                word = ""
        words += [word] if word else []
    return " ".join(words)


def _event(event: Event, bar: Bar, altered: set[str]) -> str:
    value = Fraction(UNIT, event.kind) * (Fraction(3, 2) if event.dots else 1)
    if not event.heads:
        return ("x" if event.hidden else "z") + _length(value)
    notes = [_pitch(head, bar, altered) for head in event.heads]
    chord = notes[0] if len(notes) == 1 else f"[{''.join(notes)}]"
    return chord + _length(value) + "-" * event.tied


def _pitch(head: Head, bar: Bar, altered: set[str]) -> str:
    """Returns a pitch. A letter that was altered in its bar always has its sign.

    Readers differ in whether a sign holds in other octaves.
    """
    octave, letter = divmod(head.step, 7)
    name = LETTERS[letter]
    sign = ""
    if head.alter != signature_alters(bar.fifths)[letter] or name in altered:
        sign = SIGNS[head.alter]
        altered.add(name)
    name = name.lower() if octave > 4 else name
    return sign + name + ("'" * (octave - 5) if octave > 4 else "," * (4 - octave))


def _length(value: Fraction) -> str:
    if value == 1:
        return ""
    numerator = "" if value.numerator == 1 else str(value.numerator)
    return numerator + (f"/{value.denominator}" if value.denominator > 1 else "")


def _metre(bar: Bar) -> str:
    return f"{bar.metre[0]}/{bar.metre[1]}"


def _tempo(qpm: float) -> str:
    return f"1/4={qpm:.4f}".rstrip("0").rstrip(".")


def _key(bar: Bar) -> str:
    shift, suffix = MODES[bar.mode]
    alter, letter = divmod(bar.fifths + shift + 1, 7)
    return FIFTHS[letter] + ("#" * alter if alter > 0 else "b" * -alter) + suffix
