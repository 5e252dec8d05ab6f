"""Classification of the instrument of a note, by its mel spectrogram.

It measures whether a vocoder preserves timbre. Axes: n note, s sample, m mel band,
x feature.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Key, Params
from zoo.data.audio.batches import audio_eval_batches
from zoo.models import LatentClassifier
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.stft import to_float
from zoo.train.minimize import minimize
from zoo.train.optim import Adam

SEGMENTS = 8  # of a note, each averaged over time
STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 3000, 128, 1e-3, 1e-2


class InstrumentClassifier(NamedTuple):
    """A classifier of features, with the mean and deviation that normalise them."""

    classifier: LatentClassifier
    params: Params
    mean: np.ndarray
    std: np.ndarray
    mel: Mel

    def labels(self, audio: Any) -> np.ndarray:
        """Returns the likeliest label [n] of audio [n, s]."""
        x = (np.asarray(features(self.mel, audio)) - self.mean) / self.std
        best = self.classifier.predict(self.params, jnp.asarray(x)).argmax(axis=1)
        return np.array(self.classifier.styles)[np.asarray(best)]


def features(mel: Mel, audio: Any) -> Array:
    """Returns log-mel spectrograms of audio [n, s], averaged by segments, [n, x]."""
    spectra = mel.log(to_float(jnp.asarray(audio)))
    spectra = spectra[:, : spectra.shape[1] // SEGMENTS * SEGMENTS]
    segments = spectra.reshape(len(audio), SEGMENTS, -1, mel.bands)
    return segments.mean(axis=2).reshape(len(audio), -1)


def learn(
    excerpts: Sequence[Any],
    length: int,
    rate: int,
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> InstrumentClassifier | None:
    """Trains a classifier on excerpts with labels.

    Args:
      excerpts: with `audio` and `label`.
      length: samples of each excerpt to use.
      rate: sample rate in hertz.
      seed: seed of the training.
      steps: number of training steps.

    Returns:
      The classifier, or None if there are fewer than two labels.
    """
    labels = [excerpt.label for excerpt in excerpts]
    styles = tuple(sorted(set(labels)))
    if len(styles) < 2:
        return None
    mel = Mel(rate)
    classifier = LatentClassifier(
        styles, vocab=None, latent=SEGMENTS * mel.bands, width=256, layers=2
    )
    compute = jax.jit(lambda audio: features(mel, audio))
    batches = audio_eval_batches(excerpts, BATCH, length)
    x = np.concatenate([np.asarray(compute(batch["audio"])) for batch in batches])
    x = x[: len(labels)]  # the last batch is padded
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-3
    style = np.array([styles.index(label) for label in labels])
    data = {"latents": jnp.asarray((x - mean) / std), "style": jnp.asarray(style)}
    params = fit(classifier, data, jax.random.key(seed), steps)
    return InstrumentClassifier(
        classifier=classifier, params=params, mean=mean, std=std, mel=mel
    )


def fit(
    classifier: LatentClassifier, data: dict[str, Array], rng: Key, steps: int
) -> Params:
    """Returns the classifier's parameters after training on random batches of
    `data`."""
    count = len(data["style"])

    def loss(params: Params, batch: dict[str, Key]) -> Array:
        key = batch["key"]
        rows = jax.random.randint(key, (BATCH,), 0, count)
        chosen = {name: values[rows] for name, values in data.items()}
        chosen["mask"] = jnp.ones((BATCH, 1), bool)
        return classifier.loss(params, chosen, key, jnp.zeros(()))[0]

    return minimize(
        loss,
        classifier.init(rng, data),
        steps,
        Adam(LEARNING_RATE, decay=WEIGHT_DECAY).optimizer(steps),
        batches={"key": jax.random.split(rng, steps)},
    )
