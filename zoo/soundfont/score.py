"""A score as a SoundFont plays it.

The sampler is our own: of the renderers that pip installs without a system library, symusic's plays
this SoundFont out of tune and ignores velocity, and the others need PortAudio or FluidSynth.
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
    if any(
        change.control_number == SUSTAIN_PEDAL for change in sequence.control_changes
    ):
        from note_seq import sequences_lib

        sequence = sequences_lib.apply_sustain_control_changes(sequence)
    notes = [note for note in sequence.notes if note.velocity > 0]
    if not notes:
        raise ZooError(
            "There is no note to play in this score; sample or read a longer one."
        )
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
        sound = play(bank, note.program, note.pitch, note.velocity, held)[
            : len(mix) - onset
        ]
        mix[onset : onset + len(sound)] += sound
    return _master(mix, rate)


def _master(mix: np.ndarray, rate: int) -> np.ndarray:
    """Adds the room, fades the very end out, brings the peak to `PEAK`."""
    mix = mix + WET * signal.oaconvolve(mix, _room(rate), axes=0)[: len(mix)]
    fade = min(len(mix), round(0.05 * rate))
    mix[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    peak = float(np.abs(mix).max())
    if peak == 0:
        raise ZooError(
            "The SoundFont has no sample for any note of this score; try another one."
        )
    return mix * np.float32(PEAK / peak)


@functools.lru_cache(maxsize=4)
def _room(rate: int) -> np.ndarray:
    """Impulse response of a small hall, float32 [samples, 2]: noise that falls 60 dB in 1.1 s."""
    time = np.arange(round(1.1 * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(time), 2))
    noise = signal.lfilter(
        [0.3], [1, -0.7], noise * 10 ** (-3 * time / 1.1)[:, None], axis=0
    )
    noise[: round(0.012 * rate)] = (
        0  # the first reflection comes after the direct sound
    )
    return (noise / np.sqrt((noise**2).sum(0))).astype(np.float32)
