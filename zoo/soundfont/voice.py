"""One note of a SoundFont, in NumPy.

Implements what a General MIDI set needs of the SoundFont synthesis model (2.04, section 9): looped
samples, tuning, volume envelope, velocity, attenuation, pan, vibrato, and a low-pass filter with
its sweep.
"""

import math

import numpy as np
from scipy import signal

from zoo.soundfont import bank as sf

BLOCK = 1024  # samples between two settings of a moving filter
RELEASES = 0.03, 1.5  # seconds: shorter clicks, longer blurs what follows
AUDIBLE = 0.7  # the part of a release, which falls 100 dB, that can be heard


def voice(
    font: sf.SoundFont,
    rate: int,
    bank: int,
    program: int,
    key: int,
    velocity: int,
    held: int,
) -> np.ndarray:
    """One note at `rate` hertz, float32 [samples, 2]; it is `held` samples, then released."""
    layers = [
        _layer(font.samples, zone, key, velocity, held, rate)
        for zone in font.find(bank, program, key, velocity)
    ]
    out = np.zeros((max(map(len, layers), default=0), 2), np.float32)
    for layer in layers:
        out[: len(layer)] += layer
    return out


def _layer(
    samples: np.ndarray, zone: sf.Zone, key: int, velocity: int, held: int, rate: int
) -> np.ndarray:
    """One sample of one note, float32 [samples, 2]."""
    time = np.arange(held + round(AUDIBLE * _release(zone) * rate)) / rate
    cents = (key - zone.root) * zone[sf.SCALE] + 100 * zone[sf.COARSE] + zone[sf.FINE]
    step = zone.rate / rate * 2 ** (cents / 1200)
    if zone[sf.VIBRATO]:
        swing = np.sin(2 * np.pi * _hertz(zone[sf.VIBRATO_RATE]) * time)
        swing *= time > _seconds(zone[sf.VIBRATO_DELAY])
        position = np.cumsum(step * 2 ** (zone[sf.VIBRATO] * swing / 1200)) - step
    else:
        position = step * rate * time
    position += zone.start
    if zone.loop:
        start, end = zone.loop
        position = np.where(
            position < end, position, start + (position - start) % (end - start)
        )
    else:
        position = position[position < zone.end - 1]
    wave = _interpolate(samples, position) * _envelope(
        zone, time[: len(position)], held / rate
    )
    wave = _low_pass(wave, zone, rate)
    decibels = (
        0.04 * zone[sf.ATTENUATION]
    )  # 0.4 of the nominal centibels, as fonts are voiced for
    level = (velocity / 127) ** 2 * 10 ** (-decibels / 20)
    angle = (np.clip(zone[sf.PAN], -500, 500) / 1000 + 0.5) * np.pi / 2
    gains = np.array([math.cos(angle), math.sin(angle)]) * level
    return (wave[:, None] * gains).astype(np.float32)


def _interpolate(samples: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Catmull-Rom between 16-bit samples, scaled to [-1, 1]."""
    index = position.astype(np.int64)
    x = position - index
    a, b, c, d = (samples[index + k].astype(np.float64) for k in (-1, 0, 1, 2))
    cubic = b + 0.5 * x * (
        c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a))
    )
    return cubic / 32768


def _envelope(zone: sf.Zone, time: np.ndarray, held: float) -> np.ndarray:
    """Delay, linear attack, hold, then decay, sustain and release that are linear in decibels."""
    rise = max(_seconds(zone[sf.ATTACK]), 1e-3)
    attack = (time - _seconds(zone[sf.DELAY])) / rise
    decay = (attack - 1) * rise - _seconds(zone[sf.HOLD])
    sustain = min(max(zone[sf.SUSTAIN], 0) / 10, 100.0)
    loss = np.clip(100 * decay / max(_seconds(zone[sf.DECAY]), 1e-3), 0, sustain)
    loss += np.maximum(100 * (time - held) / _release(zone), 0)
    return np.clip(attack, 0, 1) * 10 ** (-loss / 20)


def _low_pass(wave: np.ndarray, zone: sf.Zone, rate: int) -> np.ndarray:
    """Two-pole low-pass whose cutoff follows the modulation envelope, in blocks of `BLOCK`."""
    if zone[sf.CUTOFF] >= 13500:
        return wave
    sweep = zone[sf.SWEEP]
    block = BLOCK if sweep else max(len(wave), 1)
    time = np.arange(0, len(wave), block) / rate
    attack = (time - _seconds(zone[sf.SWEEP_DELAY])) / max(
        _seconds(zone[sf.SWEEP_ATTACK]), 1e-3
    )
    decay = time - sum(
        map(_seconds, (zone[g] for g in (sf.SWEEP_DELAY, sf.SWEEP_ATTACK)))
    )
    decay = (decay - _seconds(zone[sf.SWEEP_HOLD])) / max(
        _seconds(zone[sf.SWEEP_DECAY]), 1e-3
    )
    opening = np.clip(attack, 0, 1) - np.clip(decay, 0, zone[sf.SWEEP_SUSTAIN] / 1000)
    cutoffs = np.minimum(_hertz(zone[sf.CUTOFF] + sweep * opening), 0.45 * rate)
    q = 10 ** ((zone[sf.RESONANCE] / 10 - 3.01) / 20)
    out, state = np.empty_like(wave), np.zeros(2)
    for i, w in enumerate((2 * np.pi * cutoffs / rate).tolist()):
        alpha, cosine = math.sin(w) / (2 * q), math.cos(w)
        b = np.array([0.5, 1, 0.5]) * (1 - cosine)
        part = slice(i * block, (i + 1) * block)
        out[part], state = signal.lfilter(
            b, [1 + alpha, -2 * cosine, 1 - alpha], wave[part], zi=state
        )
    return out


def _release(zone: sf.Zone) -> float:
    shortest, longest = RELEASES
    return min(max(_seconds(zone[sf.RELEASE]), shortest), longest)


def _seconds(timecents: float) -> float:
    return 0.0 if timecents <= -12000 else 2 ** (timecents / 1200)


def _hertz(cents):
    return 8.176 * 2 ** (cents / 1200)
