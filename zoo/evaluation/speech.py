"""Distances between speech and a recording of it, and errors of what is heard.

Axes: s sample, f frame of 5 ms, c coefficient, p pair of frames on a warping path.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.fft

from zoo.errors import ZooError, require

FRAME = 0.005  # seconds
WINDOW = 0.025  # seconds
BANDS = 40
COEFFICIENTS = 13  # besides the first, which is loudness
FLOOR = 1e-5  # of a magnitude
LOWEST, HIGHEST = 60.0, 500.0  # of a voice, in hertz
DECIBELS = 10 / np.log(10) * np.sqrt(2)
MISSING = "f0 of speech needs pyworld: pip install 'music-zoo[speech]'."


class SpeechDistance(NamedTuple):
    """Distances of speech from a recording of the same text.

    Attributes:
      distortion: mel-cepstral distortion, in dB.
      cents: root mean square of the difference of f0 where both have a voice, or nan.
      voicing: share of pairs of frames of which one has a voice and the other not.
    """

    distortion: float
    cents: float
    voicing: float


def speech_distance(real: np.ndarray, made: np.ndarray, rate: int) -> SpeechDistance:
    """Compares speech with a recording, float32 [s] each, along the best warping.

    Raises:
      ZooError: pyworld is not installed.
    """
    one, other = mel_cepstrum(real, rate), mel_cepstrum(made, rate)
    path = warping(one, other)
    cents, voicing = f0_errors(f0(real, rate), f0(made, rate), path)
    return SpeechDistance(distortion(one, other, path), cents, voicing)


def mel_cepstrum(audio: np.ndarray, rate: int) -> np.ndarray:
    """Returns the mel-cepstrum of samples [s], float64 [f, c], without loudness.

    It is the cosine transform of the logarithm of a mel spectrum of magnitudes, scaled
    so that coefficient m is the amplitude of a cosine of m half periods.
    """
    window, hop = round(WINDOW * rate), round(FRAME * rate)
    size = max(512, 1 << (window - 1).bit_length())
    padded = np.pad(np.asarray(audio, np.float64), (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)
    frames = frames[::hop][: len(audio) // hop + 1]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(window), size))
    mel = magnitudes @ bands(rate, size)
    return cepstrum(np.log(np.maximum(mel, FLOOR)))


def bands(rate: int, size: int) -> np.ndarray:
    """Returns the weights of triangular mel bands, float64 [size / 2 + 1, b].

    The mel scale is that of D. O'Shaughnessy: Speech communication (1987).
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(size, 1 / rate)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def cepstrum(logs: np.ndarray) -> np.ndarray:
    """Returns the coefficients [f, c] of logarithms of bands [f, b]."""
    found = scipy.fft.dct(logs.astype(np.float64), norm="ortho", axis=-1)
    return np.sqrt(2 / logs.shape[-1]) * found[:, 1 : COEFFICIENTS + 1]


def warping(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the cheapest path through pairs of frames of [f, c] each, int64 [p, 2].

    It goes from the first pair to the last by steps of a frame in one, or in both.
    """
    costs = np.linalg.norm(one[:, None] - other[None], axis=-1).tolist()
    infinite = float("inf")
    totals = [[0.0] + [infinite] * len(other)]  # with a row and a column before all
    for row in costs:
        before, now = totals[-1], [infinite]
        for j, cost in enumerate(row):
            now.append(cost + min(before[j], before[j + 1], now[j]))
        totals.append(now)
    i, j = len(one), len(other)
    path = []
    while i and j:
        path.append((i - 1, j - 1))
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda at: totals[at[0]][at[1]])
    return np.array(path[::-1], np.int64)


def distortion(one: np.ndarray, other: np.ndarray, path: np.ndarray) -> float:
    """Returns the mel-cepstral distortion along a path, in dB.

    R. Kubichek: Mel-cepstral distance measure for objective speech quality assessment
    (1993): 10 / ln 10 · sqrt(2 Σ d²), averaged over pairs of frames.
    """
    gaps = np.linalg.norm(one[path[:, 0]] - other[path[:, 1]], axis=-1)
    return float(DECIBELS * gaps.mean())


def f0(audio: np.ndarray, rate: int) -> np.ndarray:
    """Returns f0 of samples [s] in hertz, float64 [f], 0 where there is no voice.

    M. Morise: Harvest, a high-performance fundamental frequency estimator (2017).

    Raises:
      ZooError: pyworld is not installed.
    """
    try:
        import pyworld
    except ImportError as error:
        raise ZooError(MISSING) from error
    found, _ = pyworld.harvest(
        np.asarray(audio, np.float64),
        rate,
        f0_floor=LOWEST,
        f0_ceil=HIGHEST,
        frame_period=1000 * FRAME,
    )
    return np.asarray(found)


def f0_errors(
    real: np.ndarray, made: np.ndarray, path: np.ndarray
) -> tuple[float, float]:
    """Returns the error of f0 in cents, and the share of errors of voicing.

    Args:
      real: f0 in hertz [f], 0 without a voice.
      made: the same of what is compared.
      path: pairs of frames [p, 2]; those beyond an array are its last.
    """
    one = real[np.minimum(path[:, 0], len(real) - 1)]
    other = made[np.minimum(path[:, 1], len(made) - 1)]
    both = (one > 0) & (other > 0)
    voicing = float(np.mean((one > 0) != (other > 0)))
    if not both.any():
        return float("nan"), voicing
    cents = 1200 * np.log2(other[both] / one[both])
    return float(np.sqrt(np.mean(cents**2))), voicing


def word_error_rate(texts: Sequence[str], heard: Sequence[str]) -> float:
    """Returns the edits of words that make `heard` of `texts`, per word of `texts`."""
    return _error_rate([spelled(x).split() for x in texts], heard, words=True)


def character_error_rate(texts: Sequence[str], heard: Sequence[str]) -> float:
    """Returns the edits of characters, spaces included, per character of `texts`."""
    return _error_rate([list(spelled(x)) for x in texts], heard, words=False)


def spelled(text: str) -> str:
    """Returns a text in small letters, without signs other than apostrophes."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'")))


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the fewest insertions, deletions and exchanges from one to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def _error_rate(
    texts: Sequence[Sequence[str]], heard: Sequence[str], *, words: bool
) -> float:
    count = sum(map(len, texts))
    require(count > 0, "an error rate needs a text with words: give one.")
    answers = [spelled(one) for one in heard]
    parts = [one.split() if words else list(one) for one in answers]
    return sum(edits(a, b) for a, b in zip(texts, parts, strict=True)) / count
