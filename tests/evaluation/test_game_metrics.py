"""Metrics of adversarial models, of untrained models and small sets of pieces."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from small_models import trained

from zoo.evaluation.compound import note_row_metrics
from zoo.evaluation.multitrack import multitrack_metrics


def task_of(batch):
    """Returns a task whose every split is one batch."""
    return SimpleNamespace(eval_batches=lambda split: [batch], label="mode")


def test_the_model_before_the_game_is_measured_likewise():
    model = trained("seqgan")
    params = model.family.init(jax.random.key(1), model.family.example(2))
    pretrained = dataclasses.replace(model, params=params)
    batch = {k: np.asarray(v) for k, v in model.family.example(24).items()}
    metrics = note_row_metrics(model, pretrained, task_of(batch), 16)
    swapped = note_row_metrics(pretrained, model, task_of(batch), 16)
    for name in ("distinct_4", "in_real_4", "self_bleu", "pitch_classes"):
        assert metrics[f"likelihood_{name}"] == swapped[name]
        assert metrics[name] == swapped[f"likelihood_{name}"]
    assert metrics["pitch_classes"] != swapped["pitch_classes"]
    assert metrics["scale_consistency_low"] <= metrics["scale_consistency"]
    verdicts = [metrics["verdict_written"], metrics["verdict_by_likelihood"]]
    assert np.isfinite(verdicts).all()


@pytest.mark.parametrize("obeys", [True, False])
def test_key_profiles_find_whether_a_model_obeys_the_mode(obeys):
    model = trained("musegan")
    rng = np.random.default_rng(0)
    shape = np.shape(model.family.example(24)["tokens"])
    rolls = rng.integers(0, 2, shape).astype(np.uint8)
    style = np.arange(24) % 2
    mask = np.ones(shape[:2], bool)
    batch = {"tokens": rolls, "mask": mask, "style": style}

    def written(params, rng, n, style, **options):
        """Returns rolls of the style that was requested, or of the other."""
        wanted = np.asarray(style) if obeys else 1 - np.asarray(style)
        return rolls[wanted + 2 * (np.arange(n) % 12)]

    vars(model.sampler).update(_draw=written)
    metrics = multitrack_metrics(model, task_of(batch), 16)
    assert metrics["real_mode_named"] > 0.8  # the profiles were learnt from them
    for name in ("mode_named", "mode_named_judged"):
        assert metrics[name] > 0.8 if obeys else metrics[name] < 0.2
