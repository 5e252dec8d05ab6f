"""A renderer of scores by a SoundFont.

It is written for this package. Of the renderers that pip installs, that of symusic
plays this SoundFont out of tune and ignores velocity, and the others need PortAudio or
FluidSynth, which are system libraries.
"""

import functools
import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from zoo.errors import ZooError
from zoo.soundfont import bank as sf
from zoo.soundfont.voice import voice

if TYPE_CHECKING:
    from note_seq.protobuf.music_pb2 import NoteSequence

TAIL = 1.5  # seconds after the last offset, for releases and reverberation
PEAK = 0.89  # of the rendered audio: -1 dBFS
MAX_SECONDS = 3600.0  # an hour of float32 stereo is 1.3 GB
MIN_NOTE_SECONDS = 0.02
FADE_SECONDS = 0.05  # at the end of the audio
REVERB_LEVEL = 0.18  # relative to the direct sound
REVERB_SECONDS = 1.1  # in which reverberation falls by 60 dB
PREDELAY_SECONDS = 0.012  # from the direct sound to the first reflection
SUSTAIN_PEDAL = 64  # controller number


def render(
    sequence: "NoteSequence",
    rate: int = 44100,
    soundfont: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Renders a sequence as stereo audio with a peak at -1 dBFS.

    Times are those of the sequence, in seconds. Notes play their program (a percussion
    kit if `is_drum`) at their velocity. The sustain pedal is applied, and all other
    controllers are ignored. Rendering is deterministic.

    Args:
      sequence: notes to play.
      rate: sampling rate in Hz.
      soundfont: an `.sf2` file; by default the General MIDI set that pretty_midi ships.

    Returns:
      Audio, float32 [samples, 2], which ends `TAIL` seconds after the last note.

    Raises:
      ZooError: the sequence has no note, lasts longer than `MAX_SECONDS`, or the
        SoundFont has no sample for any of its notes.
    """
    if any(
        change.control_number == SUSTAIN_PEDAL for change in sequence.control_changes
    ):
        from note_seq import sequences_lib

        sequence = sequences_lib.apply_sustain_control_changes(sequence)
    notes = [note for note in sequence.notes if note.velocity > 0]
    if not notes:
        raise ZooError("There is no note to play in this score: choose one with notes.")
    end = max(note.end_time for note in notes)
    if end > MAX_SECONDS:
        raise ZooError(
            f"This score lasts {end / 60:.0f} minutes: render at most "
            f"{MAX_SECONDS / 60:.0f} minutes at a time."
        )
    font = sf.load(pathlib.Path(soundfont) if soundfont else None)
    play = functools.lru_cache(maxsize=64)(functools.partial(voice, font, rate))
    mix = np.zeros((round((end + TAIL) * rate), 2), np.float32)
    for note in notes:
        onset = round(max(note.start_time, 0.0) * rate)
        duration = round(max(note.end_time - note.start_time, MIN_NOTE_SECONDS) * rate)
        sound = play(
            bank=sf.DRUMS if note.is_drum else 0,
            program=note.program,
            key=note.pitch,
            velocity=note.velocity,
            duration=duration,
        )
        sound = sound[: len(mix) - onset]
        mix[onset : onset + len(sound)] += sound
    return _master(mix, rate)


def _master(mix: np.ndarray, rate: int) -> np.ndarray:
    """Adds reverberation, fades the end out, and normalises the peak to `PEAK`."""
    wet = signal.oaconvolve(mix, _impulse_response(rate), axes=0)
    mix = mix + REVERB_LEVEL * wet[: len(mix)]
    fade = min(len(mix), round(FADE_SECONDS * rate))
    mix[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    peak = float(np.abs(mix).max())
    if peak == 0:
        raise ZooError(
            "The SoundFont has no sample for any note of this score: choose another "
            "SoundFont."
        )
    return mix * np.float32(PEAK / peak)


@functools.lru_cache(maxsize=4)
def _impulse_response(rate: int) -> np.ndarray:
    """Returns the impulse response of a small hall: decaying noise [samples, 2]."""
    time = np.arange(round(REVERB_SECONDS * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(time), 2))
    decay = 10 ** (-3 * time / REVERB_SECONDS)
    noise = signal.lfilter([0.3], [1, -0.7], noise * decay[:, None], axis=0)
    noise[: round(PREDELAY_SECONDS * rate)] = 0
    return (noise / np.sqrt((noise**2).sum(0))).astype(np.float32)
