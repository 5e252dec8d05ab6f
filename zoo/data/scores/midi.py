"""Standard MIDI files as NoteSequences, as note_seq reads them where they are valid.

Differences: tempos, metres and keys are read from all tracks. The program of a channel
may be set in another track. An event that is out of range is left out, where note_seq
refuses the file. A note without an end lasts to the end of its track. All notes of one
channel of a track have one instrument, also if their program changes. Lyrics are read.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator

from zoo.data.proto import QPM, NoteSequence
from zoo.data.scores.limits import Limits
from zoo.data.scores.midi_events import MidiFile, read_events
from zoo.data.scores.midi_lines import DRUM_CHANNEL, PITCH_BEND, Line, read_lines
from zoo.data.scores.midi_words import write_words
from zoo.data.scores.timeline import Clock

TEMPO, METRE, KEY = 0x51, 0x58, 0x59  # types of meta events
MIN_TEMPO = 6001  # microseconds; 10,000 quarters per minute are the limit
MAX_METRE = 7  # a metre of n/128

Value = tuple[int, ...]


def read_midi(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """Reads the bytes of a MIDI file.

    Returns:
      The sequence, and counts of remarks.

    Raises:
      Refused: the file is malformed or exceeds `limits`.
    """
    file = read_events(data, limits)
    remarks = Counter(file.remarks)
    sequence = NoteSequence(ticks_per_quarter=file.division)
    sequence.source_info.encoding_type = NoteSequence.SourceInfo.MIDI
    seconds = _write_tempos(sequence, file, remarks)
    _write_signatures(sequence, file, seconds, remarks)
    lines = read_lines(file, remarks)
    _write_lines(sequence, lines, seconds)
    write_words(sequence, file, lines, seconds=seconds, remarks=remarks)
    return sequence, {name: count for name, count in remarks.items() if count}


def _write_tempos(
    sequence: NoteSequence, file: MidiFile, remarks: Counter[str]
) -> Clock:
    """Writes the tempos of all tracks; returns the resulting map to seconds."""
    changes = [(0, 60.0 / (QPM * file.division))]  # tick, seconds per tick
    for tick, (tempo,) in _meta_values(file, TEMPO, remarks):
        rate = 60.0 / (6e7 / tempo * file.division)
        if tick == 0:
            changes = [(0, rate)]
        elif rate != changes[-1][1]:
            changes.append((tick, rate))
    ticks = [tick for tick, _ in changes]
    starts = [0.0]
    for (tick, rate), stop in zip(changes, ticks[1:], strict=False):
        starts.append(starts[-1] + rate * (stop - tick))
    for start, (_, rate) in zip(starts, changes, strict=True):
        sequence.tempos.add(time=start, qpm=60.0 / (rate * file.division))

    def seconds(tick: int) -> float:
        index = bisect_right(ticks, tick) - 1
        return starts[index] + changes[index][1] * (tick - ticks[index])

    return seconds


def _write_signatures(
    sequence: NoteSequence, file: MidiFile, seconds: Clock, remarks: Counter[str]
) -> None:
    """Writes the metres and keys of all tracks."""
    for tick, (numerator, denominator) in _meta_values(file, METRE, remarks):
        sequence.time_signatures.add(
            time=seconds(tick), numerator=numerator, denominator=denominator
        )
    modes = NoteSequence.KeySignature
    for tick, (fifths, minor) in _meta_values(file, KEY, remarks):
        sequence.key_signatures.add(
            time=seconds(tick),
            key=(7 * fifths + 9 * minor) % 12,
            mode=modes.MINOR if minor else modes.MAJOR,
        )


def _meta_values(
    file: MidiFile, kind: int, remarks: Counter[str]
) -> Iterator[tuple[int, Value]]:
    """Yields ticks and values of the meta events of one type, in order of time.

    A copy of an event in another track is left out, and so is an invalid event.
    """
    events = (e for track in file.tracks for e in track if e.kind == kind)
    seen = set()
    for event in sorted(events, key=lambda event: event.tick):
        value = _META[kind](event.data)
        if value is None:
            remarks["invalid-meta-events"] += 1
        elif (event.tick, value) not in seen:
            seen.add((event.tick, value))
            yield event.tick, value


def _tempo(data: bytes) -> Value | None:
    """Returns the microseconds of a quarter note, None if it is out of range."""
    tempo = int.from_bytes(data, "big")
    return (tempo,) if len(data) == 3 and tempo >= MIN_TEMPO else None


def _metre(data: bytes) -> Value | None:
    """Returns numerator and denominator, None if one is out of range."""
    if len(data) < 2 or not data[0] or data[1] > MAX_METRE:
        return None
    return data[0], 1 << data[1]


def _key(data: bytes) -> Value | None:
    """Returns the number of sharps, negative for flats, and 1 for minor.

    None stands for values out of range.
    """
    if len(data) != 2 or data[1] > 1:
        return None
    fifths = int.from_bytes(data[:1], "big", signed=True)
    return (fifths, data[1]) if abs(fifths) <= 7 else None


_META: dict[int, Callable[[bytes], Value | None]] = {
    TEMPO: _tempo,
    METRE: _metre,
    KEY: _key,
}


def _write_lines(sequence: NoteSequence, lines: list[Line], seconds: Clock) -> None:
    """Writes each line as an instrument."""
    for number, line in enumerate(lines):
        if line.name:
            sequence.instrument_infos.add(instrument=number, name=line.name)
        for sound in line.sounds:
            sequence.notes.add(
                instrument=number,
                program=sound.program,
                start_time=seconds(sound.start),
                end_time=seconds(sound.end),
                pitch=sound.pitch,
                velocity=sound.velocity,
                is_drum=line.channel == DRUM_CHANNEL,
            )
    sequence.total_time = max((note.end_time for note in sequence.notes), default=0.0)
    for number, line in enumerate(lines):
        _write_controls(sequence, line, number, seconds)


def _write_controls(
    sequence: NoteSequence, line: Line, number: int, seconds: Clock
) -> None:
    """Writes control changes and pitch bends, with the program of the next note."""
    starts = sorted((sound.start, sound.program) for sound in line.sounds)
    for control in line.controls:
        index = bisect_left(starts, (control.tick, 0))
        common = {
            "time": seconds(control.tick),
            "instrument": number,
            "program": starts[min(index, len(starts) - 1)][1],
            "is_drum": line.channel == DRUM_CHANNEL,
        }
        first, second = control.data
        if control.status == PITCH_BEND:
            sequence.pitch_bends.add(bend=first + 128 * second - 8192, **common)
        else:
            sequence.control_changes.add(
                control_number=first, control_value=second, **common
            )
