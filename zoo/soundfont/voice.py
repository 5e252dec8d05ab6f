"""Synthesis of one note of a SoundFont.

It implements the parts of the SoundFont synthesis model (2.04, section 9) that a
General MIDI set needs: looped samples, tuning, volume envelope, velocity, attenuation,
pan, vibrato, and a low-pass filter with its modulation envelope.
"""

import math

import numpy as np
from scipy import signal

from zoo.soundfont import bank as sf

BLOCK = 1024  # samples between two settings of a modulated filter
MIN_RELEASE = 0.03  # seconds; a shorter one clicks
MAX_RELEASE = 1.5  # seconds; a longer one blurs the notes that follow
RELEASE_FRACTION = 0.7  # rendered of a release, which falls by 100 dB: the audible part
MIN_TIME = 1e-3  # seconds of an attack or a decay
OPEN_CUTOFF = 13500  # cents; at or above it the filter is off
ATTENUATION_DB = 0.04  # dB per unit: 0.4 of the specified ones, as in usual fonts


def voice(
    font: sf.SoundFont,
    rate: int,
    *,
    bank: int,
    program: int,
    key: int,
    velocity: int,
    duration: int,
) -> np.ndarray:
    """Synthesises one note.

    Args:
      font: the SoundFont.
      rate: sampling rate in Hz.
      bank: of the preset; `DRUMS` for percussion.
      program: of the preset.
      key: MIDI pitch.
      velocity: MIDI velocity.
      duration: samples before the release.

    Returns:
      Audio, float32 [samples, 2], including the release.
    """
    layers = [
        _layer(
            font.samples,
            zone,
            key=key,
            velocity=velocity,
            duration=duration,
            rate=rate,
        )
        for zone in font.find(bank, program, key, velocity)
    ]
    out = np.zeros((max(map(len, layers), default=0), 2), np.float32)
    for layer in layers:
        out[: len(layer)] += layer
    return out


def _layer(
    samples: np.ndarray,
    zone: sf.Zone,
    *,
    key: int,
    velocity: int,
    duration: int,
    rate: int,
) -> np.ndarray:
    """Plays one zone of a note, float32 [samples, 2]."""
    release = round(RELEASE_FRACTION * _release(zone) * rate)
    time = np.arange(duration + release) / rate
    cents = (key - zone.root) * zone[sf.SCALE] + 100 * zone[sf.COARSE] + zone[sf.FINE]
    step = zone.rate / rate * 2 ** (cents / 1200)
    if zone[sf.VIBRATO]:
        vibrato = np.sin(2 * np.pi * _hertz(zone[sf.VIBRATO_RATE]) * time)
        vibrato *= time > _seconds(zone[sf.VIBRATO_DELAY])
        position = np.cumsum(step * 2 ** (zone[sf.VIBRATO] * vibrato / 1200)) - step
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
    envelope = _envelope(zone, time[: len(position)], duration / rate)
    wave = _low_pass(_interpolate(samples, position) * envelope, zone, rate)
    decibels = ATTENUATION_DB * zone[sf.ATTENUATION]
    level = (velocity / 127) ** 2 * 10 ** (-decibels / 20)
    angle = (np.clip(zone[sf.PAN], -500, 500) / 1000 + 0.5) * np.pi / 2
    gains = np.array([math.cos(angle), math.sin(angle)]) * level
    return (wave[:, None] * gains).astype(np.float32)


def _interpolate(samples: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolates 16-bit samples by Catmull-Rom splines, scaled to [-1, 1]."""
    index = position.astype(np.int64)
    x = position - index
    a, b, c, d = (samples[index + k].astype(np.float64) for k in (-1, 0, 1, 2))
    cubic = b + 0.5 * x * (
        c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a))
    )
    return cubic / 32768


def _envelope(zone: sf.Zone, time: np.ndarray, duration: float) -> np.ndarray:
    """Returns the volume envelope at times in seconds.

    The attack is linear in amplitude; decay and release are linear in decibels.
    """
    attack_seconds = max(_seconds(zone[sf.ATTACK]), MIN_TIME)
    attack = (time - _seconds(zone[sf.DELAY])) / attack_seconds
    decay = (attack - 1) * attack_seconds - _seconds(zone[sf.HOLD])
    decay_seconds = max(_seconds(zone[sf.DECAY]), MIN_TIME)
    sustain = min(max(zone[sf.SUSTAIN], 0) / 10, 100.0)
    loss = np.clip(100 * decay / decay_seconds, 0, sustain)
    loss += np.maximum(100 * (time - duration) / _release(zone), 0)
    return np.clip(attack, 0, 1) * 10 ** (-loss / 20)


def _low_pass(wave: np.ndarray, zone: sf.Zone, rate: int) -> np.ndarray:
    """Applies a two-pole low-pass filter with a modulated cutoff."""
    if zone[sf.CUTOFF] >= OPEN_CUTOFF:
        return wave
    sweep = zone[sf.SWEEP]
    block = BLOCK if sweep else max(len(wave), 1)
    time = np.arange(0, len(wave), block) / rate
    delay = _seconds(zone[sf.SWEEP_DELAY])
    attack_seconds = _seconds(zone[sf.SWEEP_ATTACK])
    attack = (time - delay) / max(attack_seconds, MIN_TIME)
    decay = time - (delay + attack_seconds) - _seconds(zone[sf.SWEEP_HOLD])
    decay = decay / max(_seconds(zone[sf.SWEEP_DECAY]), MIN_TIME)
    opening = np.clip(attack, 0, 1) - np.clip(decay, 0, zone[sf.SWEEP_SUSTAIN] / 1000)
    cutoffs = np.minimum(_hertz(zone[sf.CUTOFF] + sweep * opening), 0.45 * rate)
    q = 10 ** ((zone[sf.RESONANCE] / 10 - 3.01) / 20)
    out, state = np.empty_like(wave), np.zeros(2)
    for i, w in enumerate((2 * np.pi * cutoffs / rate).tolist()):
        alpha, cosine = math.sin(w) / (2 * q), math.cos(w)
        b = np.array([0.5, 1, 0.5]) * (1 - cosine)
        a = [1 + alpha, -2 * cosine, 1 - alpha]
        span = slice(i * block, (i + 1) * block)
        out[span], state = signal.lfilter(b, a, wave[span], zi=state)
    return out


def _release(zone: sf.Zone) -> float:
    """Returns the release in seconds, from `MIN_RELEASE` to `MAX_RELEASE`."""
    return min(max(_seconds(zone[sf.RELEASE]), MIN_RELEASE), MAX_RELEASE)


def _seconds(timecents: float) -> float:
    """Converts timecents, at or below -12000 of them to 0."""
    return 0.0 if timecents <= -12000 else 2 ** (timecents / 1200)


def _hertz(cents):
    """Converts cents above MIDI pitch 0."""
    return 8.176 * 2 ** (cents / 1200)
