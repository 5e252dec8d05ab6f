"""Loudness by BS.1770: its reference tone, and pieces made equally loud."""

import numpy as np
import pytest
from pieces import line

from zoo.listen.loudness import PEAK, TARGET, equalise, loudness
from zoo.soundfont.score import render


def tone(rate, decibels=0.0, hertz=997.0, seconds=3.0):
    time = np.arange(round(seconds * rate)) / rate
    return 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * time)[:, None]


@pytest.mark.parametrize("rate", [16000, 32000, 44100, 48000])
def test_a_full_scale_tone_is_3_units_below_zero(rate):
    """ITU-R BS.1770-4, annex 1: 997 Hz at 0 dBFS in one channel is -3.01 LKFS."""
    mono = tone(rate)
    assert loudness(mono, rate) == pytest.approx(-3.01, abs=0.05)
    stereo = np.concatenate([mono, np.zeros_like(mono)], axis=1)
    assert loudness(stereo, rate) == pytest.approx(-3.01, abs=0.05)
    both = np.concatenate([mono, mono], axis=1)
    assert loudness(both, rate) == pytest.approx(0.0, abs=0.05)
    assert loudness(tone(rate, decibels=-20), rate) == pytest.approx(-23.01, abs=0.05)


def test_silence_does_not_count():
    loud = tone(16000, seconds=4.0)
    padded = np.concatenate([loud, np.zeros((16000 * 20, 1))])
    assert loudness(padded, 16000) == pytest.approx(loudness(loud, 16000), abs=0.3)
    assert loudness(np.zeros((16000, 2)), 16000) == -np.inf
    np.testing.assert_array_equal(equalise(np.zeros((100, 2)), 16000), 0)


def test_short_audio_has_a_loudness():
    assert loudness(tone(16000, seconds=0.1), 16000) == pytest.approx(-3, abs=1)


@pytest.mark.parametrize("program", [0, 24, 52, 73])
def test_pieces_are_equally_loud_without_clipping(program):
    sequence = line([60, 64, 67, 72], program=program)
    audio = equalise(render(sequence, 16000), 16000)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() <= PEAK * 1.0001
    assert loudness(audio, 16000) == pytest.approx(TARGET, abs=0.7)


def test_peaks_are_limited_and_the_rest_keeps_its_shape():
    rate = 16000
    audio = tone(rate, decibels=-26, seconds=4.0)
    audio[rate : rate + 8] = 1.0
    made = equalise(audio, rate)
    assert np.abs(made).max() <= PEAK * 1.0001
    far = np.r_[0 : rate // 2, 2 * rate : 4 * rate]
    ratio = made[far, 0] / np.where(np.abs(audio[far, 0]) > 1e-3, audio[far, 0], np.nan)
    assert np.nanstd(ratio) < 1e-3 * np.nanmean(ratio)
