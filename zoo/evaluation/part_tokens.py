"""Tokens by which classifiers read several parts: pitches, intervals and onsets.

Axes: n excerpt, t step, k part, or token of a step.
"""

import numpy as np

LOW, HIGH = 36, 96  # MIDI numbers that are told apart
LEAP = 12  # semitones; larger ones count as this
PARTS = 4
QUARTERS = 4  # of a bar
KEYS = HIGH - LOW + 1
_INTERVAL = 1 + KEYS
_MOVES = _INTERVAL + 12
_BASS = _MOVES + 2 * LEAP + 1
_ONSETS = _BASS + 2 * LEAP + 1
_BEAT = _ONSETS + PARTS
VOCAB = _BEAT + QUARTERS


def parts_as_tokens(
    pitch: np.ndarray, onset: np.ndarray, steps_per_quarter: int
) -> np.ndarray:
    """Returns numbers below `VOCAB` that describe each step, int32 [n, t, k]; 0 is
    nothing.

    They are the pitches of the parts; the intervals above the lowest, modulo 12; by
    which interval the lowest part moves where any note begins, if there are several
    parts, and the highest where it begins; how many notes begin; and the quarter of the
    bar.

    Args:
      pitch: MIDI pitches [n, t, k] from high to low, -1 for silence.
      onset: whether they begin.
      steps_per_quarter: steps in a quarter note.
    """
    sounds = pitch >= 0
    columns = [np.where(sounds, np.clip(pitch, LOW, HIGH) - LOW + 1, 0)]
    if (parts := pitch.shape[2]) > 1:
        bass = np.where(sounds, pitch, 128).min(axis=2, keepdims=True)
        above = _INTERVAL + (pitch[..., :-1] - bass) % 12
        columns.append(np.where(sounds[..., :-1], above, 0))
        columns.append(
            _moves(bass % 128, np.asarray(onset.any(axis=2, keepdims=True))) + _BASS
        )
        columns[-1] *= columns[-1] >= _BASS
    columns.append(_moves(pitch[..., :1], onset[..., :1]) + _MOVES)
    columns[-1] *= columns[-1] >= _MOVES
    count = onset.sum(axis=2, keepdims=True)
    columns.append(np.where(count > 0, _ONSETS + np.minimum(count, parts) - 1, 0))
    beat = np.arange(pitch.shape[1]) // steps_per_quarter % QUARTERS + _BEAT
    columns.append(np.broadcast_to(beat[None, :, None], (*pitch.shape[:2], 1)))
    return np.concatenate(columns, axis=2).astype(np.int32)


def _moves(pitch: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Returns the interval from the note before, 0 to twice LEAP; -1000 without."""
    begins = onset & (pitch >= 0)
    steps = np.arange(pitch.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(begins, steps, -1), axis=1)
    last = np.pad(last[:, :-1], ((0, 0), (1, 0), (0, 0)), constant_values=-1)
    earlier = np.take_along_axis(pitch, np.maximum(last, 0), axis=1)
    move = np.clip(pitch - earlier, -LEAP, LEAP) + LEAP
    return np.where(begins & (last >= 0), move, -1000)
