"""Vocoders beside Griffin & Lim, by kind of sound."""

import types

import numpy as np
import pytest

from zoo.data.codecs.waveform import Waveform
from zoo.evaluation.vocoders import GRIFFIN_LIM, pesq, vocoder_figures, vocoder_table
from zoo.inference.resynthesis import AudioModel

RATE = 16_000


class Exact:
    """A family that returns the audio itself, times a gain."""

    def __init__(self, gain):
        self.gain = gain

    def reconstructed(self, params, x, rng):
        return self.gain * x


def excerpt(audio, **features):
    audio = (16_000 * audio).astype(np.int16)
    return types.SimpleNamespace(
        audio=audio, label="x", id="x", rate=RATE, features=features
    )


def test_a_row_for_every_kind_and_vocoder():
    t = np.arange(RATE // 2)
    tone = excerpt(np.sin(2 * np.pi * 440 / RATE * t), pitch=69)
    hiss = excerpt(np.random.default_rng(0).uniform(-0.5, 0.5, len(t)))
    models = {
        name: AudioModel(Exact(gain), {}, Waveform(RATE))
        for name, gain in (("exact", 1.0), ("half", 0.5))
    }
    table = vocoder_figures(models, {"notes": [tone], "hiss": [hiss]})
    assert [*table] == [
        (kind, name)
        for kind in ("notes", "hiss")
        for name in (GRIFFIN_LIM, "exact", "half")
    ]
    assert table["notes", "exact"] == pytest.approx(
        {"distance": 0, "log_mel": 0, "cents": 0}, abs=1e-3
    )
    assert table["hiss", "half"]["log_mel"] == pytest.approx(np.log(2), abs=1e-3)
    assert table["hiss", GRIFFIN_LIM]["distance"] > 0.5
    text = vocoder_table(table)
    assert "| hiss | half | 0.693 |" in text
    assert text.splitlines()[-1].endswith("| - | - |")


def test_pesq_of_the_same_recording_is_the_highest():
    pytest.importorskip("pesq", reason="pip install pesq")
    rng, t = np.random.default_rng(0), np.arange(2 * RATE) / RATE
    syllables = np.maximum(0, np.sin(2 * np.pi * 3 * t))
    voice = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    x = (0.2 * syllables * voice).astype(np.float32)
    noisy = x + 0.1 * rng.normal(size=x.shape).astype(np.float32)
    assert pesq(x, x, RATE) == pytest.approx(4.64, abs=0.01)
    assert pesq(x, noisy, RATE) < 3
    assert pesq(0 * x, 0 * x, RATE) is None
    assert pesq(x, x, 44_100) is None
