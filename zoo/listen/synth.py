"""Sound written as WAV and MP3, and NoteSequences as MIDI."""

import io
import os
import pathlib
import wave
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


def write_wav(
    path: str | os.PathLike[str], audio: np.ndarray, rate: int = 44100
) -> None:
    """Writes audio [samples, channels] in [-1, 1] as 16-bit PCM."""
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(
            (np.clip(audio, -1, 1) * 32767).round().astype("<i2").tobytes()
        )


def compress(
    audio: np.ndarray, rate: int = 44100, quality: float = 0.6
) -> tuple[str, bytes]:
    """Audio [samples, channels] as a browser plays it: (MIME type, bytes), MP3 or else Ogg Vorbis.

    Args:
        quality: 0 (smallest) to 1 (best) of the encoder's variable bit rate.
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
        compression_level=min(1 - quality, 0.99),  # libsndfile refuses 1
        bitrate_mode="VARIABLE" if mp3 else None,
    ) as file:
        for start in range(
            0, len(audio), rate
        ):  # libsndfile encodes long blocks on the C stack
            file.write(audio[start : start + rate])
    return ("audio/mpeg" if mp3 else "audio/ogg"), buffer.getvalue()


def midi(sequence: "NoteSequence") -> bytes:
    """The sequence as a MIDI file, one track per voice (instrument, program, percussion or not)."""
    from note_seq import midi_io

    copy = type(sequence)()
    copy.CopyFrom(sequence)
    events = [*copy.notes, *copy.pitch_bends, *copy.control_changes]
    keys = sorted({(x.instrument, x.program, x.is_drum) for x in events})
    for event in events:  # note_seq keeps only the last program of instrument 0
        event.instrument = keys.index((event.instrument, event.program, event.is_drum))
    buffer = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(copy).write(buffer)
    return buffer.getvalue()


def write_midi(sequence: "NoteSequence", path: str | os.PathLike[str]) -> None:
    """Writes `midi(sequence)` to a file."""
    pathlib.Path(path).write_bytes(midi(sequence))
