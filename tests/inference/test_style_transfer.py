"""StyleTransfer between styles, in a space whose music and styles are known."""

import dataclasses

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.errors import UsageError
from zoo.inference.latent_space import LatentSpace
from zoo.inference.style_classifier import StyleClassifier
from zoo.inference.style_transfer import StyleTransfer
from zoo.metrics.attributes import contour_correlation

CODEC = Phrase(bars=1)
MIDDLE = 27  # the token of middle C


class Known:
    """Strikes a note at each step, so many semitones from middle C as its latent says,
    of six."""

    melody_codec = CODEC
    styles = ("plain", "bright")  # the second has all its notes above middle C

    def phrases(self, z, seed=0, draw=None, style=None):
        return MIDDLE + np.clip(np.rint(6 * z), -12, 12).astype(np.int32)

    def means(self, phrases, style=None):
        return ((phrases - MIDDLE) / 6).astype(np.float32)

    def shares(self, style, n):
        return np.eye(2, dtype=np.float32)[[self.styles.index(style)]].repeat(n, axis=0)

    def style_log_probs(self, phrases):
        logit = 16 * (phrases > MIDDLE).mean(axis=1, keepdims=True) - 8
        return -np.log1p(np.exp(np.concatenate([logit, -logit], axis=1)))


SOURCE = Known().phrases(np.sin(np.arange(48).reshape(3, 16)) - 0.8)


def test_the_style_is_reached_and_the_contour_kept():
    moved, loose = (
        StyleTransfer(Known(), keep=keep)(SOURCE, "bright") for keep in (2.0, 0.0)
    )
    before, after = (np.exp(Known().style_log_probs(x)[:, 1]) for x in (SOURCE, moved))
    assert before.max() < 0.1
    assert after.min() > 0.7
    kept = contour_correlation(moved, SOURCE, CODEC).mean()
    assert kept > 0.6
    assert kept > contour_correlation(loose, SOURCE, CODEC).mean()


def test_what_is_outside_the_scale_costs():
    heard = lambda rows: set((rows - MIDDLE).ravel() % 12)
    outside = lambda rows: np.isin(
        (rows - MIDDLE) % 12, [0, 2, 4, 7, 9], invert=True
    ).mean()
    free, kept = (
        StyleTransfer(Known())(SOURCE, "bright", scale=scale)
        for scale in (range(12), [0, 2, 4, 7, 9])
    )
    assert outside(kept) < outside(free) / 2
    assert heard(free) - heard(kept)


def test_a_phrase_is_a_function_of_the_seed_and_its_place():
    transfer = StyleTransfer(Known())
    moved = transfer(SOURCE, "bright", seed=1)
    assert np.array_equal(transfer(SOURCE[:2], "bright", seed=1), moved[:2])
    assert not np.array_equal(transfer(SOURCE, "bright", seed=2), moved)


def test_a_guide_is_asked_besides(judge):
    """It calls bright what is two octaves higher still, and so goes further up."""
    guided, alone = StyleTransfer(Known(), judge), StyleTransfer(Known())
    higher = [
        judge(change(SOURCE, "bright"))[:, 1].mean() for change in (guided, alone)
    ]
    assert higher[0] > higher[1]
    with pytest.raises(UsageError, match=r"classifies dull, bright, not plain"):
        guided(SOURCE, "plain")


def test_what_does_not_go_together_is_refused(judge, monkeypatch):
    model = dataclasses.replace(judge.model, codec=Phrase(bars=2))
    with pytest.raises(UsageError, match="reads phrases of other bars"):
        StyleTransfer(Known(), StyleClassifier(model))
    monkeypatch.setattr(Known, "styles", ())
    with pytest.raises(UsageError, match="has no styles"):
        StyleTransfer(Known())
    with pytest.raises(UsageError, match="has no latent space"):
        LatentSpace(judge.model)
