"""Figures of saved models on the rows that are saved with them."""

import dataclasses

import jax
import numpy as np
import pytest
from small_models import FAMILIES, trained

from zoo.data.codecs.waveform import Waveform
from zoo.evaluation.checks import OF_ROWS, PREFIX, agree, checked_metrics, checked_name
from zoo.inference.abilities import FIGURES
from zoo.inference.model import Model
from zoo.metrics.statistics import tonal_distance

ROWS = 4
FAMILY = {  # by headline
    "log_mel": "variational_vocoder",
    "recall": "latent_classifier",
    "accuracy_sampled": "music_vae",
    "pitch_consistency": "latent_mdn",
    "test_ensembled": "coconet",
    "tonal_distance": "musegan",
    "scale_consistency": "musegan",
}


def with_rows(model: Model, headline: str, **rows) -> Model:
    """The model with rows, by default its family's example, and a headline."""
    rows = {**model.family.example(ROWS), **rows}
    extras = {f"{PREFIX}{name}": np.asarray(x) for name, x in rows.items()}
    card = {"card": {"headline": headline}}
    return dataclasses.replace(model, extras=extras, about={**model.about, **card})


def small(name: str) -> Model:
    if name == "variational_vocoder":
        family = FAMILIES[name].TINY
        params = jax.jit(family.init)(jax.random.key(0), family.example(2))
        return Model(family, params, Waveform(family.rate))
    model = trained(name)
    if name == "latent_mdn":  # pieces of 8 bars
        family = dataclasses.replace(model.family, parts=8)
        codec = dataclasses.replace(model.codec, bars=8 * family.vae.bars)
        return dataclasses.replace(model, family=family, codec=codec)
    return model


def test_every_headline_is_a_metric_of_an_objective_or_of_rows():
    of_objectives = {name for name in FIGURES if name not in OF_ROWS}
    assert {checked_name(x) for x in of_objectives} == {"likelihood_nll", "nll", "loss"}
    assert OF_ROWS.keys() == FAMILY.keys() <= FIGURES.keys()


@pytest.mark.parametrize("headline", sorted(OF_ROWS))
def test_a_headline_is_measured_on_rows(headline):
    model = small(FAMILY[headline])
    batch = {name: np.asarray(x) for name, x in model.family.example(ROWS).items()}
    value = OF_ROWS[headline](model, batch)
    assert value >= 0
    assert value <= 1 or not headline.endswith(("recall", "sampled", "consistency"))


def test_a_model_without_rows_or_card_has_objectives_alone():
    model = trained("lstm")
    assert checked_metrics(model) == {}
    rows = with_rows(model, "test_nll")
    bare = dataclasses.replace(rows, about={})
    assert checked_metrics(bare) == checked_metrics(rows)


def test_recall_is_the_mean_over_labels():
    model = trained("latent_classifier")
    batch = model.family.example(ROWS)
    found = np.asarray(model.family.predict(model.params, batch["tokens"])).argmax(1)
    style = np.where(np.arange(ROWS) < 1, found, (found + 1) % len(model.styles))
    right = np.array([(found == style)[style == y].mean() for y in np.unique(style)])
    rows = with_rows(model, "recall", style=style.astype(np.int32))
    assert checked_metrics(rows)["recall"] == pytest.approx(right.mean())
    assert checked_metrics(rows).keys() > {"loss", "recall"}


def test_a_statistic_is_the_mean_over_written_pieces():
    model = trained("musegan")
    batch = model.family.example(ROWS)
    style = batch.get("style")
    order = np.random.default_rng(0).permutation(ROWS)
    request = {} if style is None else {"style": np.asarray(style)[order]}
    drawn = model.family.sample(model.params, jax.random.key(0), ROWS, **request)
    pieces = [model.codec.decode(np.asarray(x)) for x in drawn]
    values = [tonal_distance(piece) for piece in pieces if piece.notes]
    found = OF_ROWS["tonal_distance"](model, batch)
    assert found == pytest.approx(np.nanmean(values))


def test_figures_of_samples_may_differ_by_more():
    one, other = ({"nll": 1.0, "accuracy_sampled": x} for x in (0.800, 0.808))
    assert agree(one, other, 1e-3)
    assert not agree({**one, "nll": 1.002}, other, 1e-3)
    assert not agree({**one, "accuracy_sampled": 0.9}, other, 1e-3)
    assert not agree({"recall": 0.800}, {"recall": 0.808}, 1e-3)  # of no samples
    assert not agree({"nll": 1.0}, one, 1.0)
