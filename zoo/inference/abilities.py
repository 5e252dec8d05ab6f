"""Verbs that a model can do, and the figures by which models are compared."""

import inspect
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from zoo.core import (
    Accompanist,
    AudioAutoencoder,
    Autoregressive,
    Classifier,
    LatentFlow,
    LatentSequenceModel,
    PhraseAutoencoder,
    Speaker,
    supports,
)


class Figure(NamedTuple):
    """A metric that models are known by.

    Attributes:
      text: its description.
      sign: 1 if less is better, -1 if more is.
    """

    text: str
    sign: int = 1


# The headline of a model is the first of these that its run has measured.
FIGURES = {
    "log_mel": Figure("nats of log-mel error, held-out sounds"),
    "recall": Figure("mean recall, test", -1),
    "accuracy_sampled": Figure("sampled accuracy, test", -1),
    "pitch_consistency": Figure("pitch consistency", -1),
    "test_ensembled": Figure("nats per 16th, test, averaged orders"),
    "test_likelihood_nll": Figure("nats per note, test"),
    "tonal_distance": Figure("tonal distance"),
    "scale_consistency": Figure("scale consistency", -1),
    "test_nll_alone": Figure("nats per event or step, test, network alone"),
    "test_nll": Figure("nats per event or step, test"),
    "test_loss": Figure("loss, test"),
}


class Best(NamedTuple):
    """A comparison of the models that can do a verb.

    Attributes:
      figure: the metric, one of `FIGURES`.
      family: a family to train for the verb.
      events: whether the metric is compared between models of the events of `tunes`
        alone, since likelihoods of other corpora and codecs have other units.
    """

    figure: str
    family: str
    events: bool = False


BEST = {
    "sample": Best("test_nll", "Transformer", events=True),
    "continue": Best("test_nll", "Transformer", events=True),
    "compose": Best("test_nll", "Transformer", events=True),
    "rewrite": Best("test_ensembled", "Coconet"),
    "harmonise": Best("test_ensembled", "Coconet"),
    "accompany": Best("tonal_distance", "MuseGAN"),
    "interpolate": Best("accuracy_sampled", "MusicVAE"),
    "mix": Best("accuracy_sampled", "MusicVAE"),
    "vary": Best("accuracy_sampled", "MusicVAE"),
    "transfer": Best("accuracy_sampled", "MusicVAE of styles"),
    "classify": Best("recall", "LatentClassifier"),
    "reconstruct": Best("log_mel", "VariationalVocoder"),
    "blend": Best("log_mel", "VariationalVocoder"),
    "speak": Best("test_loss", "Tacotron"),
    "evaluate": Best("test_nll", "Transformer", events=True),
    "export": Best("test_nll", "Transformer", events=True),
}


def is_phrase_prior(family: Any) -> bool:
    """Says whether a family is an invertible model of the latents of single phrases."""
    return supports(family, LatentFlow) and family.parts == 1


def abilities(family: Any, codec: Any) -> tuple[str, ...]:
    """Returns the verbs that a model of a family and a codec can do."""
    audio, labels = (supports(family, x) for x in (AudioAutoencoder, Classifier))
    speaks = supports(family, Speaker)
    writes = codec is not None and not audio and not labels and not speaks
    takes = inspect.signature(family.sample).parameters
    phrases = supports(family, PhraseAutoencoder) or is_phrase_prior(family)
    phrases = writes and phrases
    voices = writes and "voices" in codec.dimensions
    streams = writes and "grammar" in takes and supports(family, Autoregressive)
    accompanies = supports(family, Accompanist) and bool(family.conditioning)
    can = {
        "sample": writes and not accompanies,
        "continue": writes and "primer" in takes,
        "compose": streams and codec.sets_text,
        "rewrite": writes and "free" in takes,
        "harmonise": voices
        and "free" in takes
        and not supports(family, LatentSequenceModel),
        "accompany": writes and accompanies,
        "interpolate": phrases,
        "mix": phrases,
        "vary": phrases,
        "transfer": phrases
        and supports(family, PhraseAutoencoder)
        and bool(family.styles)
        and codec.monophonic,
        "classify": labels and codec is not None,
        "reconstruct": audio,
        "blend": audio,
        "speak": speaks and codec is not None,
        "evaluate": True,
        "export": streams,
    }
    return tuple(verb for verb in BEST if can[verb])


def headline(metrics: Mapping[str, Any]) -> str | None:
    """Returns the name of the metric that a model is known by; None without any."""
    return next((name for name in FIGURES if name in metrics), None)


def best_by(verb: str, about: Mapping[str, Any]) -> float:
    """Returns a number by which models are compared for a verb: less is better.

    Models whose figure is missing, or not comparable, come last.

    Args:
      verb: the verb.
      about: the record of a shipped model.
    """
    comparison, card = BEST[verb], about["card"]
    value = card["result"]["metrics"].get(comparison.figure)
    of_tunes = card["corpus"] == "tunes" and about["codec"]["class"] == "Melody"
    if value is None or (comparison.events and not of_tunes):
        return math.inf
    return FIGURES[comparison.figure].sign * value
