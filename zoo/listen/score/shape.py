"""The shape of a notated piece, from which scores are engraved and written.

Time is counted in ticks, `QUARTER` per quarter note, so that 64ths, triplets,
quintuplets and septuplets are whole numbers.
"""

import dataclasses
from typing import NamedTuple

QUARTER = 1680
WHOLE = 4 * QUARTER
SHORTEST = QUARTER // 16  # a 64th

Metre = tuple[int, int]


class Lyric(NamedTuple):
    """The lyric of a chord.

    Without a text it extends the syllable before or, if it is no melisma either, says
    that the chord after a syllable is not sung.

    Attributes:
      text: its syllable, or "".
      syllabic: "single", "begin", "middle" or "end" of a word, as in MusicXML.
      extend: its place in a melisma, "start", "continue" or "stop"; "" outside of one.
    """

    text: str = ""
    syllabic: str = "single"
    extend: str = ""


@dataclasses.dataclass(frozen=True)
class Head:
    """A notehead.

    Attributes:
      pitch: the MIDI pitch.
      step: number of letters above C0 (middle C is 28).
      alter: -1 for a flat, 1 for a sharp.
      shown: the accidental to print, if any.
      cross: whether the head is a cross, as that of a cymbal.
    """

    pitch: int
    step: int
    alter: int = 0
    _: dataclasses.KW_ONLY
    shown: int | None = None
    cross: bool = False


@dataclasses.dataclass(frozen=True)
class Event:
    """A chord, or a rest if it has no heads.

    Attributes:
      start: onset in ticks.
      ticks: duration in ticks.
      kind: the note value without dots, as the denominator of a whole note.
      dots: number of dots.
      heads: the noteheads, from the lowest.
      velocity: the loudness of the chord, as in MIDI.
      tied: whether it is tied to the next event of its layer.
      held: whether the event before is tied to it.
      hidden: whether it is a rest that is not printed.
      beam: number of the beam in its bar; 0 without one.
      lyric: its lyric, if it is sung; None if the event before is tied to it.
    """

    start: int
    ticks: int
    kind: int
    _: dataclasses.KW_ONLY
    dots: int = 0
    heads: tuple[Head, ...] = ()
    velocity: int = 0
    tied: bool = False
    held: bool = False
    hidden: bool = False
    beam: int = 0
    lyric: Lyric | None = None

    @property
    def end(self) -> int:
        """The offset in ticks."""
        return self.start + self.ticks

    @property
    def flags(self) -> int:
        """The number of flags or beams."""
        return max(self.kind.bit_length() - 3, 0)


@dataclasses.dataclass(frozen=True)
class Tuplet:
    """Events of which `count` are played in the time of `normal` of one value."""

    count: int
    normal: int
    events: tuple[Event, ...]

    @property
    def start(self) -> int:
        """The onset in ticks."""
        return self.events[0].start

    @property
    def beam(self) -> int:
        """0, because the beams of a tuplet are those of its events."""
        return 0


Layer = tuple[Event | Tuplet, ...]


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar of music.

    Attributes:
      start: onset in ticks.
      end: offset in ticks.
      metre: the time signature (numerator, denominator).
      stated: whether the time signature is printed, because it is new.
      fifths: number of sharps in the key signature; negative for flats.
      mode: the mode that the piece states, such as "minor", or "".
      keyed: whether the key signature is printed, because it is new.
      partial: whether the bar is shorter than its metre: a pickup, or its complement.
      staves: the layers of each staff.
      harmonies: chord symbols, by their onset in ticks.
    """

    start: int
    end: int
    metre: Metre
    _: dataclasses.KW_ONLY
    stated: bool
    fifths: int
    mode: str = ""
    keyed: bool = False
    partial: bool = False
    staves: tuple[tuple[Layer, ...], ...] = ()
    harmonies: tuple[tuple[int, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """A player, on one staff or two.

    Attributes:
      name: its name.
      clefs: the clef of each staff: "treble", "alto", "bass" or "percussion".
      program: the General MIDI program, counted from 0.
      choir: whether its staves are shared by voices, and bracketed, not braced.
    """

    name: str
    clefs: tuple[str, ...]
    program: int
    _: dataclasses.KW_ONLY
    choir: bool = False

    @property
    def drums(self) -> bool:
        """Says whether it is percussion."""
        return self.clefs == ("percussion",)


@dataclasses.dataclass(frozen=True)
class Score:
    """A notated piece.

    Attributes:
      title: the title, or "".
      composer: the composer, or "".
      parts: the parts; their staves are numbered in order.
      bars: the bars.
      tempos: quarters per minute, by their onset in ticks.
      pickup: whether the first bar is an upbeat.
      total: number of bars of the whole piece, of which `bars` are the first.
      model: the ticks at which a model begins, if the piece has the mark.
    """

    title: str
    composer: str
    parts: tuple[Part, ...]
    _: dataclasses.KW_ONLY
    bars: tuple[Bar, ...]
    tempos: tuple[tuple[int, float], ...]
    pickup: bool
    total: int
    model: int | None = None


def events(layer: Layer) -> list[Event]:
    """Returns the events of a layer, with those in tuplets."""
    return [
        event
        for item in layer
        for event in (item.events if isinstance(item, Tuplet) else (item,))
    ]
