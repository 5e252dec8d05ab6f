"""Scores as MEI, which Verovio engraves.

Music Encoding Initiative, guidelines version 5.0 (https://music-encoding.org). Of the
notation, everything that is printed is written.
"""

import itertools
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from zoo.data.bars import MODEL
from zoo.listen.score.rhythm import beats
from zoo.listen.score.shape import (
    QUARTER,
    WHOLE,
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
from zoo.listen.score.verses import verses

ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
CLEFS = {
    **{"treble": ("G", "2"), "alto": ("C", "3"), "bass": ("F", "4")},
    "percussion": ("perc", "3"),
}
POSITIONS = {"begin": "i", "middle": "m", "end": "t"}  # of a syllable in its word
BOTTOM_LINE = 30  # the step of E4, from which places of percussion count
TEMPO_CHANGE = 1.05  # ratio of tempos from which on a change is printed


def mei(score: Score) -> str:
    """Returns a score as MEI.

    Chords and single notes have ids: "note-1" is the first that `sounding` yields.
    """
    return _Writer(score).document()


def sounding(score: Score) -> Iterator[Event]:
    """Yields the chords of a score, bar by bar, staff by staff and layer by layer."""
    for bar in score.bars:
        for layer in itertools.chain(*bar.staves):
            yield from (event for event in events(layer) if event.heads)


class _Writer:
    """Writes one score.

    Attributes:
      count: the number of chords so far.
      verses: the verse of each layer that has lyrics, by the index of its staff.
      staff: the number of the current staff.
      verse: the verse of the current layer, 0 without one.
      extending: the staves and verses in which a line extends a syllable.
    """

    def __init__(self, score: Score):
        self.score, self.count = score, 0
        self.verses, self.staff, self.verse = verses(score), 0, 0
        self.extending: set[tuple[int, int]] = set()

    def document(self) -> str:
        root = Element("mei", xmlns="http://www.music-encoding.org/ns/mei")
        root.set("meiversion", "5.0")
        statement = _nest(root, "meiHead/fileDesc/titleStmt")
        if self.score.title:
            SubElement(statement, "title").text = self.score.title
        if self.score.composer:
            composer = SubElement(statement, "composer")
            composer.text = self.score.composer
        score = _nest(root, "music/body/mdiv/score")
        self._definition(score)
        section = SubElement(score, "section")
        tempos = self._tempos()
        for number, bar in enumerate(self.score.bars, 0 if self.score.pickup else 1):
            self._change(section, bar)
            measure = SubElement(section, "measure", n=str(number))
            if bar.partial:
                measure.set("metcon", "false")
            if bar is self.score.bars[-1]:
                whole = len(self.score.bars) == self.score.total
                measure.set("right", "end" if whole else "single")
            self._bar(measure, bar)
            self._marks(measure, bar, tempos)
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)

    def _definition(self, score: Element) -> None:
        first = self.score.bars[0]
        definition = SubElement(score, "scoreDef", _signatures(first))
        group = SubElement(definition, "staffGrp")
        several = len(self.score.parts) > 1
        if several:
            group.set("symbol", "bracket")
        numbers = itertools.count(1)
        for part in self.score.parts:
            staves = group
            if len(part.clefs) > 1 and not several:
                staves = group
                group.set("symbol", "bracket" if part.choir else "brace")
                group.set("bar.thru", "true")
            elif len(part.clefs) > 1:
                staves = SubElement(group, "staffGrp", symbol="brace")
                staves.set("bar.thru", "true")
            if several and part.name and staves is not group:
                SubElement(staves, "label").text = part.name
            for clef in part.clefs:
                shape, line = CLEFS[clef]
                staff = SubElement(staves, "staffDef", n=str(next(numbers)), lines="5")
                staff.set("clef.shape", shape)
                staff.set("clef.line", line)
                if part.drums:
                    staff.set("keysig", "0")
                if several and part.name and staves is group:
                    SubElement(staff, "label").text = part.name

    def _change(self, section: Element, bar: Bar) -> None:
        """Writes a new metre or key before a bar."""
        if bar is not self.score.bars[0] and (bar.stated or bar.keyed):
            SubElement(section, "scoreDef", _signatures(bar))

    def _bar(self, measure: Element, bar: Bar) -> None:
        staves = [
            (part, i) for part in self.score.parts for i in range(len(part.clefs))
        ]
        for number, ((part, _), layers) in enumerate(
            zip(staves, bar.staves, strict=True), 1
        ):
            staff = SubElement(measure, "staff", n=str(number))
            alone = not any(layers)
            for place, layer in enumerate(layers[:1] if alone else layers, 1):
                if layer or alone:
                    written = SubElement(staff, "layer", n=str(place))
                    self.staff = number
                    self.verse = self.verses.get((number - 1, place - 1), 0)
                    self._layer(written, layer, part)
                    if not layer:
                        SubElement(written, "mRest")

    def _layer(self, parent: Element, layer: Layer, part: Part) -> None:
        for beam, items in itertools.groupby(layer, key=lambda item: item.beam):
            target = SubElement(parent, "beam") if beam else parent
            for item in items:
                if isinstance(item, Tuplet):
                    ratio = {"num": str(item.count), "numbase": str(item.normal)}
                    if any(event.beam == 0 for event in item.events):
                        ratio["bracket.visible"] = "true"
                    self._layer(SubElement(target, "tuplet", ratio), item.events, part)
                else:
                    self._event(target, item, part)

    def _event(self, parent: Element, event: Event, part: Part) -> None:
        duration = {"dur": str(event.kind)}
        if event.dots:
            duration["dots"] = str(event.dots)
        if not event.heads:
            SubElement(parent, "space" if event.hidden else "rest", duration)
            return
        self.count += 1
        identity = {"xml:id": f"note-{self.count}"}
        if len(event.heads) == 1:
            note = SubElement(parent, "note", identity | duration)
            _head(note, event.heads[0], event, part)
            self._lyric(note, event)
            return
        chord = SubElement(parent, "chord", identity | duration)
        self._lyric(chord, event)
        for head in event.heads:
            _head(SubElement(chord, "note"), head, event, part)

    def _lyric(self, chord: Element, event: Event) -> None:
        """Writes the syllable of a chord, or an empty one that ends an extension."""
        lyric, line = event.lyric, (self.staff, self.verse)
        sung = lyric is not None and lyric.text
        extends = event.held or (lyric is not None and lyric.extend and not sung)
        if not self.verse or extends or not (sung or line in self.extending):
            return
        self.extending.discard(line)
        verse = SubElement(chord, "verse", n=str(self.verse))
        syllable = SubElement(verse, "syl")
        if lyric is None or not lyric.text:
            return
        syllable.text = lyric.text
        if lyric.syllabic in POSITIONS:
            syllable.set("wordpos", POSITIONS[lyric.syllabic])
        if lyric.syllabic in ("begin", "middle"):
            syllable.set("con", "d")
        elif lyric.extend == "start":
            syllable.set("con", "u")
            self.extending.add(line)

    def _tempos(self) -> list[tuple[int, float]]:
        """Returns the tempos to print: the first, and those that differ audibly."""
        printed: list[tuple[int, float]] = []
        for tick, qpm in self.score.tempos:
            last = printed[-1][1] if printed else 0.0
            if not last or max(qpm / last, last / qpm) >= TEMPO_CHANGE:
                printed.append((tick, qpm))
        return printed

    def _marks(
        self, measure: Element, bar: Bar, tempos: list[tuple[int, float]]
    ) -> None:
        for tick, qpm in tempos:
            if bar.start <= tick < bar.end:
                tempo = SubElement(measure, "tempo", staff="1", place="above")
                tempo.set("tstamp", _tstamp(tick, bar))
                dotted = beats(bar.metre)[0] == 3 * QUARTER // 2
                beat, rate = ("♩.", qpm / 1.5) if dotted else ("♩", qpm)
                tempo.text = f"{beat} = {rate:.0f}"
        model = self.score.model
        if model is not None and bar.start <= model < bar.end:
            words = SubElement(measure, "dir", staff="1", place="above")
            words.set("tstamp", _tstamp(model, bar))
            words.text = MODEL
        for tick, text in bar.harmonies:
            harmony = SubElement(measure, "harm", staff="1", place="above")
            harmony.set("tstamp", _tstamp(tick, bar))
            harmony.text = text


def _nest(parent: Element, path: str) -> Element:
    """Adds elements inside each other, and returns the innermost."""
    for name in path.split("/"):
        parent = SubElement(parent, name)
    return parent


def _signatures(bar: Bar) -> dict[str, str]:
    attributes = {}
    if bar.stated:
        attributes["meter.count"] = str(bar.metre[0])
        attributes["meter.unit"] = str(bar.metre[1])
    if bar.keyed:
        sign = "s" if bar.fifths > 0 else "f" if bar.fifths < 0 else ""
        attributes["keysig"] = f"{abs(bar.fifths)}{sign}"
    return attributes


def _tstamp(tick: int, bar: Bar) -> str:
    """Returns a position in a bar as MEI counts it: in metre units, from 1."""
    return f"{1 + (tick - bar.start) * bar.metre[1] / WHOLE:.3f}"


def _head(note: Element, head: Head, event: Event, part: Part) -> None:
    """Writes what is specific to a notehead."""
    if part.drums:
        note.set("loc", str(head.step - BOTTOM_LINE))
        if head.cross:
            note.set("head.shape", "x")
    else:
        octave, letter = divmod(head.step, 7)
        note.set("pname", LETTERS[letter].lower())
        note.set("oct", str(octave))
        shown = head.shown is not None and not event.held
        if shown or head.alter:
            note.set("accid" if shown else "accid.ges", ACCIDENTALS[head.alter])
    if (event.tied or event.held) and not part.drums:
        ends = {(True, False): "i", (True, True): "m", (False, True): "t"}
        note.set("tie", ends[event.tied, event.held])
