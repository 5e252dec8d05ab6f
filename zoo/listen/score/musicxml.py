"""Scores as MusicXML 4.0, which MuseScore, Dorico, Finale and Sibelius open.

Elements stand in the order of the schema (https://www.w3.org/2021/06/musicxml40/).
"""

import itertools
import math
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from zoo.data.bars import MODEL
from zoo.listen.score.musicxml_marks import (
    add_text,
    beam_states,
    write_harmony,
    write_lyric,
    write_tempo,
)
from zoo.listen.score.shape import (
    QUARTER,
    Bar,
    Event,
    Head,
    Layer,
    Part,
    Score,
    Tuplet,
    events,
)
from zoo.listen.score.spelling import LETTERS

DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)
TYPES = {
    **{1: "whole", 2: "half", 4: "quarter", 8: "eighth", 16: "16th", 32: "32nd"},
    64: "64th",
}
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
CLEFS = {
    **{"treble": ("G", "2"), "alto": ("C", "3"), "bass": ("F", "4")},
    "percussion": ("percussion", ""),
}
VOICES = 4  # numbers of voices on a staff, as MuseScore counts them
DRUM_CHANNEL = 10


def musicxml(score: Score) -> str:
    """Returns a score as a MusicXML document."""
    root = Element("score-partwise", version="4.0")
    _write_header(root, score)
    divisor = math.gcd(QUARTER, *_lengths(score))
    staff = 0
    for number, part in enumerate(score.parts, 1):
        element = SubElement(root, "part", id=f"P{number}")
        writer = _PartWriter(score, part, number=number, staff=staff, divisor=divisor)
        for bar in score.bars:
            writer.write(element, bar)
        staff += len(part.clefs)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{DOCTYPE}\n{text}\n'


def _lengths(score: Score) -> Iterator[int]:
    """Yields all ticks that the document states as durations."""
    for bar in score.bars:
        yield bar.end - bar.start
        yield from (tick - bar.start for tick, _ in bar.harmonies)
        if score.model is not None and bar.start <= score.model < bar.end:
            yield score.model - bar.start
        yield from (t - bar.start for t, _ in score.tempos if bar.start <= t < bar.end)
        for layer in itertools.chain(*bar.staves):
            yield from (event.ticks for event in events(layer))


def _write_header(root: Element, score: Score) -> None:
    if score.title:
        add_text(SubElement(root, "work"), "work-title", score.title)
    identification = SubElement(root, "identification")
    if score.composer:
        creator = add_text(identification, "creator", score.composer)
        creator.set("type", "composer")
    add_text(SubElement(identification, "encoding"), "software", "music-zoo")
    listed = SubElement(root, "part-list")
    channels = itertools.cycle(x for x in range(1, 17) if x != DRUM_CHANNEL)
    for number, part in enumerate(score.parts, 1):
        element = SubElement(listed, "score-part", id=f"P{number}")
        name = add_text(element, "part-name", part.name)
        if not part.name:
            name.set("print-object", "no")
        keys = _drum_keys(score, number - 1) if part.drums else [-1]
        channel = DRUM_CHANNEL if part.drums else next(channels)
        for key in keys:
            instrument = SubElement(element, "score-instrument")
            instrument.set("id", _instrument(number, key))
            drum = f"Drum {key}" if part.drums else part.name or "Instrument"
            add_text(instrument, "instrument-name", drum)
        for key in keys:
            midi = SubElement(element, "midi-instrument", id=_instrument(number, key))
            add_text(midi, "midi-channel", channel)
            add_text(midi, "midi-program", part.program + 1)
            if part.drums:
                add_text(midi, "midi-unpitched", key + 1)


def _instrument(part: int, key: int) -> str:
    return f"P{part}-I{key + 1}" if key >= 0 else f"P{part}-I1"


def _drum_keys(score: Score, index: int) -> list[int]:
    """Returns the pitches of the percussion part of that index."""
    staff = sum(len(part.clefs) for part in score.parts[:index])
    chords = (e for b in score.bars for layer in b.staves[staff] for e in events(layer))
    return sorted({head.pitch for event in chords for head in event.heads})


class _PartWriter:
    """Writes the measures of a part, whose staves begin at `staff` of each bar."""

    def __init__(
        self, score: Score, part: Part, *, number: int, staff: int, divisor: int
    ):
        self.score, self.part, self.number = score, part, number
        self.staff, self.divisor = staff, divisor

    def write(self, parent: Element, bar: Bar) -> None:
        """Writes one measure."""
        index = self.score.bars.index(bar) if bar is self.score.bars[0] else len(parent)
        count = index if self.score.pickup else index + 1
        measure = SubElement(parent, "measure", number=str(count))
        if bar.partial:
            measure.set("implicit", "yes")
        self._attributes(measure, bar, first=index == 0)
        if self.number == 1:
            self._directions(measure, bar)
        position = bar.start
        for place in range(len(self.part.clefs)):
            layers = bar.staves[self.staff + place]
            for voice, layer in enumerate(layers):
                if not layer and voice:
                    continue
                self._move(measure, bar.start - position)
                number = 1 + VOICES * place + voice
                self._layer(measure, layer, bar, voice=number, place=place)
                position = bar.end
        if bar is self.score.bars[-1]:
            line = SubElement(measure, "barline", location="right")
            whole = len(self.score.bars) == self.score.total
            add_text(line, "bar-style", "light-heavy" if whole else "regular")

    def _move(self, measure: Element, ticks: int) -> None:
        """Moves the position of what follows."""
        if ticks:
            name = "forward" if ticks > 0 else "backup"
            add_text(SubElement(measure, name), "duration", abs(ticks) // self.divisor)

    def _attributes(self, measure: Element, bar: Bar, *, first: bool) -> None:
        if not (first or bar.stated or bar.keyed):
            return
        attributes = SubElement(measure, "attributes")
        if first:
            add_text(attributes, "divisions", QUARTER // self.divisor)
        if bar.keyed:
            key = SubElement(attributes, "key")
            add_text(key, "fifths", 0 if self.part.drums else bar.fifths)
            if bar.mode and not self.part.drums:
                add_text(key, "mode", bar.mode)
        if bar.stated:
            time = SubElement(attributes, "time")
            add_text(time, "beats", bar.metre[0])
            add_text(time, "beat-type", bar.metre[1])
        if not first:
            return
        if len(self.part.clefs) > 1:
            add_text(attributes, "staves", len(self.part.clefs))
        for number, name in enumerate(self.part.clefs, 1):
            sign, line = CLEFS[name]
            clef = SubElement(attributes, "clef")
            if len(self.part.clefs) > 1:
                clef.set("number", str(number))
            add_text(clef, "sign", sign)
            if line:
                add_text(clef, "line", line)

    def _directions(self, measure: Element, bar: Bar) -> None:
        """Writes tempos and chord symbols, each at its place."""
        for tick, qpm in self.score.tempos:
            if bar.start <= tick < bar.end:
                self._move(measure, tick - bar.start)
                write_tempo(measure, bar, qpm)
                self._move(measure, bar.start - tick)
        model = self.score.model
        if model is not None and bar.start <= model < bar.end:
            self._move(measure, model - bar.start)
            direction = SubElement(measure, "direction", placement="above")
            add_text(SubElement(direction, "direction-type"), "words", MODEL)
            self._move(measure, bar.start - model)
        for tick, text in bar.harmonies:
            self._move(measure, tick - bar.start)
            write_harmony(measure, text)
            self._move(measure, bar.start - tick)

    def _layer(
        self, measure: Element, layer: Layer, bar: Bar, *, voice: int, place: int
    ) -> None:
        if not layer:
            note = SubElement(measure, "note")
            SubElement(note, "rest", measure="yes")
            add_text(note, "duration", (bar.end - bar.start) // self.divisor)
            self._place(note, voice, place)
            return
        beams = dict(
            zip(map(id, events(layer)), beam_states(events(layer)), strict=True)
        )
        for item in layer:
            inside = item.events if isinstance(item, Tuplet) else (item,)
            for event in inside:
                for i, head in enumerate(event.heads or (None,)):
                    note = SubElement(measure, "note")
                    self._note(note, event, head, chord=i > 0)
                    add_text(note, "voice", voice)
                    _write_type(note, event, head)
                    if isinstance(item, Tuplet):
                        ratio = SubElement(note, "time-modification")
                        add_text(ratio, "actual-notes", item.count)
                        add_text(ratio, "normal-notes", item.normal)
                    if head is not None and head.cross:
                        add_text(note, "notehead", "x")
                    if len(self.part.clefs) > 1:
                        add_text(note, "staff", place + 1)
                    for level, state in enumerate([] if i else beams[id(event)], 1):
                        add_text(note, "beam", state).set("number", str(level))
                    _write_notations(note, event, item, chord=i > 0)
                    if event.lyric is not None and not i:
                        write_lyric(note, event.lyric)

    def _place(self, note: Element, voice: int, place: int) -> None:
        add_text(note, "voice", voice)
        if len(self.part.clefs) > 1:
            add_text(note, "staff", place + 1)

    def _note(
        self, note: Element, event: Event, head: Head | None, *, chord: bool
    ) -> None:
        """Writes pitch, duration, ties and instrument."""
        if chord:
            SubElement(note, "chord")
        if head is None:
            SubElement(note, "rest")
            if event.hidden:
                note.set("print-object", "no")
        else:
            octave, letter = divmod(head.step, 7)
            prefix = "display-" if self.part.drums else ""
            pitch = SubElement(note, "unpitched" if self.part.drums else "pitch")
            add_text(pitch, f"{prefix}step", LETTERS[letter])
            if head.alter:
                add_text(pitch, "alter", head.alter)
            add_text(pitch, f"{prefix}octave", octave)
        add_text(note, "duration", event.ticks // self.divisor)
        if head is not None:
            for name, present in (("stop", event.held), ("start", event.tied)):
                if present and not self.part.drums:
                    SubElement(note, "tie", type=name)
            if self.part.drums:
                key = _instrument(self.number, head.pitch)
                SubElement(note, "instrument", id=key)


def _write_type(note: Element, event: Event, head: Head | None) -> None:
    """Writes the note value and the accidental."""
    add_text(note, "type", TYPES[event.kind])
    for _ in range(event.dots):
        SubElement(note, "dot")
    if head is not None and head.shown is not None and not event.held:
        add_text(note, "accidental", ACCIDENTALS[head.shown])


def _write_notations(
    note: Element, event: Event, item: Event | Tuplet, *, chord: bool
) -> None:
    marks: list[tuple[str, dict[str, str]]] = []
    if event.heads:
        marks += [("tied", {"type": "stop"})] * event.held
        marks += [("tied", {"type": "start"})] * event.tied
    if isinstance(item, Tuplet) and not chord:
        if event is item.events[0]:
            bracket = "no" if all(e.beam for e in item.events) else "yes"
            marks.append(("tuplet", {"type": "start", "bracket": bracket}))
        if event is item.events[-1]:
            marks.append(("tuplet", {"type": "stop"}))
    if marks:
        notations = SubElement(note, "notations")
        for name, attributes in marks:
            SubElement(notations, name, attributes)
