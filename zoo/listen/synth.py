"""NoteSequences made audible, and written as WAV, MP3 and MIDI.

The sampler is our own: of the renderers that pip installs without a system library, symusic's plays
this SoundFont out of tune and ignores velocity, and the others need PortAudio or FluidSynth.
"""

import functools
import io
import os
import pathlib
import wave
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from zoo.errors import ZooError
from zoo.soundfont import bank as sf
from zoo.soundfont.voice import voice

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

TAIL = 1.5  # seconds kept after the last offset, for releases and the room
PEAK = 0.89  # -1 dBFS
LONGEST = 3600.0  # seconds; an hour of float32 stereo is 1.3 GB
WET = 0.18  # level of the room against the direct sound
SHORTEST = 0.02  # seconds a note sounds at least
SUSTAIN_PEDAL = 64  # the number of its controller


def render(
    sequence: "NoteSequence",
    rate: int = 44100,
    soundfont: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Plays a sequence: float32 [samples, 2], peak at -1 dBFS, `TAIL` seconds after the last note.

    Onsets and durations are the sequence's own seconds. Every note plays the program it names
    (percussion where `is_drum`) at its velocity; the sustain pedal is applied, other controllers
    are not. The same sequence gives the same samples.

    Args:
        rate: sample rate in hertz.
        soundfont: an `.sf2` file; by default the General MIDI set that pretty_midi ships.

    Raises:
        ZooError: the sequence has no note that sounds, or lasts more than an hour.
    """
    if any(change.control_number == SUSTAIN_PEDAL for change in sequence.control_changes):
        from note_seq import sequences_lib

        sequence = sequences_lib.apply_sustain_control_changes(sequence)
    notes = [note for note in sequence.notes if note.velocity > 0]
    if not notes:
        raise ZooError("There is no note to play in this score; sample or read a longer one.")
    end = max(note.end_time for note in notes)
    if end > LONGEST:
        raise ZooError(
            f"This score lasts {end / 60:.0f} minutes; render at most {LONGEST / 60:.0f} at a time."
        )
    font = sf.load(pathlib.Path(soundfont) if soundfont else None)
    play = functools.lru_cache(maxsize=64)(functools.partial(voice, font, rate))
    mix = np.zeros((round((end + TAIL) * rate), 2), np.float32)
    for note in notes:
        onset = round(max(note.start_time, 0.0) * rate)
        held = round(max(note.end_time - note.start_time, SHORTEST) * rate)
        bank = sf.DRUMS if note.is_drum else 0
        sound = play(bank, note.program, note.pitch, note.velocity, held)[: len(mix) - onset]
        mix[onset : onset + len(sound)] += sound
    return _master(mix, rate)


def write_wav(path: str | os.PathLike[str], audio: np.ndarray, rate: int = 44100) -> None:
    """Writes audio [samples, channels] in [-1, 1] as 16-bit PCM."""
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(audio, -1, 1) * 32767).round().astype("<i2").tobytes())


def compress(audio: np.ndarray, rate: int = 44100, quality: float = 0.6) -> tuple[str, bytes]:
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
        for start in range(0, len(audio), rate):  # libsndfile encodes long blocks on the C stack
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


def _master(mix: np.ndarray, rate: int) -> np.ndarray:
    """Adds the room, fades the very end out, brings the peak to `PEAK`."""
    mix = mix + WET * signal.oaconvolve(mix, _room(rate), axes=0)[: len(mix)]
    fade = min(len(mix), round(0.05 * rate))
    mix[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    peak = float(np.abs(mix).max())
    if peak == 0:
        raise ZooError("The SoundFont has no sample for any note of this score; try another one.")
    return mix * np.float32(PEAK / peak)


@functools.lru_cache(maxsize=4)
def _room(rate: int) -> np.ndarray:
    """Impulse response of a small hall, float32 [samples, 2]: noise that falls 60 dB in 1.1 s."""
    time = np.arange(round(1.1 * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(time), 2))
    noise = signal.lfilter([0.3], [1, -0.7], noise * 10 ** (-3 * time / 1.1)[:, None], axis=0)
    noise[: round(0.012 * rate)] = 0  # the first reflection comes after the direct sound
    return (noise / np.sqrt((noise**2).sum(0))).astype(np.float32)
