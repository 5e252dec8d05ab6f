"""WAV, MP3, Ogg Vorbis and MIDI files."""

import io
import os
import pathlib
import struct
import wave
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.bars import MODEL, model_begins
from zoo.data.lyrics import has_lyrics, lyrics_of
from zoo.errors import ZooError
from zoo.listen.midi_words import tracks_of_words

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

MAX_INT16 = 32767
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def write_wav(
    path: str | os.PathLike[str],
    audio: np.ndarray,
    rate: int = 44100,
    *,
    cues: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Writes audio [samples, channels] in [-1, 1] as 16-bit PCM.

    Args:
      path: the file to write.
      audio: the audio.
      rate: sample rate in hertz.
      cues: times in seconds, by name; editors of audio show them as markers.
    """
    samples = (np.clip(audio, -1, 1) * MAX_INT16).round().astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    content = buffer.getvalue()
    if cues:
        content += cue_chunks({name: round(t * rate) for name, t in cues.items()})
        content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
    pathlib.Path(path).write_bytes(content)


def cue_chunks(samples: Mapping[str, int]) -> bytes:
    """Returns the RIFF chunks of cue points, and of their labels, by sample.

    Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft
    1991), "Cue-Points Chunk" and "Associated Data Chunk".
    """
    points = struct.pack("<I", len(samples))
    labels = b"adtl"
    for number, (name, sample) in enumerate(samples.items(), 1):
        point = number, sample, b"data", 0, 0, sample
        points += struct.pack("<II4sIII", *point)
        text = name.encode() + b"\0"
        label = struct.pack("<I", number) + text
        labels += riff_chunk(b"labl", label)
    return riff_chunk(b"cue ", points) + riff_chunk(b"LIST", labels)


def riff_chunk(name: bytes, content: bytes) -> bytes:
    """Returns a chunk of a RIFF file, padded to an even number of bytes."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


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

    A voice is a combination of instrument, program and percussion. Where a model
    begins, a marker says so. Lyrics are events in the tracks of their notes.
    """
    from note_seq import midi_io

    copy = type(sequence)()
    copy.CopyFrom(sequence)
    events = [*copy.notes, *copy.pitch_bends, *copy.control_changes]
    keys = sorted({(x.instrument, x.program, x.is_drum) for x in events})
    for event in events:  # note_seq writes one program per instrument
        event.instrument = keys.index((event.instrument, event.program, event.is_drum))
    buffer, begins = io.BytesIO(), model_begins(sequence)
    midi = midi_io.note_sequence_to_pretty_midi(copy)
    midi.write(buffer)
    content = buffer.getvalue()
    if has_lyrics(sequence):
        words = tracks_of_words(copy, lyrics_of(sequence), midi.time_to_tick)
        # the first track has no notes
        content = with_events(content, {1 + i: x for i, x in words.items()})
    if begins is None:
        return content
    return with_marker(content, MODEL, midi.time_to_tick(begins))


def with_marker(midi: bytes, text: str, tick: int) -> bytes:
    """Returns a MIDI file with a marker in its first track, which has no notes."""
    return with_events(midi, {0: [(tick, text)]}, "marker")


def with_events(
    midi: bytes, texts: Mapping[int, Sequence[tuple[int, str]]], kind: str = "lyrics"
) -> bytes:
    """Returns a MIDI file with texts in UTF-8, before what is at the same ticks.

    Args:
      midi: the file.
      texts: ticks and texts by the number of their track, in order.
      kind: the type of the meta events, as mido names it.
    """
    import mido  # type: ignore[import-untyped]

    file = mido.MidiFile(file=io.BytesIO(midi))  # texts are bytes, as Latin-1
    for number, events in texts.items():
        track, last = mido.MidiTrack(), 0
        for tick, text in events:
            content = text.encode().decode("latin-1")
            track.append(mido.MetaMessage(kind, text=content, time=tick - last))
            last = tick
        file.tracks[number] = mido.merge_tracks([track, file.tracks[number]])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def write_midi(sequence: "NoteSequence", path: str | os.PathLike[str]) -> None:
    """Writes a sequence to a MIDI file."""
    pathlib.Path(path).write_bytes(midi_bytes(sequence))
