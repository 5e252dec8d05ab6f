"""Figures of a saved model on a few rows that are saved with it."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from zoo.core import Batch
from zoo.evaluation.audio import spectral_distances
from zoo.evaluation.critic import random_rows
from zoo.evaluation.framewise import framewise_likelihood
from zoo.evaluation.vae import reconstruction
from zoo.inference.attribute_steering import GREEDY
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.inference.resynthesis import reconstructed
from zoo.inference.sampler import Request
from zoo.inference.style_classifier import StyleClassifier
from zoo.metrics.compare import compare
from zoo.metrics.self_similarity import consistency_metrics
from zoo.nn.audio.vocoder import AudioBatch
from zoo.train.evaluate import evaluator, plain

ROWS = 64
MAX_BYTES = 2**21  # of the rows: 16 sounds of 4 seconds
PREFIX = "check/"  # of their names among the extras of a model
PIECES, ORDERS, FRAMES = 8, 5, 4  # in which random orders are evaluated, a pass each
SAMPLED = 2e-2  # share by which figures of samples may differ
LEAST = 1e-2  # of a figure, to take a share of
OfRows = Callable[[Model, Batch], float]


def spaced_rows(model: Model, split: str = "test") -> dict[str, np.ndarray]:
    """Returns evenly spaced rows of a split, narrowed, by their names among the extras.

    They are 64, or as many as there are or fit two megabytes. Evenly spaced,
    because a split may be sorted by length, or by instrument.
    """
    batches = [*model.task.eval_batches(split, batch=ROWS)]
    real = np.concatenate([real_rows(np.asarray(x["mask"])) for x in batches])
    narrow = {
        name: narrowed(stacked([np.asarray(x[name]) for x in batches])[real])
        for name in batches[0]
    }
    total = int(real.sum())
    size = sum(values.nbytes for values in narrow.values()) / total
    rows = max(1, min(ROWS, total, int(MAX_BYTES / size)))
    places = np.linspace(0, total - 1, rows).astype(int)
    return {f"{PREFIX}{name}": values[places] for name, values in narrow.items()}


def real_rows(mask: np.ndarray) -> np.ndarray:
    """Returns the rows of a mask [b, ..] in which anything counts, bool [b]."""
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Returns the rows of batches, padded with 0 to the longest along axis 1."""
    if parts[0].ndim < 2:
        return np.concatenate(parts)
    longest = max(part.shape[1] for part in parts)
    rest = [(0, 0)] * (parts[0].ndim - 2)
    return np.concatenate(
        [np.pad(x, [(0, 0), (0, longest - x.shape[1]), *rest]) for x in parts]
    )


def narrowed(values: np.ndarray) -> np.ndarray:
    """Returns an array of fewer bytes: of 16 bits if it has fractions."""
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float16)
    if values.dtype == bool or not values.size:
        return values
    least, greatest = int(values.min()), int(values.max())
    widest = min(least, -greatest - 1) if least < 0 else greatest
    return values.astype(np.min_scalar_type(widest))


def widened(values: np.ndarray) -> np.ndarray:
    """Returns an array with the dtype that batches have."""
    if values.dtype == bool:
        return values
    fractions = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float32 if fractions else np.int32)


def checked_metrics(model: Model) -> dict[str, float]:
    """Returns the metrics of a model on the rows that are saved with it; {} without.

    They are those of its objectives, and the headline of its card if it is another.
    """
    batch: Batch = {
        name.removeprefix(PREFIX): widened(np.asarray(values))
        for name, values in model.extras.items()
        if name.startswith(PREFIX)
    }
    if not batch:
        return {}
    metrics = plain(evaluator(model.family)(model.params, [batch]))
    headline = model.about.get("card", {}).get("headline")
    if headline in OF_ROWS:
        metrics[headline] = OF_ROWS[headline](model, batch)
    return metrics


def checked_name(headline: str) -> str:
    """Returns the name that a headline has among the metrics of rows."""
    if headline in OF_ROWS:
        return headline
    return headline.removeprefix("test_").removesuffix("_alone")


def log_mel(model: Model, batch: Batch) -> float:
    """Returns the log-mel error of the reconstructions of sounds."""
    rows = AudioBatch.of(batch)
    audio = np.asarray(rows.audio)[np.asarray(rows.mask)]
    output = reconstructed(model, audio)
    return float(spectral_distances(audio, output, model.codec.rate)["log_mel"].mean())


def recall(model: Model, batch: Batch) -> float:
    """Returns the mean recall of the labels of phrases."""
    return StyleClassifier(model).recalls([batch])["recall"]


def accuracy_sampled(model: Model, batch: Batch) -> float:
    """Returns the share of steps that a sample of the posterior reproduces."""
    return reconstruction(model, [batch], particles=(1,))["accuracy_sampled"]


def ensembled(model: Model, batch: Batch) -> float:
    """Returns the nats per frame, averaged over orders, of a few frames of pieces."""
    few = [{name: values[:PIECES] for name, values in batch.items()}]
    found = framewise_likelihood(model, few, orders=ORDERS, measured=FRAMES)
    return found["test_ensembled"]


def pitch_consistency(model: Model, batch: Batch) -> float:
    """Returns the consistency of samples with what the autoencoder makes of rows."""
    vae, real = model.family.vae, np.asarray(batch["mask"]).any(axis=1)
    latents = np.asarray(batch["latents"])[real]
    coder = dataclasses.replace(model.codec, bars=vae.bars)
    space = LatentSpace(Model(vae, model.params["vae"], coder))
    shares = None
    if "style" in batch and space.styles:
        style = np.asarray(batch["style"])[real]
        shares = np.eye(len(space.styles), dtype=np.float32)[style]
        shares = np.repeat(shares, latents.shape[1], axis=0)
    phrases = space.phrases(
        latents.reshape(-1, latents.shape[-1]), draw=GREEDY, style=shares
    )
    rows = phrases.reshape(len(latents), -1)
    written = model.tokens(len(rows), seed=0)
    return consistency_metrics(written, rows, model.codec)["pitch_consistency"]


def statistic(name: str) -> OfRows:
    """Returns the function to a statistic of as many written pieces as there are
    rows."""

    def of_written(model: Model, batch: Batch) -> float:
        length, total = model.family.length, len(batch["tokens"])
        arrays = {k: np.asarray(v) for k, v in batch.items()}
        real, style = random_rows([arrays], length, total, seed=0)
        primer = real if model.sampler.accompanies else None
        request = Request(primer=primer, style=style)
        written = model.sampler.draw(len(real), 0, request)
        pieces = [[model.codec.decode(x) for x in rows] for rows in (written, real)]
        ours, theirs = ([x for x in music if x.notes] for music in pieces)
        rows = {row.name: row.generated.value for row in compare(ours, theirs)}
        return rows[name]

    return of_written


OF_SAMPLES: Mapping[str, OfRows] = {
    "accuracy_sampled": accuracy_sampled,
    "pitch_consistency": pitch_consistency,
    **{x: statistic(x) for x in ("tonal_distance", "scale_consistency")},
}
OF_ROWS: Mapping[str, OfRows] = {  # the headlines that are no metric of an objective
    "log_mel": log_mel,
    "recall": recall,
    "test_ensembled": ensembled,
    **OF_SAMPLES,
}


def agree(
    metrics: Mapping[str, float], others: Mapping[str, float], share: float
) -> bool:
    """Says whether two sets of metrics are the same up to a share of each.

    Those of `OF_SAMPLES` may differ by `SAMPLED`, since one event that is drawn
    otherwise changes all after it.
    """
    return metrics.keys() == others.keys() and all(
        abs(metrics[name] - others[name])
        <= (max(share, SAMPLED) if name in OF_SAMPLES else share)
        * max(abs(others[name]), LEAST)
        for name in metrics
    )
