"""MIDI files as people have them, against note_seq, mido and closed forms."""

import io
import random
import struct

import mido
import pytest
import specimens
from note_seq import midi_io

from zoo.data.codecs.melody import Melody
from zoo.data.proto import NoteSequence
from zoo.data.scores.read import Limits, Piece, read_bytes

END = b"\x00\xff\x2f\x00"
ON, OFF = b"\x00\x90\x3c\x40", b"\x60\x80\x3c\x40"
METRE, TEMPO = b"\x00\xff\x58\x04\x03\x02\x18\x08", b"\x00\xff\x51\x03\x0f\x42\x40"


def track(*events: bytes, length: int | None = None) -> bytes:
    body = b"".join(events)
    return b"MTrk" + struct.pack(">I", len(body) if length is None else length) + body


def smf(*tracks: bytes, division=96, count: int | None = None, kind=1) -> bytes:
    count = len(tracks) if count is None else count
    head = struct.pack(">IHHH", 6, kind, count, division)
    return b"MThd" + head + b"".join(tracks)


def quarters(*pitches: int, status: int = 0x90) -> bytes:
    """Returns consecutive quarter notes."""
    notes = (bytes([0, status, p, 80, 96, status, p, 0]) for p in pitches)
    return b"".join(notes)


def piece(data: bytes, limits: Limits = Limits()) -> Piece:
    (found,) = read_bytes(data, "midi", "x", limits)
    return found


def sequence(data: bytes) -> NoteSequence:
    found = piece(data)
    assert found.sequence is not None, found.refused
    return found.sequence


def reason(data: bytes, limits: Limits = Limits()) -> str:
    refused = piece(data, limits).refused
    assert refused is not None
    assert refused.detail.endswith(".")
    return refused.reason


def tempos(of: NoteSequence) -> list[tuple[float, float]]:
    return [(x.time, round(x.qpm, 6)) for x in of.tempos]


def by_note_seq(data: bytes) -> NoteSequence:
    found = midi_io.midi_to_note_sequence(data)
    found.source_info.ClearField("parser")
    return found


def test_a_file_is_read_as_by_note_seq():
    assert sequence(specimens.midi()) == by_note_seq(specimens.midi())


@pytest.mark.parametrize("seed", range(12))
def test_valid_files_are_read_as_by_note_seq(seed):
    rng = random.Random(seed)
    file = mido.MidiFile(type=1, ticks_per_beat=rng.choice([96, 220, 480]))
    conductor = mido.MidiTrack()
    for _ in range(rng.randrange(4)):
        time, tempo = rng.randrange(1000), rng.randrange(200_000, 1_000_000)
        conductor.append(mido.MetaMessage("set_tempo", tempo=tempo, time=time))
        signature = {
            "numerator": rng.randint(1, 12),
            "denominator": 2 ** rng.randrange(5),
        }
        conductor.append(mido.MetaMessage("time_signature", **signature))
        key = rng.choice(["C", "Gb", "F#m", "Abm", "E"])
        conductor.append(mido.MetaMessage("key_signature", key=key))
    file.tracks.append(conductor)
    for number in range(3):
        line = mido.MidiTrack()
        line.append(mido.MetaMessage("track_name", name=f"line {number}"))
        channel = rng.choice([number, 9])
        line.append(mido.Message("control_change", channel=channel, control=7, value=5))
        line.append(
            mido.Message("program_change", channel=channel, program=rng.randrange(128))
        )
        for _ in range(40):
            kind = rng.choice(["note_on", "note_on", "note_off", "pitchwheel"])
            what = {"note": rng.randint(60, 64)} if "note" in kind else {"pitch": -7}
            line.append(
                mido.Message(kind, channel=channel, time=rng.randrange(200), **what)
            )
        line += [
            mido.Message("note_off", channel=channel, note=note, time=9)
            for note in range(60, 65)
        ]
        file.tracks.append(line)
    written = io.BytesIO()
    file.save(file=written)
    assert sequence(written.getvalue()) == by_note_seq(written.getvalue())


@pytest.mark.parametrize("seed", range(6))
def test_the_duration_is_that_of_mido_with_tempos_in_any_track(seed):
    rng = random.Random(seed)
    file = mido.MidiFile(type=1, ticks_per_beat=96)
    for number in range(3):
        line = mido.MidiTrack()
        for _ in range(5):
            tempo, time = rng.randrange(10**5, 10**6), rng.randrange(300)
            line.append(mido.MetaMessage("set_tempo", tempo=tempo, time=time))
            line.append(mido.Message("note_on", note=60 + number, time=5))
            line.append(mido.Message("note_off", note=60 + number, time=50))
        file.tracks.append(line)
    written = io.BytesIO()
    file.save(file=written)
    read = sequence(written.getvalue())
    assert read.total_time == pytest.approx(file.length)


def test_tempo_and_metre_of_a_later_track():
    name = b"\x00\xff\x03\x04lead"
    read = sequence(
        smf(track(name, END), track(METRE, TEMPO, quarters(*range(60, 69)), END))
    )
    assert read.total_time == pytest.approx(9.0)
    assert tempos(read) == [(0, 60)]
    assert [(x.numerator, x.denominator) for x in read.time_signatures] == [(3, 4)]


def test_signatures_repeated_in_every_track_are_read_once():
    tracks = [track(METRE, TEMPO, quarters(p), END) for p in (60, 64)]
    read = sequence(smf(*tracks))
    assert len(read.time_signatures) == len(read.tempos) == 1


def test_a_line_remains_one_if_its_program_changes():
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    down = quarters(*reversed(scale))
    line = track(b"\x00\xc0\x49", quarters(*scale), b"\x00\xc0\x28", down, END)
    read = sequence(smf(track(METRE, END), line))
    assert {note.instrument for note in read.notes} == {0}
    assert [note.program for note in read.notes] == [73] * 8 + [40] * 8
    codec = Melody()
    written = codec.decode(codec.encode(read))
    assert [note.pitch for note in written.notes] == scale + scale[::-1]


def test_channels_of_one_track_are_lines_of_their_own():
    read = sequence(
        smf(track(quarters(60, 62), quarters(48, status=0x91), END), kind=0)
    )
    assert [note.instrument for note in read.notes] == [0, 0, 1]


@pytest.mark.parametrize(
    ("own", "programs"),
    [(b"", [56, 56]), (b"\x00\xc0\x05", [5, 5]), (b"\x60\xc0\x05", [56, 5])],
)
def test_the_program_of_a_channel_may_be_set_in_another_track(own, programs):
    late = quarters(60, 62) if own[:1] != b"\x60" else b""
    notes = late or b"\x00\x90\x3c\x50" + own + b"\x00\x80\x3c\x00" + quarters(62)
    body = notes if not late else own + notes
    for tracks in (
        (track(b"\x00\xc0\x38", END), track(body, END)),
        (track(body, END), track(b"\x00\xc0\x38", END)),
    ):
        assert [note.program for note in sequence(smf(*tracks)).notes] == programs


def test_the_program_is_that_at_the_onset_of_a_note():
    body = b"\x00\xc0\x05\x00\x90\x3c\x50\x60\xc0\x06\x00\x80\x3c\x00"
    assert sequence(smf(track(body, END))).notes[0].program == 5


@pytest.mark.parametrize(
    "event",
    [
        b"\xff\x59\x02\xee\x01",  # 18 flats
        b"\xff\x59\x02\x00\x07",  # an unknown mode
        b"\xff\x59\x01\x00",
        b"\xff\x51\x03\x00\x00\x00",
        b"\xff\x51\x03\x00\x00\x01",
        b"\xff\x51\x02\x07\xa1",
        b"\xff\x51\x03\x00\x17\x70",  # 10,000 to the minute
        b"\xff\x51\x00",
        b"\xff\x58\x04\x00\x02\x18\x08",  # 0/4
        b"\xff\x58\x04\x04\xff\x18\x08",
        b"\xff\x58\x01\x04",
    ],
)
def test_a_meta_event_out_of_range_is_left_out(event):
    found = piece(smf(track(b"\x00" + event, quarters(60, 62), END)))
    assert found.remarks == {"invalid-meta-events": 1}
    assert [note.pitch for note in found.sequence.notes] == [60, 62]
    assert tempos(found.sequence) == [(0, 120)]
    assert not found.sequence.time_signatures
    assert not found.sequence.key_signatures


def test_other_meta_events_need_no_sense():
    odd = (
        b"\x00\xff\x54\x01\x00\x00\xff\x00\x01\x05\x00\xff\x7f\x00\x00\xff\x03\x01\xe4"
    )
    found = piece(smf(track(odd, quarters(60), END)))
    assert (found.remarks, found.sequence.instrument_infos[0].name) == ({}, "ä")


@pytest.mark.parametrize(
    ("ending", "others", "duration"),
    [
        (b"\x60\xff\x2f\x00", b"", 1.0),  # to the end of its track
        (b"\x60\xb0\x07\x05", b"", 1.0),  # which lacks its last event
        (END, quarters(48, 48, 48, status=0x91), 1.5),  # to the end of the piece
    ],
)
def test_a_note_without_end_lasts_to_the_end(ending, others, duration):
    tracks = [track(quarters(60), b"\x00\x90\x3e\x50", ending)]
    tracks += [track(others, END)] if others else []
    found = piece(smf(*tracks))
    assert found.remarks == {"notes-without-end": 1}
    (last,) = (note for note in found.sequence.notes if note.pitch == 62)
    assert (last.start_time, last.end_time) == (0.5, duration)
    assert found.sequence.total_time == duration


def test_drums_without_note_offs_last_until_they_are_struck_again():
    strokes = b"".join(b"\x60\x99\x24\x50" for _ in range(4))
    found = piece(smf(track(strokes, b"\x60\xff\x2f\x00")))
    times = [(note.start_time, note.end_time) for note in found.sequence.notes]
    assert times == [(0.5, 1), (1, 1.5), (1.5, 2), (2, 2.5)]
    assert found.remarks == {"notes-without-end": 4}


def test_a_note_that_begins_at_the_very_end_is_left_out():
    found = piece(smf(track(quarters(60), b"\x00\x90\x3e\x50", END)))
    assert found.remarks == {"notes-without-length": 1}
    assert len(found.sequence.notes) == 1


def test_files_of_type_2():
    patterns = [track(quarters(60), END), track(quarters(62), END)]
    assert reason(smf(*patterns, kind=2)) == "midi-type"
    assert len(sequence(smf(patterns[0], kind=2)).notes) == 1


@pytest.mark.parametrize("count", [2, 3])  # without and with the other chunk
def test_a_chunk_that_is_no_track_is_skipped(count):
    other = b"XFIH" + struct.pack(">I", 4) + b"abcd"
    found = piece(
        smf(track(METRE, END), other, track(quarters(60, 62), END), count=count)
    )
    assert found.remarks == {"other-chunks": 1}
    assert len(found.sequence.notes) == 2


def test_tracks_without_events_are_skipped():
    found = piece(smf(track(METRE, END), track(), track(quarters(60, 62), END)))
    assert (found.remarks, len(found.sequence.notes)) == ({}, 2)


@pytest.mark.parametrize("before", [b"", b"LIST\x03\x00\x00\x00abc\x00"])
def test_a_riff_file_contains_a_midi_file(before):
    inside = smf(track(quarters(60, 62, 64), END))
    inside += b"" if len(inside) % 2 == 0 else b"\x00"
    chunk = before + b"data" + struct.pack("<I", len(inside)) + inside
    data = b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"RMID" + chunk
    assert [note.pitch for note in sequence(data).notes] == [60, 62, 64]
    assert reason(data[:12] + before) == "not-midi"


@pytest.mark.parametrize(
    "between",
    [b"\xff\x01\x01a", b"\xf0\x03ab\xf7", b"\xf7\x01\xf8", b"\xff\x51\x03\x07\xa1\x20"],
)
def test_a_running_status_continues_after_meta_and_system_events(between):
    body = ON + b"\x60\x3c\x00\x00" + between + b"\x00\x40\x40\x60\x40\x00"
    assert [note.pitch for note in sequence(smf(track(body, END))).notes] == [60, 64]


@pytest.mark.parametrize(
    ("message", "remarks"),
    [
        (b"\xf8", {"invalid-messages": 1}),
        (b"\xf2\x01\x02", {"invalid-messages": 1}),
        (b"\xb0\x07\x80", {"invalid-messages": 1}),
        (b"\x90\xbc\x40", {"invalid-messages": 1}),
    ],
)
def test_a_message_that_files_may_not_contain_is_left_out(message, remarks):
    found = piece(smf(track(b"\x00" + message, ON, OFF, END)))
    assert (found.remarks, len(found.sequence.notes)) == (remarks, 1)


def test_a_velocity_above_the_highest_is_the_highest():
    found = piece(smf(track(b"\x00\x90\x3c\xc8", OFF, END)))
    assert found.remarks == {"loud-notes": 1}
    assert found.sequence.notes[0].velocity == 127


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"RIFF" + bytes(100), "not-midi"),
        (smf(track(ON, OFF, END), division=0), "midi-division"),
        (smf(track(ON, OFF, END), division=0xE250), "midi-division"),
        (smf(track(ON, OFF, END), count=2), "truncated"),
        (smf(track(ON, OFF, END, length=99)), "truncated"),
        (smf(track(ON, b"\x00\x90\x3c")), "truncated"),
        (smf(track(ON, b"\x00\xff\x01\x60ab")), "truncated"),
        (smf(track(ON, b"\x00\xff")), "truncated"),
        (smf(track(ON, b"\x00")), "truncated"),
        (smf(track(END)), "no-notes"),
        (smf(), "no-notes"),
        (smf(track(ON, b"\xff\xff\xff\x7f\x80\x3c\x40", END)), "too-many-ticks"),
        (smf(track(ON, b"\xff\xff\xff\xff\x7f\x80\x3c\x40")), "midi-syntax"),
        (smf(track(b"\x00\x3c\x40", END)), "midi-syntax"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_corrupt_midi_is_refused(data, why):
    assert reason(data) == why


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(notes=7), "too-many-notes"),
        (Limits(ticks=500), "too-many-ticks"),
        (Limits(duration=1.5), "too-long"),
        (Limits(bytes=50), "too-large"),
    ],
)
def test_limits_apply_to_midi(limits, why):
    assert reason(specimens.midi(), limits) == why
