"""What a trained classifier says of phrases and of pieces."""

import jax
import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.inference.model import Model
from zoo.inference.style_classifier import StyleClassifier
from zoo.models import LSTM


def notes(pitches, bars=2):
    """A tune of quarters in 4/4."""
    score = NoteSequence()
    score.time_signatures.add(numerator=4, denominator=4)
    for i, pitch in enumerate(pitches):
        score.notes.add(
            start_time=i / 2, end_time=(i + 1) / 2, pitch=pitch, velocity=80
        )
    score.total_time = 2.0 * bars
    return score


LOW, HIGH = [48, 50, 48, 50], [84, 86, 84, 86]


def test_phrases_are_told_apart(judge):
    rows = np.stack([judge.model.codec.encode(notes(x, 1)) for x in (LOW, HIGH)])
    held = judge(rows)
    np.testing.assert_allclose(held.sum(axis=1), 1, rtol=1e-5)
    assert list(held.argmax(axis=1)) == [0, 1]


def test_a_piece_is_the_mean_of_its_phrases(judge):
    low, high, both = (
        judge.piece(notes(x, len(x) // 4)) for x in (LOW, HIGH, LOW + HIGH)
    )
    for style in judge.styles:
        assert both[style] == pytest.approx((low[style] + high[style]) / 2, rel=1e-4)


def test_recall_counts_styles_alike_and_no_padding(judge):
    rows = np.stack(
        [judge.model.codec.encode(notes(x, 1)) for x in (LOW, LOW, LOW, HIGH, HIGH)]
    )
    mask = np.ones(rows.shape, bool)
    mask[-1] = False
    batch = {"tokens": rows, "style": np.array([0, 0, 1, 1, 0]), "mask": mask}
    figures = judge.recalls([batch])
    assert figures == {"recall_dull": 1.0, "recall_bright": 0.5, "recall": 0.75}


def test_what_is_no_phrase_is_refused_in_a_sentence(judge):
    with pytest.raises(
        UsageError, match="does not fit the Phrase codec: It has no 1 full bars"
    ):
        judge.piece(notes([60], bars=0.5))


def test_other_models_do_not_judge(judge):
    lstm = LSTM(vocab=8, width=4)
    with pytest.raises(UsageError, match="LSTM does not classify styles"):
        StyleClassifier(Model(lstm, jax.eval_shape(lambda: 0), Phrase()))
