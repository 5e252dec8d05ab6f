"""Loudness of audio by ITU-R BS.1770-4, and its equalisation between pieces."""

import numpy as np
from scipy import ndimage, signal

TARGET = -19.0  # LUFS; most rendered pieces reach it below the peak
PEAK = 0.89  # -1 dBFS
BLOCK_SECONDS, BLOCKS = 0.4, 4  # of a gating block, and how many overlap
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
OFFSET = -0.691  # LUFS of a mean square of 1
LIMITER_SECONDS = 0.005  # in which the limiter reacts


def loudness(audio: np.ndarray, rate: int) -> float:
    """Returns the integrated loudness in LUFS; -inf for silence.

    Audio shorter than a gating block counts as one block.

    Args:
      audio: audio [samples, channels].
      rate: sample rate in hertz.
    """
    weighted = audio.astype(np.float64)
    for b, a in _weighting(rate):
        weighted = signal.lfilter(b, a, weighted, axis=0)
    power = (weighted**2).sum(1)
    size = min(round(BLOCK_SECONDS * rate), len(power))
    totals = np.append(0, np.cumsum(power))
    starts = np.arange(0, len(power) - size + 1, max(size // BLOCKS, 1))
    blocks = (totals[starts + size] - totals[starts]) / size
    for gate in (ABSOLUTE_GATE, None):
        level = _level(blocks.mean()) + RELATIVE_GATE if gate is None else gate
        blocks = blocks[_level(blocks) > level]
        if not len(blocks):
            return -np.inf
    return float(_level(blocks.mean()))


def equalise(audio: np.ndarray, rate: int) -> np.ndarray:
    """Returns audio of the loudness `TARGET`, float32, with peaks at `PEAK` at most.

    Peaks beyond it are turned down by a limiter, without distortion. Silence remains.

    Args:
      audio: audio [samples, channels].
      rate: sample rate in hertz.
    """
    level = loudness(audio, rate)
    if not np.isfinite(level):
        return audio.astype(np.float32)
    loud = audio * 10 ** ((TARGET - level) / 20)
    size = 2 * round(LIMITER_SECONDS * rate) + 1
    allowed = PEAK / np.maximum(np.abs(loud).max(1), PEAK)
    # the mean of minima over a window is nowhere above what is allowed
    gain = ndimage.uniform_filter1d(
        ndimage.minimum_filter1d(allowed, size, mode="nearest"), size, mode="nearest"
    )
    return (loud * np.minimum(gain, allowed)[:, None]).astype(np.float32)


def _level(power: np.ndarray) -> np.ndarray:
    return OFFSET + 10 * np.log10(np.maximum(power, 1e-20))


def _weighting(rate: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the two filters of K-weighting: a high shelf and a high-pass.

    The coefficients of the standard are for 48 kHz. These are of the analogue filters
    behind them, as in libebur128.
    """
    k = np.tan(np.pi * 1681.974450955533 / rate)
    q, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    shelf = np.array(
        [gain + middle * k / q + k**2, 2 * (k**2 - gain), gain - middle * k / q + k**2]
    )
    poles = np.array([1 + k / q + k**2, 2 * (k**2 - 1), 1 - k / q + k**2])
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    low = np.array([1 + k / q + k**2, 2 * (k**2 - 1), 1 - k / q + k**2])
    return [(shelf / poles[0], poles / poles[0]), (np.array([1, -2, 1]), low / low[0])]
