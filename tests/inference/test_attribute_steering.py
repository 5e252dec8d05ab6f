"""Steering and the figures of it, in a space whose music is known: a latent for each
step."""

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.errors import UsageError
from zoo.evaluation.vae import (
    correlation,
    interpolated,
    markov_cost,
    steered_attributes,
)
from zoo.inference.attribute_steering import Steering
from zoo.metrics.attributes import ATTRIBUTES, attribute_table
from zoo.train.saved import read_extras

CODEC = Phrase(bars=1)
MIDDLE = 27  # the token of middle C


class Known:
    """Strikes a note at each step whose latent is above 0, of a pitch that the last one
    says."""

    melody_codec = CODEC

    def phrases(self, z, seed=0, draw=None, style=None, best_of=1):
        pitch = MIDDLE + np.clip(np.rint(4 * z[:, CODEC.length :]), -12, 12).astype(int)
        return np.where(z[:, : CODEC.length] > 0, pitch, 2).astype(np.int32)

    def means(self, phrases, style=None):
        struck = np.where(phrases > 2, 1.0, -1.0)
        pitch = np.where((phrases > 2).any(axis=1), phrases.max(axis=1) - MIDDLE, 0) / 4
        return np.concatenate([struck, pitch[:, None]], axis=1).astype(np.float32)

    def path(self, a, b, shares):
        return np.stack([(1 - share) * a + share * b for share in shares])

    def drawn(self, n, seed=0):
        return np.random.default_rng(seed).normal(size=(n, CODEC.length + 1))

    def shares(self, style, n):
        return None

    def likeliest_style(self, phrases):
        return None


Z = np.random.default_rng(0).normal(size=(6, CODEC.length + 1)).astype(np.float32)
PHRASES = Known().phrases(Z)


@pytest.fixture(scope="module")
def steering():
    spread = np.ones(len(ATTRIBUTES))
    spread[0], spread[1] = 1 / CODEC.length, 2.0  # a note more, a whole tone
    return Steering(Known(), np.zeros((len(ATTRIBUTES), Z.shape[1])), spread)


def test_more_of_what_is_asked_for_and_of_nothing_else(steering):
    there = steering(Z, {"note_density": 2.0, "mean_pitch": -1.0})
    moved = attribute_table(Known().phrases(there), CODEC) - attribute_table(
        PHRASES, CODEC
    )
    np.testing.assert_allclose(moved[:, 0] * CODEC.length, 2, atol=1.01)
    np.testing.assert_allclose(moved[:, 1], -2, atol=1.01)
    assert np.abs(moved[:, 0] * CODEC.length - 2).mean() < 0.4
    np.testing.assert_array_equal(
        there, steering(Z, {"note_density": 2.0, "mean_pitch": -1.0})
    )


def test_an_attribute_that_is_none_is_named(steering):
    with pytest.raises(UsageError, match="no attribute loudness: choose note_density"):
        steering(Z, {"loudness": 1.0})


def test_what_was_saved_is_what_is_loaded(steering, tmp_path):
    steering.save(tmp_path)
    space = Known()
    space.model = SimpleNamespace(extras=read_extras(tmp_path))
    np.testing.assert_array_equal(Steering.load(space).std, steering.std)
    space.model = SimpleNamespace(extras=read_extras(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="training of a MusicVAE writes them"):
        Steering.load(space)


def test_figures_say_how_far_and_how_surely(monkeypatch, steering):
    one = dict(list(ATTRIBUTES.items())[:2])
    monkeypatch.setattr("zoo.evaluation.vae.ATTRIBUTES", one)
    figures, curves = steered_attributes(steering, PHRASES[:3])
    assert 0.5 < figures["moved_mean_pitch"] < 1.5
    assert figures["followed_mean_pitch"] > 0.9
    assert len(curves["mean_pitch"]) == 5


def test_correlation_is_pearsons_of_what_is_known():
    x, y = np.random.default_rng(1).normal(size=(2, 40))
    np.testing.assert_allclose(correlation(x, y), np.corrcoef(x, y)[0, 1], rtol=1e-6)
    assert correlation(np.append(x, np.nan), np.append(y, 0.0)) == pytest.approx(
        correlation(x, y)
    )
    assert correlation(x, np.ones(40)) == 0


def test_a_chain_finds_what_it_has_counted_likelier():
    rng = np.random.default_rng(2)
    motif = np.tile([30, 32, 34, 35], 4)
    cost = markov_cost(CODEC.vocab, np.stack([motif] * 20))
    other = rng.integers(3, 60, (3, 16)).astype(np.int32)
    assert cost(motif[None].astype(np.int32))[0] < 0.5 * cost(other).min()


def test_a_path_in_a_space_that_is_even_never_goes_back():
    cost = markov_cost(CODEC.vocab, PHRASES)
    figures, curves = interpolated(Known(), cost, PHRASES[:4])
    assert curves["far"][0] == curves["near"][-1] == 0
    assert figures["between_back"] <= 0.1
    assert curves["cost"][0] == pytest.approx(curves["mixed_cost"][0])
    assert figures["prior_cost"] == pytest.approx(0)  # it draws the same phrases
