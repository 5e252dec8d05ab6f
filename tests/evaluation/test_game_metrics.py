"""Metrics of games: each model in its place, and oracles in place of models."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import trained

from zoo.evaluation import compound, multitrack
from zoo.inference.model import Trained
from zoo.models import MuseGAN


@pytest.fixture(scope="module")
def batch():
    return {k: np.asarray(v) for k, v in trained("seqgan").family.example(24).items()}


def test_a_game_is_compared_with_its_generator_before_it(batch):
    """Exchanged, the two models exchange their metrics."""
    model = trained("seqgan")
    params = jax.jit(model.family.init)(jax.random.key(1), model.family.example(2))
    before = Trained(model.family, params, model.codec, {})
    whole = lambda split: [batch] if split == "test" else []
    one = compound.figures(model, before, whole, 16)
    other = compound.figures(before, model, whole, 16)
    names = ("distinct_4", "in_real_4", "self_bleu", "pitch_classes")
    for name in names:
        assert one[name] == other[f"likelihood_{name}"]
        assert other[name] == one[f"likelihood_{name}"]
    assert any(one[name] != other[name] for name in names)
    assert one["scale_consistency_low"] <= one["scale_consistency"]
    assert np.isfinite([one["verdict_written"], one["verdict_by_likelihood"]]).all()


@dataclasses.dataclass(frozen=True)
class Echo(MuseGAN):
    """Writes a fixed phrase for each style."""

    phrases: tuple[bytes, ...] = ()

    def sample(self, params, rng, n, *, style=None, **_):
        shape = np.shape(self.example(1)["tokens"])[1:]
        rolls = [np.frombuffer(x, np.uint8).reshape(shape) for x in self.phrases]
        return jnp.asarray(np.stack(rolls))[style]


@pytest.mark.parametrize(("phrases", "recall"), [((0, 1), 1.0), ((1, 0), 0.0)])
def test_the_mode_that_was_asked_for_is_recognised(phrases, recall):
    model = trained("musegan")
    rng = np.random.default_rng(0)
    example = model.family.example(24)
    rolls = rng.integers(0, 2, np.shape(example["tokens"])).astype(np.uint8)
    batch = {
        "tokens": rolls,
        "mask": np.ones(rolls.shape[:2], bool),
        "style": np.arange(24) % 2,
    }
    written = tuple(rolls[i].tobytes() for i in phrases)
    family = Echo(**vars(model.family), phrases=written)
    about = {"music": {"label": "mode"}}
    echo = Trained(family, model.params, model.codec, about)
    metrics = multitrack.figures(echo, lambda split: [batch], 16)
    # the profiles are learned from the phrases themselves
    assert metrics["real_mode_named"] > 0.8
    assert metrics["mode_named"] == metrics["mode_named_judged"] == recall
