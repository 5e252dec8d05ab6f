"""Standard MIDI files, through note_seq, once a walk over the bytes has found them bounded.

note_seq's parser spends memory in proportion to the highest tick, which four corrupt bytes can set
to 268 million. So every chunk and event is walked here first, at no cost but time.
"""

import warnings

from note_seq import midi_io

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits

DATA_BYTES = {
    0x8: 2,
    0x9: 2,
    0xA: 2,
    0xB: 2,
    0xC: 1,
    0xD: 1,
    0xE: 2,
}  # by the status' high nibble


def read_midi(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """The sequence in a MIDI file's bytes, and remarks. Raises Refused."""
    scan(data, limits)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            sequence = midi_io.midi_to_note_sequence(data)
        except midi_io.MIDIConversionError as error:
            raise Refused(
                "midi-syntax",
                f"note_seq cannot read this MIDI file ({error}); save it afresh.",
            ) from error
    return sequence, {"meta-beside-first-track": 1} if caught else {}


def scan(data: bytes, limits: Limits) -> None:
    """Walk a MIDI file's chunks and refuse one that is cut short, malformed or beyond limits."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise Refused(
            "not-midi", "The file does not begin with a MIDI header; check its suffix."
        )
    division = int.from_bytes(data[12:14], "big")
    if division == 0 or division & 0x8000:
        raise Refused(
            "midi-division",
            "The file counts SMPTE frames or nothing instead of ticks per quarter; convert it.",
        )
    position, tracks, notes = 8 + int.from_bytes(data[4:8], "big"), 0, 0
    while tracks < int.from_bytes(data[10:12], "big"):
        if position + 8 > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is missing; fetch the file again."
            )
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        if end > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is cut short; fetch the file again."
            )
        if data[position : position + 4] == b"MTrk":
            notes += _walk(data, position + 8, end, limits)
            if notes > limits.notes:
                raise Refused(
                    "too-many-notes",
                    f"More than {limits.notes:,} notes; raise Limits.notes.",
                )
        tracks, position = tracks + 1, end
    if not notes:
        raise Refused("no-notes", "The MIDI file holds no notes; leave it out.")


def _walk(data: bytes, position: int, end: int, limits: Limits) -> int:
    """Notes begun in the track at `data[position:end]`; refuses malformed events and far ticks."""
    tick = notes = status = 0
    while position < end:
        delta, position = _number(data, position, end)
        tick += delta
        if tick > limits.ticks:
            raise Refused(
                "too-many-ticks",
                f"An event lies beyond tick {limits.ticks:,}; the file is likely corrupt, "
                "or raise Limits.ticks.",
            )
        if position >= end:
            raise Refused("truncated", f"An event is cut short at byte {position}.")
        if data[position] & 0x80:
            status, position = data[position], position + 1
        elif not 0x80 <= status < 0xF0:
            raise Refused(
                "midi-syntax", f"A data byte stands alone at byte {position}."
            )
        if status == 0xFF:
            size, position = _number(data, position + 1, end)
        elif status in (0xF0, 0xF7):
            size, position = _number(data, position, end)
        elif status > 0xF0:
            raise Refused(
                "midi-syntax", f"A live-only message stands at byte {position - 1}."
            )
        else:
            size = DATA_BYTES[status >> 4]
        if position + size > end:
            raise Refused("truncated", f"An event is cut short at byte {position}.")
        if status >> 4 == 0x9 and data[position + 1] > 0:
            notes += 1
        position += size
    return notes


def _number(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A variable-length quantity, seven bits to a byte, at most four bytes; and what follows it."""
    value = 0
    for at in range(position, min(position + 4, end)):
        value = value << 7 | data[at] & 0x7F
        if data[at] < 0x80:
            return value, at + 1
    raise Refused("midi-syntax", f"A number at byte {position} does not end.")
