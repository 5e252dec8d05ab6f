"""The tracks and events of a Standard MIDI file, within limits.

There are two kinds of faults. If the bytes cannot be divided into events, the file
is refused. An event that is complete, but not valid, is left out and counted.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits

# Number of data bytes of a channel message, by the high nibble of its status byte.
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
# The same of a system message, by its status byte. Files should not contain them.
SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
SYSEX = (0xF0, 0xF7)
META = 0xFF
NOTE_ON, PROGRAM_CHANGE = 0x9, 0xC


class Event(NamedTuple):
    """A channel message or meta event.

    Attributes:
      tick: its time.
      status: the status byte; META for meta events.
      data: the data bytes, for meta events after that of the type.
      kind: the type of a meta event; -1 for channel messages.
    """

    tick: int
    status: int
    data: bytes
    kind: int = -1


@dataclass(frozen=True)
class MidiFile:
    """The contents of a MIDI file.

    Attributes:
      division: ticks in a quarter note.
      tracks: the events of each track that has any.
      ends: the tick of the last event of each of them.
      remarks: counts of what was left out.
    """

    division: int
    tracks: tuple[tuple[Event, ...], ...]
    ends: tuple[int, ...]
    _: KW_ONLY
    remarks: Counter[str]


def read_events(data: bytes, limits: Limits) -> MidiFile:
    """Reads the events of a MIDI file, which a RIFF file may contain (RMID).

    Raises:
      Refused: the file is truncated, malformed, of independent patterns (type 2), or
        exceeds `limits`.
    """
    remarks: Counter[str] = Counter()
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = _unwrap(data)
    division = _division(data)
    tracks, ends = [], []
    notes = 0
    for start, stop in _tracks(data, remarks):
        reader = _TrackReader(data, start, stop, limits=limits, remarks=remarks)
        events = tuple(reader)
        notes += sum(x.status >> 4 == NOTE_ON and x.data[1] > 0 for x in events)
        if notes > limits.notes:
            raise Refused(
                "too-many-notes",
                f"More than {limits.notes:,} notes; raise Limits.notes.",
            )
        if events:
            tracks.append(events)
            ends.append(reader.tick)
    if not notes:
        raise Refused("no-notes", "The MIDI file contains no notes; leave it out.")
    if int.from_bytes(data[8:10], "big") == 2 and len(tracks) > 1:
        raise Refused(
            "midi-type",
            f"The file is of type 2: its {len(tracks)} tracks are separate patterns, "
            "not one piece; save each as a file of type 0 or 1.",
        )
    return MidiFile(division, tuple(tracks), tuple(ends), remarks=remarks)


def _unwrap(data: bytes) -> bytes:
    """Returns the MIDI file in a RIFF file. Raises Refused if there is none."""
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise Refused("not-midi", "The RIFF file contains no MIDI file; convert it.")


def _division(data: bytes) -> int:
    """Returns the ticks in a quarter note. Raises Refused for an invalid header."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise Refused(
            "not-midi", "The file does not begin with a MIDI header; check its suffix."
        )
    division = int.from_bytes(data[12:14], "big")
    if division == 0 or division & 0x8000:
        raise Refused(
            "midi-division",
            "The file's time division is not in ticks per quarter note; convert it.",
        )
    return division


def _tracks(data: bytes, remarks: Counter[str]) -> Iterator[tuple[int, int]]:
    """Yields the first byte of each track, and the byte after its last.

    Chunks of other types are skipped. Some programs include them in the number of
    tracks that the header states.
    """
    position, tracks, others = 8 + int.from_bytes(data[4:8], "big"), 0, 0
    stated = int.from_bytes(data[10:12], "big")
    while tracks < stated:
        if position >= len(data) and tracks + others >= stated:
            return
        if position + 8 > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is missing; download the file again."
            )
        start = position + 8
        stop = start + int.from_bytes(data[position + 4 : start], "big")
        if stop > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is truncated; download the file again."
            )
        if data[position : position + 4] == b"MTrk":
            yield start, stop
            tracks += 1
        else:
            others += 1
            remarks["other-chunks"] += 1
        position = stop


class _TrackReader:
    """Iterates over the events of the track `data[position:end]`.

    Attributes:
      tick: the time of the last event so far.
    """

    def __init__(
        self,
        data: bytes,
        position: int,
        end: int,
        *,
        limits: Limits,
        remarks: Counter[str],
    ):
        self.data, self.position, self.end = data, position, end
        self.limits, self.remarks = limits, remarks
        self.tick = 0

    def __iter__(self) -> Iterator[Event]:
        running = 0  # status of the last channel message, which may be omitted
        while self.position < self.end:
            self.tick += self._number()
            if self.tick > self.limits.ticks:
                raise Refused(
                    "too-many-ticks",
                    f"An event lies beyond tick {self.limits.ticks:,}; the file is "
                    "probably corrupt, otherwise raise Limits.ticks.",
                )
            status = self.data[self.position] if self.position < self.end else META
            if status < 0x80:
                status = running
                if not status:
                    raise Refused(
                        "midi-syntax",
                        f"A data byte without a status at byte {self.position}; "
                        "download the file again.",
                    )
            else:
                self.position += 1
            if status < 0xF0:
                # Meta events and system messages should end a running status. Many
                # programs continue it.
                running = status
                yield from self._message(status)
            elif status == META:
                yield self._meta()
            else:
                self._skip(status)

    def _message(self, status: int) -> Iterator[Event]:
        """Yields a channel message, unless it has invalid data bytes."""
        values = self._take(DATA_BYTES[status >> 4])
        if status >> 4 == NOTE_ON and values[0] < 0x80 <= values[1]:
            self.remarks["loud-notes"] += 1
            values = bytes([values[0], 127])
        if max(values) < 0x80:
            yield Event(self.tick, status, values)
        else:
            self.remarks["invalid-messages"] += 1

    def _meta(self) -> Event:
        (kind,) = self._take(1)
        return Event(self.tick, META, self._take(self._number()), kind)

    def _skip(self, status: int) -> None:
        """Skips a system message."""
        if status in SYSEX:
            self._take(self._number())
        else:
            self._take(SYSTEM_BYTES.get(status, 0))
            self.remarks["invalid-messages"] += 1

    def _take(self, size: int) -> bytes:
        if self.position + size > self.end:
            raise Refused(
                "truncated",
                f"An event is truncated at byte {self.position}; download the file "
                "again.",
            )
        self.position += size
        return self.data[self.position - size : self.position]

    def _number(self) -> int:
        """Reads a number of at most four bytes, seven bits in each."""
        value = 0
        for at in range(self.position, min(self.position + 4, self.end)):
            value = value << 7 | self.data[at] & 0x7F
            if self.data[at] < 0x80:
                self.position = at + 1
                return value
        raise Refused(
            "midi-syntax",
            f"A number at byte {self.position} does not end; download the file again.",
        )
