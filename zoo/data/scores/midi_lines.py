"""The lines of a MIDI file: the notes of one channel of a track."""

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from zoo.data.scores.midi_events import (
    META,
    NOTE_ON,
    PROGRAM_CHANGE,
    Event,
    MidiFile,
)

DRUM_CHANNEL = 9
TRACK_NAME = 0x03  # type of a meta event
NOTE_OFF, CONTROL_CHANGE, PITCH_BEND = 0x8, 0xB, 0xE  # high nibbles of status bytes


class Sound(NamedTuple):
    """A note of a line."""

    start: int
    end: int
    pitch: int
    velocity: int
    program: int


class Control(NamedTuple):
    """A control change or pitch bend of a line."""

    tick: int
    status: int
    data: bytes


@dataclass
class Line:
    """The notes of one channel of a track, in order of their ends.

    Attributes:
      channel: the channel, from 0.
      name: the name of the track when the first of its notes ended.
      track: the number of the track.
    """

    channel: int
    name: str
    _: KW_ONLY
    track: int
    sounds: list[Sound] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)


def read_lines(file: MidiFile, remarks: Counter[str]) -> list[Line]:
    """Returns the lines of all tracks, in the order in which their first notes end."""
    programs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for track in file.tracks:
        for event in track:
            if event.status >> 4 == PROGRAM_CHANGE:
                programs[event.status & 15].append((event.tick, event.data[0]))
    for changes in programs.values():
        changes.sort(key=lambda change: change[0])
    last_tick = max(file.ends)
    lines: list[Line] = []
    tracks = zip(file.tracks, file.ends, strict=True)
    for number, (track, end) in enumerate(tracks):
        reader = _LineReader(programs, remarks, number)
        for event in track:
            reader.read(event)
        reader.finish(end, last_tick)
        lines += reader.lines.values()
    return lines


class _LineReader:
    """Collects the notes of a track by channel."""

    def __init__(
        self,
        programs: dict[int, list[tuple[int, int]]],
        remarks: Counter[str],
        track: int,
    ):
        self.programs = programs  # changes in all tracks, by channel
        self.remarks, self.track = remarks, track
        self.own: dict[int, int] = {}  # the last program in this track, by channel
        self.name = ""
        self.lines: dict[int, Line] = {}
        self.controls: dict[int, list[Control]] = defaultdict(list)
        # start, velocity and program of the notes that sound, by channel and pitch
        self.open: dict[tuple[int, int], list[tuple[int, int, int]]] = {}

    def read(self, event: Event) -> None:
        """Reads the next event of the track."""
        kind, channel = event.status >> 4, event.status & 15
        if event.status == META:
            if event.kind == TRACK_NAME:
                self.name = decode(event.data)[0]
        elif kind == NOTE_ON and event.data[1]:
            pitch, velocity = event.data
            note = event.tick, velocity, self._program(channel, event.tick)
            self.open.setdefault((channel, pitch), []).append(note)
        elif kind in (NOTE_ON, NOTE_OFF):
            self._close(channel, event.data[0], event.tick)
        elif kind == PROGRAM_CHANGE:
            self.own[channel] = event.data[0]
        elif kind in (CONTROL_CHANGE, PITCH_BEND):
            self.controls[channel].append(Control(event.tick, kind, event.data))

    def finish(self, end: int, last_tick: int) -> None:
        """Ends the notes that have no note-off.

        They last until their pitch is struck again, the end of the track or, if they
        begin there, the end of the piece.
        """
        for (channel, pitch), notes in self.open.items():
            strokes = [*(start for start, _, _ in notes), end, last_tick]
            for start, *how in notes:
                stop = next((tick for tick in strokes if tick > start), start)
                if stop > start:
                    self.remarks["notes-without-end"] += 1
                    sound = Sound(start, stop, pitch, *how)
                    self._line(channel).sounds.append(sound)
                else:
                    self.remarks["notes-without-length"] += 1
        for channel, line in self.lines.items():
            line.controls = self.controls[channel]

    def _close(self, channel: int, pitch: int, tick: int) -> None:
        """Ends all notes of a pitch, except those that begin at `tick` again."""
        notes = self.open.pop((channel, pitch), [])
        again = [note for note in notes if note[0] == tick]
        for start, *how in notes:
            if start != tick:
                sound = Sound(start, tick, pitch, *how)
                self._line(channel).sounds.append(sound)
        if len(again) < len(notes):
            if again:
                self.open[channel, pitch] = again
        else:
            self.remarks["notes-without-length"] += len(again)

    def _line(self, channel: int) -> Line:
        if channel not in self.lines:
            self.lines[channel] = Line(channel, self.name, track=self.track)
        return self.lines[channel]

    def _program(self, channel: int, tick: int) -> int:
        """Returns the program that this track chose, or any other track before it."""
        if channel in self.own:
            return self.own[channel]
        changes = self.programs.get(channel, [])
        index = bisect_right(changes, tick, key=lambda change: change[0]) - 1
        return changes[index][1] if index >= 0 else 0


def decode(text: bytes) -> tuple[str, str]:
    """Decodes UTF-8, otherwise Latin-1, in which every byte is valid.

    Returns:
      The text, and the name of the encoding.
    """
    try:
        return text.decode(), "utf-8"
    except UnicodeDecodeError:
        return text.decode("latin-1"), "latin-1"
