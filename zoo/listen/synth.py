"""WAV, MP3, Ogg Vorbis and MIDI files."""

import io
import os
import pathlib
import wave
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

MAX_INT16 = 32767
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


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
    audio: np.ndarray, rate: int = 44100, quality: float = 0.6, kind: str | None = None
) -> tuple[str, bytes]:
    """Encodes audio as MP3 or Ogg Vorbis.

    Args:
      audio: audio [samples, channels] in [-1, 1].
      rate: sample rate in hertz; one of `MP3_RATES` for MP3.
      quality: quality of the variable bit rate, 0 (smallest) to 1 (best).
      kind: "mp3" or "ogg"; by default MP3, or Ogg Vorbis if the library has no MP3
        encoder.

    Returns:
      The MIME type and the encoded bytes.

    Raises:
      ZooError: the library has no MP3 encoder.
    """
    import soundfile

    has_mp3 = "MP3" in soundfile.available_formats()
    if kind == "mp3" and not has_mp3:
        raise ZooError(
            f"libsndfile {soundfile.__libsndfile_version__} writes no MP3: choose ogg, "
            "or upgrade soundfile."
        )
    mp3 = kind == "mp3" or (kind is None and has_mp3)
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
