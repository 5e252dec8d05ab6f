"""Tempos, chord symbols and beams in MusicXML."""

import itertools
import re
from xml.etree.ElementTree import Element, SubElement

from zoo.data.scores.musicxml_values import STANDARD_KINDS
from zoo.listen.score.rhythm import beats
from zoo.listen.score.shape import QUARTER, Bar, Event, Lyric

CHORD = re.compile(r"([A-G])([#b♯♭]?)([^/]*)(?:/([A-G])([#b♯♭]?))?")
ALTERS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
KINDS = {
    **{symbol: kind for kind, symbol in STANDARD_KINDS.items()},
    **{"maj": "major", "M": "major", "min": "minor", "M7": "major-seventh"},
    **{"min7": "minor-seventh", "+": "augmented", "sus4": "suspended-fourth"},
}


def add_text(parent: Element, name: str, value: object) -> Element:
    """Adds an element with a text, and returns it."""
    element = SubElement(parent, name)
    element.text = str(value)
    return element


def write_tempo(measure: Element, bar: Bar, qpm: float) -> None:
    """Writes a tempo, in the beats of its bar."""
    direction = SubElement(measure, "direction", placement="above")
    kind = SubElement(direction, "direction-type")
    metronome = SubElement(kind, "metronome")
    dotted = beats(bar.metre)[0] == 3 * QUARTER // 2
    add_text(metronome, "beat-unit", "quarter")
    if dotted:
        SubElement(metronome, "beat-unit-dot")
    add_text(metronome, "per-minute", f"{qpm / 1.5 if dotted else qpm:.6g}")
    SubElement(direction, "sound", tempo=f"{qpm:.9g}")


def write_harmony(measure: Element, symbol: str) -> None:
    """Writes a chord symbol, if it is one."""
    match = CHORD.fullmatch(symbol)
    if match is None:
        return
    root, sign, kind, bass, bass_sign = match.groups()
    harmony = SubElement(measure, "harmony")
    for name, step, alter in (("root", root, sign), ("bass", bass, bass_sign)):
        if step is not None:
            element = SubElement(harmony, name)
            add_text(element, f"{name}-step", step)
            if ALTERS[alter or ""]:
                add_text(element, f"{name}-alter", ALTERS[alter or ""])
        if name == "root":
            add_text(harmony, "kind", KINDS.get(kind, "other")).set("text", kind)


def write_lyric(note: Element, lyric: Lyric) -> None:
    """Writes a syllable, the end of a melisma, or an empty text: not sung."""
    if lyric.extend == "continue":
        return
    element = SubElement(note, "lyric", number="1")
    if lyric.text:
        add_text(element, "syllabic", lyric.syllabic)
    if lyric.text or not lyric.extend:
        add_text(element, "text", lyric.text)
    if lyric.extend:
        SubElement(element, "extend", type=lyric.extend)


def beam_states(layer: list[Event]) -> list[list[str]]:
    """Returns the states of the beams of each event, by level."""
    states: list[list[str]] = []
    for number, run in itertools.groupby(layer, key=lambda e: e.beam):
        flags = [event.flags if number else 0 for event in run]
        for i, count in enumerate(flags):
            before, after = ([0, *flags][i], [*flags, 0][i + 1])
            level = range(1, count + 1)
            states.append([_beam(before >= x, after >= x, i > 0) for x in level])
    return states


def _beam(before: bool, after: bool, hooked_back: bool) -> str:
    if before and after:
        return "continue"
    if before or after:
        return "end" if before else "begin"
    return "backward hook" if hooked_back else "forward hook"
