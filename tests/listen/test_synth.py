"""Length, pitch, loudness and instruments of rendered audio; files round-trip."""

import io
import struct

import mido
import numpy as np
import pytest
import soundfile
from note_seq import midi_io
from pieces import line, piece

from zoo.data.bars import mark_model
from zoo.errors import ZooError
from zoo.listen.synth import compress, midi_bytes, write_midi, write_wav
from zoo.soundfont.score import PEAK, TAIL, render

RATE = 22050


def loudness(audio, start, end, rate=RATE):
    return float(np.sqrt(np.mean(audio[round(start * rate) : round(end * rate)] ** 2)))


@pytest.mark.parametrize("rate", [22050, 44100])
def test_length_level_and_shape(rate):
    audio = render(line([60, 64, 67]), rate)
    assert audio.dtype == np.float32
    assert audio.shape == (round((1.5 + TAIL) * rate), 2)
    assert np.abs(audio).max() == pytest.approx(PEAK)
    assert loudness(audio, 0, 1.5, rate) > 0.05
    assert np.abs(audio[-20:]).max() < 1e-3  # no click at the end


# programs whose strongest partial is the first: piano, vibraphone, guitar, flutes
@pytest.mark.parametrize("program", [0, 11, 24, 73, 75, 79])
@pytest.mark.parametrize("pitch", [57, 69, 81])
def test_pitch(program, pitch):
    audio = render(piece((0, 2, pitch), program=program), RATE)[
        RATE // 4 : 2 * RATE
    ].mean(1)
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size))
    frequency = spectrum.argmax() * RATE / size
    cents = 1200 * np.log2(frequency / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 20


def test_onsets_are_in_seconds_whatever_the_tempo():
    onsets = [0.3, 1.013, 1.75, 3.2]
    sequence = piece(*[(t, t + 0.1, 72) for t in onsets], program=115)
    sequence.tempos.add(qpm=60)
    sequence.tempos.add(time=1.0, qpm=200)
    audio = np.abs(render(sequence, RATE)).max(1)
    assert audio[: round(0.299 * RATE)].max() < 1e-6
    for onset in onsets:
        at = round(onset * RATE)
        attack = at + np.argmax(audio[at:] > 0.3 * audio[at : at + RATE // 4].max())
        assert (attack - at) / RATE < 0.01


def test_velocity_squared():
    loud = piece((0, 1, 69), program=73, velocity=120)
    audio = render(piece((2, 3, 69), program=73, velocity=60, into=loud), RATE)
    ratio = loudness(audio, 0.3, 0.9) / loudness(audio, 2.3, 2.9)
    assert ratio == pytest.approx(4, rel=0.1)


def test_programs_and_percussion_differ():
    sounds = [
        render(piece((0, 1, 42), program=program, drum=drum), RATE)
        for program, drum in [(0, False), (40, False), (0, True), (25, True)]
    ]
    for i, one in enumerate(sounds):
        assert all(np.abs(one - other).max() > 0.1 for other in sounds[:i])


def test_every_program_and_drum_sounds():
    for program in range(128):
        audio = render(piece((0, 0.3, 60), program=program), 8000)
        assert np.isfinite(audio).all()
    for key in range(35, 82):
        assert np.isfinite(render(piece((0, 0.1, key), drum=True), 8000)).all()


def test_extreme_keys_and_velocities_sound():
    for pitch in (0, 127):
        for velocity in (1, 127):
            audio = render(piece((0, 0.2, pitch), velocity=velocity), RATE)
            assert np.isfinite(audio).all()


def test_stereo():
    audio = render(line([60, 64, 67]), RATE)
    assert np.abs(audio[:, 0] - audio[:, 1]).max() > 0.01
    left, right = (audio**2).mean(0)
    assert left == pytest.approx(right, rel=0.5)


def test_same_sequence_same_samples():
    np.testing.assert_array_equal(
        render(line([60, 62]), RATE), render(line([60, 62]), RATE)
    )


def test_the_sustain_pedal_prolongs_notes():
    dry_piece, wet_piece = line([60]), line([60])
    piece((3.0, 3.5, 72), into=dry_piece)
    piece((3.0, 3.5, 72), into=wet_piece)
    wet_piece.control_changes.add(time=0.1, control_number=64, control_value=127)
    wet_piece.control_changes.add(time=2.5, control_number=64, control_value=0)
    dry, wet = render(dry_piece, RATE), render(wet_piece, RATE)
    assert loudness(wet, 1.8, 2.4) > 5 * loudness(dry, 1.8, 2.4)


def test_a_sequence_without_notes_is_refused():
    with pytest.raises(ZooError, match="no note to play"):
        render(type(line([60]))())


def test_too_long_to_render():
    with pytest.raises(ZooError, match="at most 60"):
        render(piece((0, 1, 60), (5000, 5001, 60)))


@pytest.mark.parametrize(
    "content", [None, b"not a SoundFont at all", b"RIFF\4\0\0\0sfbk"]
)
def test_not_a_soundfont(content, tmp_path):
    path = tmp_path / "font.sf2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ZooError, match=r"font\.sf2 is not a readable SoundFont"):
        render(line([60]), soundfont=path)


def test_wav_reads_back(tmp_path):
    audio = render(line([60, 64]), RATE)
    write_wav(tmp_path / "a.wav", audio, RATE)
    read, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    np.testing.assert_allclose(read, audio, atol=2 / 32767)


def test_compressed_audio_reads_back():
    audio = render(line([60, 64, 67]), 32000)
    mime, content = compress(audio, 32000)
    assert mime in ("audio/mpeg", "audio/ogg")
    read, rate = soundfile.read(io.BytesIO(content))
    assert rate == 32000
    assert len(read) == pytest.approx(len(audio), abs=3200)
    size = min(len(read), len(audio))
    assert np.corrcoef(read[:size, 0], audio[:size, 0])[0, 1] > 0.95


def test_midi_reads_back(tmp_path):
    sequence = line([60, 64], program=0)
    piece((0, 1, 50), program=40, into=sequence)  # two programs of one instrument
    piece((0.5, 0.75, 38), drum=True, into=sequence)
    sequence.tempos.add(qpm=100)
    sequence.tempos.add(time=0.6, qpm=50)
    write_midi(sequence, tmp_path / "a.mid")
    read = midi_io.midi_file_to_note_sequence(str(tmp_path / "a.mid"))

    def notes(events):
        return sorted(
            (n.is_drum, n.program * (not n.is_drum), n.pitch, n.velocity)
            for n in events
        )

    assert notes(read.notes) == notes(sequence.notes)
    times = sorted((n.pitch, n.start_time, n.end_time) for n in read.notes)
    expected = sorted((n.pitch, n.start_time, n.end_time) for n in sequence.notes)
    np.testing.assert_allclose(times, expected, atol=0.005)
    assert sequence.notes[2].instrument == 0  # the sequence is not modified


def test_midi_is_deterministic():
    assert midi_bytes(line([60, 62])) == midi_bytes(line([60, 62]))


def events(midi):
    """Returns the events of a MIDI file, and their times in seconds."""
    played, time = [], 0.0
    for event in mido.MidiFile(file=io.BytesIO(midi)):
        time += event.time
        played.append((round(time, 4), event.copy(time=0)))
    return played


def test_a_marker_stands_where_the_model_begins():
    sequence = line([60, 62, 64, 65])
    sequence.tempos.add(qpm=90)
    before = events(midi_bytes(sequence))
    mark_model(sequence, 1.5)
    after = events(midi_bytes(sequence))
    [marker] = [event for event in after if event[1].type == "marker"]
    assert marker[0] == pytest.approx(1.5, abs=0.005)
    assert marker[1].text == "model"
    assert [event for event in after if event is not marker] == before


def test_a_cue_point_stands_where_the_model_begins(tmp_path):
    audio = render(line([60, 64]), RATE)
    write_wav(tmp_path / "a.wav", audio, RATE, cues={"model": 0.5, "end": 1.0})
    content = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack("<I", content[4:8]) == (len(content) - 8,)
    chunks, at = {}, 12
    while at < len(content):
        name, size = struct.unpack("<4sI", content[at : at + 8])
        chunks[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert list(chunks) == [b"fmt ", b"data", b"cue ", b"LIST"]
    assert chunks[b"cue "] == struct.pack("<I", 2) + b"".join(
        struct.pack("<II4sIII", number, sample, b"data", 0, 0, sample)
        for number, sample in ((1, RATE // 2), (2, RATE))
    )
    assert chunks[b"LIST"] == (
        b"adtllabl" + struct.pack("<II", 10, 1) + b"model\0"
        b"labl" + struct.pack("<II", 8, 2) + b"end\0"
    )
    read, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(read, audio, atol=2 / 32767)
