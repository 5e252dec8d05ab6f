"""The parts of a MusicXML score: notes, keys, metres and tempos at exact positions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from typing import ClassVar

from zoo.data.scores import musicxml_values as values
from zoo.data.scores.musicxml_values import (
    DRUM_CHANNEL,
    Element,
    Instrument,
    changed_instrument,
)
from zoo.data.scores.musicxml_words import Words

VELOCITY = 64  # until <sound dynamics>, as in note_seq
FORTE = Fraction(9, 10)  # velocity of one percent of the dynamics
SHORTEST = Fraction(1, 4096)  # of a note, in quarters
FINEST = 1 << 40  # the largest denominator of a position
MAX_VOICE = 1000


@dataclass
class Note:
    """A note of a part; times are in quarters."""

    start: Fraction
    end: Fraction
    pitch: int
    _: KW_ONLY
    velocity: int
    voice: int
    program: int
    is_drum: bool


@dataclass
class Part:
    """The contents of a part. Positions are in quarters.

    Attributes:
      name: its name in the part list.
      instruments: its instruments by id, the default first.
      notes: its notes in the order of the file, tied ones joined.
      keys: position, tonic and mode.
      metres: position, numerator and denominator.
      tempos: position and quarters per minute, of <sound>.
      metronomes: the same, of printed marks.
      chords: position and symbol.
      remarks: counts of what was left out.
      words: its lyrics.
    """

    name: str
    instruments: dict[str, Instrument]
    _: KW_ONLY
    notes: list[Note] = field(default_factory=list)
    keys: list[tuple[Fraction, int, int]] = field(default_factory=list)
    metres: list[tuple[Fraction, int, int]] = field(default_factory=list)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    metronomes: list[tuple[Fraction, float]] = field(default_factory=list)
    chords: list[tuple[Fraction, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    words: Words = field(init=False)

    def __post_init__(self) -> None:
        self.words = Words(self.remarks)


class PartReader:
    """Reads the bars of a part in order.

    Attributes:
      part: what has been read.
      end: the end of the last bar.
      silent: whether that bar has only rests.
      full: the end that it has if it lasts as long as its metre; None for pickups.
    """

    def __init__(self, part: Part):
        self.part = part
        self.default = next(iter(part.instruments))
        self.divisions = Fraction(1)
        self.position = self.start = self.end = Fraction(0)
        self.silent = True
        self.full: Fraction | None = None
        self.velocity = VELOCITY
        # semitones and steps of the transposition, by staff; "" for all staves
        self.transpositions: dict[str, tuple[int, int | None]] = {}
        self.voices: dict[str, int] = {}
        self.onset = Fraction(0)  # of the last note that is not within a chord
        self.length = Fraction(0)  # its duration
        # indices of notes with open ties, by voice and pitch
        self.ties: dict[tuple[int, int], int] = {}

    def read(self, measure: Element, start: Fraction) -> None:
        """Reads a bar that begins at `start`."""
        self.start = self.position = self.end = start
        self.silent = True
        self.full = None
        for child in measure:
            method = self._METHODS.get(child.tag)
            if method:
                method(self, child)
        if self.part.metres and measure.get("implicit") != "yes":
            _, numerator, denominator = self.part.metres[-1]
            self.full = start + Fraction(4 * numerator, denominator)

    def _move(self, position: Fraction) -> None:
        if position.denominator > FINEST:
            position = position.limit_denominator(FINEST)
        self.position = max(self.start, position)
        self.end = max(self.end, self.position)

    def _backup(self, element: Element) -> None:
        self._move(self.position - values.duration(element) / self.divisions)

    def _forward(self, element: Element) -> None:
        self._move(self.position + values.duration(element) / self.divisions)

    def _attributes(self, element: Element) -> None:
        divisions = values.number(element.findtext("divisions"))
        if divisions is not None and divisions > 0:
            self.divisions = divisions
        for transpose in element.findall("transpose"):
            staff = transpose.get("number", "")
            self.transpositions[staff] = values.transposition(transpose)
        for found in element.findall("key")[:1]:
            key = values.key(found, self._transposition("1")[0])
            if key is None:
                self.part.remarks["keys"] += 1
            else:
                self.part.keys.append((self.position, *key))
        for found in element.findall("time")[:1]:
            metre = values.metre(found)
            if metre is None:
                self.part.remarks["metres"] += 1
            else:
                self.part.metres.append((self.start, *metre))

    def _transposition(self, staff: str) -> tuple[int, int | None]:
        default = self.transpositions.get("", (0, None))
        return self.transpositions.get(staff, default)

    def _direction(self, element: Element) -> None:
        sounds = element.findall("sound")
        for sound in sounds:
            self._sound(sound)
        if any(sound.get("tempo") for sound in sounds):
            return
        for metronome in element.findall("direction-type/metronome"):
            qpm = values.metronome(metronome)
            if qpm is None:
                self.part.remarks["tempos"] += 1
            else:
                self.part.metronomes.append((self.position, qpm))

    def _sound(self, element: Element) -> None:
        text = element.get("tempo")
        qpm = values.tempo(text)
        if qpm is not None:
            self.part.tempos.append((self._offset(element), qpm))
        elif text is not None:
            self.part.remarks["tempos"] += 1
        dynamics = values.number(element.get("dynamics"))
        if dynamics is not None:
            self.velocity = min(max(round(dynamics * FORTE), 1), 127)
        for instrument in element.findall("midi-instrument"):
            name = instrument.get("id", "")
            before = self.part.instruments.get(name)
            if before is not None:
                self.part.instruments[name] = changed_instrument(instrument, before)

    def _offset(self, element: Element) -> Fraction:
        """Returns the position of an element, moved by its <offset>."""
        offset = values.number(element.findtext("offset")) or Fraction(0)
        return max(self.start, self.position + offset / self.divisions)

    def _harmony(self, element: Element) -> None:
        symbol = values.chord(element, *self._transposition("1"))
        if symbol is None:
            self.part.remarks["chord-symbols"] += 1
        else:
            self.part.chords.append((self._offset(element), symbol))

    def _note(self, element: Element) -> None:
        children = {child.tag: child for child in element}
        if "grace" in children:
            self.part.remarks["grace-notes"] += 1
            return
        self.silent = self.silent and "rest" in children
        length = Fraction(0)
        if "duration" in children:
            length = values.duration(element) / self.divisions
        if "chord" in children:
            # A note of a chord is not longer than the first. Some programs write
            # another duration.
            length = min(length, self.length) if length else self.length
        else:
            self.onset, self.length = self.position, length
            self._move(self.position + length)
        if "cue" in children:
            self.part.remarks["cue-notes"] += "rest" not in children
        elif "rest" in children:
            voice = self._voice(element.findtext("voice"))
            self.part.words.rest(element, voice, self.onset)
        else:
            self._sounding(element, children, length)

    def _sounding(
        self, element: Element, children: dict[str, Element], length: Fraction
    ) -> None:
        """Adds a note that sounds, or lengthens the note that it is tied to."""
        if length < SHORTEST:
            self.part.remarks["notes-without-length"] += 1
            return
        name = children["instrument"].get("id", "") if "instrument" in children else ""
        instruments = self.part.instruments
        instrument = instruments.get(name, instruments[self.default])
        is_drum = instrument.channel == DRUM_CHANNEL
        if "pitch" in children:
            staff = (element.findtext("staff") or "1").strip()
            pitch = values.pitch(children["pitch"]) + self._transposition(staff)[0]
        elif instrument.drum is not None:
            pitch, is_drum = instrument.drum, True
        else:
            self.part.remarks["unpitched-notes"] += 1
            return
        note = Note(
            self.onset,
            self.onset + length,
            pitch,
            velocity=self.velocity,
            voice=self._voice(element.findtext("voice")),
            program=instrument.program,
            is_drum=is_drum,
        )
        marks = [*element.findall("tie"), *element.findall("notations/tied")]
        tied = self._tie(note, {mark.get("type", "") for mark in marks})
        self.part.words.note(element, note.voice, self.onset, tied=tied)

    def _tie(self, note: Note, marks: set[str]) -> bool:
        """Adds a note, or joins it to the note that it is tied to.

        Returns:
          Whether it is joined.
        """
        before = None
        if marks & {"stop", "continue"}:
            before = self._tied(note)
        tied = before is not None
        if before is None:
            before = len(self.part.notes)
            self.part.notes.append(note)
        else:
            self.part.notes[before].end = note.end
        self.ties.pop((note.voice, note.pitch), None)
        if marks & {"start", "continue"}:
            self.ties[note.voice, note.pitch] = before
        return tied

    def _tied(self, note: Note) -> int | None:
        """Returns the index of the note that ends in a tie to `note`.

        It is of the same voice, or else of another voice of the part.
        """
        voices = [note.voice, *(v for v, p in self.ties if p == note.pitch)]
        for voice in voices:
            index = self.ties.get((voice, note.pitch))
            if index is not None and self.part.notes[index].end == note.start:
                del self.ties[voice, note.pitch]
                return index
        return None

    def _voice(self, text: str | None) -> int:
        """Returns the number of a voice; other names are numbered from MAX_VOICE on."""
        number = values.integer(text or "1")
        if number is not None and 0 <= number < MAX_VOICE:
            return number
        found = self.voices.setdefault(text or "", len(self.voices))
        return MAX_VOICE + found % 16

    _METHODS: ClassVar[dict[str, Callable[["PartReader", Element], None]]] = {
        "attributes": _attributes,
        "backup": _backup,
        "forward": _forward,
        "direction": _direction,
        "sound": _sound,
        "harmony": _harmony,
        "note": _note,
    }
