"""What is published of games: figures of what two untrained models write, beside real music."""

import numpy as np
import pytest
from small_models import trained

from zoo.evaluation import compound, multitrack


@pytest.fixture(scope="module")
def rows():
    model = trained("seqgan")
    batch = {k: np.asarray(v) for k, v in model.family.example(24).items()}
    return model, lambda split: [batch] if split == "test" else []


def test_a_model_of_rows_is_set_beside_what_it_began_as(rows):
    model, whole = rows
    found = compound.figures(model, model, whole, 16)
    for name in ("distinct_4", "in_real_4", "self_bleu", "pitch_classes"):
        assert found[name] == found[f"likelihood_{name}"]
    assert found["scale_consistency_low"] <= found["scale_consistency"]
    assert np.isfinite([found["verdict_written"], found["verdict_by_likelihood"]]).all()


def test_a_model_told_of_modes_is_asked_which_it_wrote():
    model = trained("musegan")
    rng = np.random.default_rng(0)
    example = model.family.example(24)
    rolls = rng.integers(0, 2, np.shape(example["tokens"])).astype(np.uint8)
    batch = {
        "tokens": rolls,
        "mask": np.ones(rolls.shape[:2], bool),
        "style": np.arange(24) % 2,
    }
    model.about["music"] = {"label": "mode"}
    found = multitrack.figures(model, lambda split: [batch], 16)
    assert (
        found["real_mode_named"] > 0.8
    )  # by heart: the same phrases were learned from
    assert 0 <= found["mode_named"] <= 1
    assert 0 <= found["mode_named_judged"] <= 1
