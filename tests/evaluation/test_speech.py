"""Distances of speech, and error rates, against closed forms and brute force."""

import functools
import importlib.util
import random

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.evaluation import recognisers
from zoo.evaluation import speech as distances

RATE = 16_000


def test_edits_are_the_fewest():
    @functools.cache
    def brute(one, other):
        if not one or not other:
            return len(one) + len(other)
        return min(
            brute(one[1:], other) + 1,
            brute(one, other[1:]) + 1,
            brute(one[1:], other[1:]) + (one[0] != other[0]),
        )

    rng = random.Random(0)
    for _ in range(50):
        one, other = ("".join(rng.choices("abc", k=rng.randrange(7))) for _ in "12")
        assert distances.edits(one, other) == brute(one, other)


def test_error_rates_count_over_all_texts():
    texts = ["The night is dark.", "It's late, madam!"]
    heard = ["the knight is dark", "its late"]
    assert distances.word_error_rate(texts, heard) == 3 / 7
    # without the k; without the apostrophe, and without " madam"
    assert distances.character_error_rate(texts, heard) == (1 + 1 + 6) / (17 + 15)
    assert distances.word_error_rate(texts, texts) == 0


def test_a_text_without_words_is_refused():
    with pytest.raises(UsageError, match="needs a text"):
        distances.word_error_rate(["?"], ["what"])


def test_distortion_of_a_cosine_in_the_spectrum():
    """A cosine of amplitude a in the logarithms is 10 / ln 10 · sqrt(2) · a dB."""
    logs = np.random.default_rng(0).normal(size=(6, 40))
    ripple = 0.3 * np.cos(np.pi * 5 * (np.arange(40) + 0.5) / 40)
    one, other = distances.cepstrum(logs), distances.cepstrum(logs + ripple + 2.0)
    path = np.stack([np.arange(6)] * 2, axis=1)
    expected = 10 / np.log(10) * np.sqrt(2) * 0.3
    np.testing.assert_allclose(distances.distortion(one, other, path), expected)


def test_warping_is_the_cheapest_path():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))

    def brute(i, j):
        here = np.linalg.norm(one[i] - other[j])
        before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        costs = [brute(*x) for x in before if min(x) >= 0]
        return here + min(costs, default=0.0)

    path = distances.warping(one, other)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [4, 3]
    cost = np.linalg.norm(one[path[:, 0]] - other[path[:, 1]], axis=-1).sum()
    np.testing.assert_allclose(cost, brute(4, 3))


def test_errors_of_f0():
    real = np.array([100.0, 0, 200, 0, 100])
    made = np.array([200.0, 0, 200, 50, 0])
    path = np.stack([np.arange(5)] * 2, axis=1)
    cents, voicing = distances.f0_errors(real, made, path)
    np.testing.assert_allclose(cents, 1200 / np.sqrt(2))
    assert voicing == 2 / 5
    cents, voicing = distances.f0_errors(0 * real, made, path)
    assert np.isnan(cents)


@pytest.mark.skipif(
    importlib.util.find_spec("pyworld") is None, reason="pyworld is not installed"
)
def test_a_tone_a_semitone_higher():
    time = np.arange(RATE // 2) / RATE
    one, other = (
        sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 15)) / 4
        for hertz in (150, 150 * 2 ** (1 / 12))
    )
    assert distances.speech_distance(one, one, RATE)[:2] == (0, 0)
    found = distances.speech_distance(one, other, RATE)
    assert abs(found.cents - 100) < 2
    assert found.distortion > 0


def test_unknown_recognisers_are_refused():
    with pytest.raises(UsageError, match="choose whisper"):
        recognisers.recogniser("nobody")
