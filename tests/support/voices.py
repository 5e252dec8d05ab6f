"""A spoken utterance that is made of pulses, noise and formants: no engine needed."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

RATE = 16_000
FORMANTS = {
    "AA": (730, 1090, 2440),
    "IY": (270, 2290, 3010),
    "UW": (300, 870, 2240),
    "EH": (530, 1840, 2480),
    "L": (360, 1300, 2700),
    "N": (250, 1200, 2200),
    "R": (310, 1060, 1380),
}
NOISY = {"S": (6000, 0.03), "SH": (3000, 0.04), "T": (5000, 0.01), "K": (2000, 0.01)}


class Utterance(NamedTuple):
    audio: np.ndarray
    rate: int
    phonemes: tuple[str, ...]
    bounds: np.ndarray


def resonated(source: np.ndarray, hertz: float, width: float) -> np.ndarray:
    """Filters a source [s] by a resonance."""
    radius = np.exp(-np.pi * width / RATE)
    pole = 2 * radius * np.cos(2 * np.pi * hertz / RATE)
    return lfilter([1 - pole + radius**2], [1, -pole, radius**2], source)


def spoken(text: str, pitch: float = 120.0, seed: int = 0) -> Utterance:
    """Speaks phonemes, each with its length in ms: `S:100 T:60 AA1:140 pau:80`."""
    names, lengths = zip(*(item.split(":") for item in text.split()), strict=True)
    counts = [round(int(x) * RATE / 1000) for x in lengths]
    bounds = np.cumsum([0, *counts])
    time = np.arange(bounds[-1]) / RATE
    f0 = pitch * (1.1 - 0.2 * time / max(time[-1], 1e-3))
    phase = np.cumsum(f0 / RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    rng = np.random.default_rng(seed)
    audio = np.zeros(len(time))
    for name, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True):
        sound = name.rstrip("012")
        if sound in FORMANTS:
            part = pulses[start:stop]
            for number, hertz in enumerate(FORMANTS[sound]):
                part = resonated(part, hertz, 60 + 40 * number)
            level = 0.1 if name != sound else 0.05
            audio[start:stop] = level * part / np.sqrt(np.mean(part**2))
        elif sound in NOISY:
            hertz, level = NOISY[sound]
            noise = rng.standard_normal(stop - start)
            part = resonated(noise, hertz, 1500)
            audio[start:stop] = level * part / np.sqrt(np.mean(part**2))
    return Utterance(audio.astype(np.float32), RATE, names, bounds)


def pitch_of(audio: np.ndarray, times: np.ndarray, near: float) -> np.ndarray:
    """Returns the frequency at `times` by the autocorrelation of 60 ms, near a guess.

    The peak is interpolated by a parabola.
    """
    half = round(0.03 * RATE)
    lags = np.arange(int(RATE / near / 1.2), int(RATE / near * 1.2) + 2)
    found = []
    for time in times:
        at = round(time * RATE)
        part = audio[max(at - half, 0) : at + half]
        products = np.array([np.dot(part[:-k], part[k:]) / len(part[k:]) for k in lags])
        best = int(np.clip(products.argmax(), 1, len(lags) - 2))
        a, b, c = products[best - 1 : best + 2]
        found.append(RATE / (lags[best] + 0.5 * (a - c) / (a - 2 * b + c)))
    return np.array(found)
