"""WAV, MP3 and MIDI files."""

import io
import os
import pathlib
import wave
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

MAX_INT16 = 32767


def write_wav(
    path: str | os.PathLike[str], audio: np.ndarray, rate: int = 44100
) -> None:
    """Writes audio [samples, channels] in [-1, 1] as 16-bit PCM."""
    samples = (np.clip(audio, -1, 1) * MAX_INT16).round().astype("<i2")
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def compress(
    audio: np.ndarray, rate: int = 44100, quality: float = 0.6
) -> tuple[str, bytes]:
    """Encodes audio as MP3, or as Ogg Vorbis if the library has no MP3 encoder.

    Args:
      audio: audio [samples, channels] in [-1, 1].
      rate: sample rate in hertz.
      quality: quality of the variable bit rate, 0 (smallest) to 1 (best).

    Returns:
      The MIME type and the encoded bytes.
    """
    import soundfile

    mp3 = "MP3" in soundfile.available_formats()
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        rate,
        audio.shape[1],
        format="MP3" if mp3 else "OGG",
        subtype="MPEG_LAYER_III" if mp3 else "VORBIS",
        compression_level=min(1 - quality, 0.99),  # libsndfile rejects 1
        bitrate_mode="VARIABLE" if mp3 else None,
    ) as file:
        # in blocks of a second: libsndfile encodes a block on the stack
        for start in range(0, len(audio), rate):
            file.write(audio[start : start + rate])
    return ("audio/mpeg" if mp3 else "audio/ogg"), buffer.getvalue()


def midi_bytes(sequence: "NoteSequence") -> bytes:
    """Encodes a sequence as MIDI, one track per voice.

    A voice is a combination of instrument, program and percussion.
    """
    from note_seq import midi_io

    copy = type(sequence)()
    copy.CopyFrom(sequence)
    events = [*copy.notes, *copy.pitch_bends, *copy.control_changes]
    keys = sorted({(x.instrument, x.program, x.is_drum) for x in events})
    for event in events:  # note_seq writes one program per instrument
        event.instrument = keys.index((event.instrument, event.program, event.is_drum))
    buffer = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(copy).write(buffer)
    return buffer.getvalue()


def write_midi(sequence: "NoteSequence", path: str | os.PathLike[str]) -> None:
    """Writes a sequence to a MIDI file."""
    pathlib.Path(path).write_bytes(midi_bytes(sequence))
