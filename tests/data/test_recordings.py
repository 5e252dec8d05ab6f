"""Reading of recordings of all types, and refusal of invalid ones."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from zoo.data.audio.recordings import BLOCK, Recording, RecordingLimits
from zoo.data.refusal import Refused

RATE = 16000


def tone(rate, seconds=1.0, hz=440.0):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def read(path, length=RATE):
    recording = Recording(path, RATE)
    return list(recording.excerpts(length)), recording.remarks


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype", "tolerance"),
    [
        ("a.wav", 8000, 1, "PCM_U8", 0.01),
        ("a.wav", 192_000, 6, "PCM_24", 1e-3),
        ("a.wav", 16000, 2, "FLOAT", 1e-4),
        ("a.flac", 44100, 2, "PCM_16", 1e-3),
        ("a.ogg", 44100, 1, "VORBIS", 0.05),
        ("a.mp3", 44100, 2, "MPEG_LAYER_III", 0.05),
    ],
)
def test_a_tone_is_read_alike_from_every_type(
    tmp_path, name, rate, channels, subtype, tolerance
):
    x = np.repeat(tone(rate)[:, None], channels, axis=1)
    soundfile.write(tmp_path / name, x, rate, subtype=subtype)
    found = np.concatenate(read(tmp_path / name)[0]) / 32767
    assert abs(len(found) - RATE) <= (RATE // 10 if "mp3" in name else 2)
    inside = slice(RATE // 4, RATE * 3 // 4)
    lag = np.arange(RATE)[inside]
    basis = np.exp(2j * np.pi * 440 * lag / RATE)  # MP3 adds a short delay
    at = 2 * (found[inside] * basis.conj()).mean()
    np.testing.assert_allclose(np.abs(at), 0.5, atol=tolerance)
    assert np.abs(found[inside] - (at * basis).real).max() < 2 * tolerance


def test_excerpts_are_successive_and_silence_is_left_out(tmp_path):
    parts = [tone(RATE), np.zeros(RATE), tone(RATE, 1.5, 220)]
    soundfile.write(tmp_path / "a.wav", np.concatenate(parts), RATE)
    found, remarks = read(tmp_path / "a.wav")
    assert [len(x) for x in found] == [RATE, RATE, RATE // 2]
    np.testing.assert_allclose(
        np.concatenate(found) / 32767, np.concatenate(parts[::2]), atol=1e-4
    )
    assert remarks == {"silent": 1, "clipped": 0}
    soundfile.write(tmp_path / "b.wav", np.clip(5 * tone(RATE), -1, 1), RATE)
    assert read(tmp_path / "b.wav")[1]["clipped"] == 1


def test_a_long_recording_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "a.flac"
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        for _ in range(100):
            file.write(np.repeat(tone(48000, 1.0)[:, None], 2, axis=1))
    tracemalloc.start()
    count = sum(len(x) for x in Recording(path, RATE).excerpts(4 * RATE))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100 * RATE
    assert most < 30 * BLOCK * 4


def encoded(name, samples, rate=44_100, **options):
    """Returns the bytes of a file."""
    file = io.BytesIO()
    file.name = name
    soundfile.write(file, samples, rate, **options)
    return bytearray(file.getvalue())


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_truncated_mp3_is_kept_as_far_as_it_decodes(tmp_path, share):
    data = encoded("a.mp3", tone(44_100, 6.0))
    whole, cut = tmp_path / "whole.mp3", tmp_path / "cut.mp3"
    whole.write_bytes(data)
    cut.write_bytes(data[: int(share * len(data))])
    expected, remarks = read(whole, 6 * RATE)
    assert (len(expected), remarks["truncated"]) == (1, 0)
    (found,), remarks = read(cut, 6 * RATE)
    assert remarks["truncated"] == 1
    assert len(found) == pytest.approx(share * 6 * RATE, abs=0.3 * RATE)
    inside = slice(0, len(found) - RATE // 20)  # the decoder rings at its end
    np.testing.assert_array_equal(found[inside], expected[0][inside])


def test_claims_of_a_header_are_checked_against_limits(tmp_path):
    wav = encoded("a.wav", tone(RATE), RATE, subtype="PCM_16")
    flac = encoded("a.flac", tone(RATE), RATE)

    def patched(name, data, at, layout, value):
        changed = bytearray(data)
        struct.pack_into(layout, changed, at, value)
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(Refused) as caught:
            read(tmp_path / name)
        return caught.value.reason

    tracemalloc.start()
    assert patched("fast.wav", wav, 24, "<I", 2_000_000_000) == "sample-rate"
    assert patched("slow.wav", wav, 24, "<I", 1) == "sample-rate"
    assert patched("wide.wav", wav, 22, "<H", 999) == "channels"
    # 36 bits of STREAMINFO are the number of samples
    assert patched("long.flac", flac, 22, ">I", 2**32 - 1) == "too-long"
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 30 * BLOCK * 4


def test_a_stream_of_unknown_length_is_read_to_its_end(tmp_path):
    data = encoded("a.flac", tone(RATE), RATE)
    data[21] &= 0xF0
    struct.pack_into(">I", data, 22, 0)
    (tmp_path / "a.flac").write_bytes(data)
    found, remarks = read(tmp_path / "a.flac", 2 * RATE)
    assert [len(x) for x in found] == [RATE]
    assert not remarks["truncated"]


def test_a_recording_longer_than_the_limit_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(RATE, 2.0), RATE)
    limits = RecordingLimits(duration=1.5)
    with pytest.raises(Refused, match=r"0\.0 hours long and the limit is 0"):
        list(Recording(tmp_path / "a.wav", RATE, limits).excerpts(RATE))


def test_unreadable_and_silent_files_are_refused(tmp_path):
    def refused(name):
        with pytest.raises(Refused) as caught:
            read(tmp_path / name)
        assert caught.value.detail.endswith((".", ")."))
        return caught.value.reason

    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "nothing.mp3").touch()
    soundfile.write(tmp_path / "zero.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), 44100)
    broken = tone(RATE)
    broken[RATE // 2] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, RATE, subtype="FLOAT")
    found = {
        name: refused(f"{name}.wav")
        for name in ("text", "zero", "silent", "nan", "none")
    }
    assert found == {
        "text": "unreadable",
        "zero": "empty",
        "silent": "silent",
        "nan": "not-finite",
        "none": "unreadable",
    }
    with pytest.raises(Refused, match="file is empty"):
        read(tmp_path / "nothing.mp3")
    with pytest.raises(Refused, match=r"sample at 0\.500 s is not finite"):
        read(tmp_path / "nan.wav")
