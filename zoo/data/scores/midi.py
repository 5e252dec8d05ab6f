"""Standard MIDI files, validated and then read by note_seq.

note_seq's parser uses memory in proportion to the highest tick, which four corrupt
bytes can set to 268 million. Every chunk and event is therefore validated first.
"""

import warnings

from note_seq import midi_io

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits

# Number of data bytes of a channel message, by the high nibble of its status byte.
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


def read_midi(data: bytes, limits: Limits) -> tuple[NoteSequence, dict[str, int]]:
    """Reads the bytes of a MIDI file.

    Returns:
      The sequence, and counts of remarks.

    Raises:
      Refused: the file is malformed or exceeds `limits`.
    """
    validate(data, limits)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            sequence = midi_io.midi_to_note_sequence(data)
        except midi_io.MIDIConversionError as error:
            raise Refused(
                "midi-syntax",
                f"note_seq cannot read this MIDI file ({error}); export it again.",
            ) from error
    return sequence, {"meta-beside-first-track": 1} if caught else {}


def validate(data: bytes, limits: Limits) -> None:
    """Raises Refused if a MIDI file is truncated, malformed or exceeds `limits`."""
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
    position, tracks, notes = 8 + int.from_bytes(data[4:8], "big"), 0, 0
    while tracks < int.from_bytes(data[10:12], "big"):
        if position + 8 > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is missing; download the file again."
            )
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        if end > len(data):
            raise Refused(
                "truncated", f"Track {tracks} is truncated; download the file again."
            )
        if data[position : position + 4] == b"MTrk":
            notes += _count_notes(data, position + 8, end, limits)
            if notes > limits.notes:
                raise Refused(
                    "too-many-notes",
                    f"More than {limits.notes:,} notes; raise Limits.notes.",
                )
        tracks, position = tracks + 1, end
    if not notes:
        raise Refused("no-notes", "The MIDI file contains no notes; leave it out.")


def _count_notes(data: bytes, position: int, end: int, limits: Limits) -> int:
    """Counts the note-ons of the track `data[position:end]`, validating each event."""
    tick = notes = status = 0
    while position < end:
        delta, position = _variable_length(data, position, end)
        tick += delta
        if tick > limits.ticks:
            raise Refused(
                "too-many-ticks",
                f"An event lies beyond tick {limits.ticks:,}; the file is probably "
                "corrupt, otherwise raise Limits.ticks.",
            )
        if position >= end:
            raise Refused("truncated", f"An event is truncated at byte {position}.")
        if data[position] & 0x80:
            status, position = data[position], position + 1
        elif not 0x80 <= status < 0xF0:
            raise Refused(
                "midi-syntax", f"A data byte without a status at byte {position}."
            )
        if status == 0xFF:
            size, position = _variable_length(data, position + 1, end)
        elif status in (0xF0, 0xF7):
            size, position = _variable_length(data, position, end)
        elif status > 0xF0:
            raise Refused(
                "midi-syntax",
                f"A message that files may not contain at byte {position - 1}.",
            )
        else:
            size = DATA_BYTES[status >> 4]
        if position + size > end:
            raise Refused("truncated", f"An event is truncated at byte {position}.")
        if status >> 4 == 0x9 and data[position + 1] > 0:
            notes += 1
        position += size
    return notes


def _variable_length(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Reads a variable-length quantity of at most four bytes, seven bits in each.

    Returns:
      The number, and the position after it.
    """
    value = 0
    for at in range(position, min(position + 4, end)):
        value = value << 7 | data[at] & 0x7F
        if data[at] < 0x80:
            return value, at + 1
    raise Refused("midi-syntax", f"A number at byte {position} does not end.")
