"""Training of models that write pieces as the latents of an autoencoder's phrases."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.core import LatentSequenceModel, supports
from zoo.errors import UsageError
from zoo.inference.latent_space import LatentSpace
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.inference.shipped import resolve
from zoo.metrics.repetition import recurrence_metrics
from zoo.metrics.self_similarity import consistency_metrics
from zoo.nn.latent.latent_sequence import principal_axes
from zoo.ranges import Examples, checked
from zoo.runner.run import train
from zoo.tasks import LatentSequences, Task, bound
from zoo.train.options import Options


@checked
def train_on_latents(
    family: Any,
    task: LatentSequences,
    *,
    vae: str | pathlib.Path,
    options: Options = Options(),
    compared: Examples = 64,
    evaluate: Callable[[Model, Task], dict[str, float]] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Trains a family on the latents of a trained autoencoder; see `zoo.runner.train`.

    Args:
      family: a model of sequences of latents; its `vae` is filled in.
      task: the pieces to train on.
      vae: the run of a MusicVAE, or weights of one, whose terms `options` may agree
        to by `accept_licence`.
      options: how the run is executed.
      compared: melodies to draw and compare with real ones, by
        `zoo.metrics.self_similarity` and `zoo.metrics.repetition`; 0 for none.
      evaluate: as of `zoo.runner.train`, in place of that comparison.
      others: further arguments of `zoo.runner.train`.

    Raises:
      UsageError: `family` or `vae` is of another kind, or the terms of `vae` must be
        agreed to.
    """
    if not supports(family, LatentSequenceModel):
        raise UsageError(
            f"{type(family).__name__} does not write latents: give a "
            "LatentDiffusion or "
            "a LatentMDN."
        )
    model = load(vae, accept_licence=options.accept_licence)
    task = on_latents_of(model, task)
    autoencoder = model.family
    axes = min(family.axes, autoencoder.latent)
    family = dataclasses.replace(family, vae=autoencoder, axes=axes, styles=task.styles)
    latents, _ = task.sequences("train")
    norm = principal_axes(np.concatenate(latents), axes)

    def against_real(trained: Model, task: Task) -> dict[str, float]:
        if not compared or not task.coder.monophonic:
            return {}
        tokens = trained.tokens(compared, trained.about["seed"])
        real = np.stack(task.examples("test"))
        metrics = consistency_metrics(tokens, real, task.coder)
        return {**metrics, **recurrence_metrics(tokens, real, task.coder)}

    pretrained = {"vae": model.params, "norm": norm}
    return train(
        family,
        task,
        options=options,
        pretrained=pretrained,
        origins=[resolve(vae)],
        evaluate=evaluate or against_real,
        **others,
    )


def on_latents_of(model: Model, task: LatentSequences) -> LatentSequences:
    """Returns the task with the model's codec, encoder, corpus and styles.

    Raises:
      UsageError: the model is not an autoencoder of phrases.
    """
    space = LatentSpace(model)
    bars = task.parts * space.autoencoder.bars
    coder = dataclasses.replace(model.codec, bars=bars)
    corpus = task.corpus or model.task.corpus
    styles = task.styles or space.styles
    metre = task.metre if task.corpus else task.metre or model.task.metre
    task = dataclasses.replace(task, corpus=corpus, styles=styles, metre=metre)
    return bound(task, coder=coder, encode=space.means)
