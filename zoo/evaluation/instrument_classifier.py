"""What instrument a note is of, told from its mel spectrum: the judge of what a vocoder keeps.

Axes: n note, s sample, p part of a note, m mel band, x feature.
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

PARTS = 8  # of a note, each heard as a whole
STEPS, BATCH, RATE, DECAY = 3000, 128, 1e-3, 1e-2  # of descent, to learn them


class Judge(NamedTuple):
    """A classifier of features, and what these are less and over before it has them."""

    classifier: LatentClassifier
    params: Params
    middle: np.ndarray
    spread: np.ndarray
    mel: Mel

    def names(self, audio: Any) -> np.ndarray:
        """Of the instruments that signals [n, s] are held to be of."""
        x = (np.asarray(features(self.mel, audio)) - self.middle) / self.spread
        told = self.classifier.predict(self.params, jnp.asarray(x)).argmax(axis=1)
        return np.array(self.classifier.styles)[np.asarray(told)]


def features(mel: Mel, audio: Any) -> Array:
    """Log-mel spectra of signals [n, s] by parts, [n, x]."""
    spectra = mel.log(to_float(jnp.asarray(audio)))
    spectra = spectra[:, : spectra.shape[1] // PARTS * PARTS]
    return (
        spectra.reshape(len(audio), PARTS, -1, mel.bands)
        .mean(axis=2)
        .reshape(len(audio), -1)
    )


def learn(
    excerpts: Sequence[Any], length: int, rate: int, seed: int = 0, steps: int = STEPS
) -> Judge | None:
    """A judge that has heard all excerpts, of `length` samples at `rate`, with their labels; none
    where there are no two of these to be told apart."""
    labels = [one.label for one in excerpts]
    styles = tuple(sorted(set(labels)))
    if len(styles) < 2:
        return None
    mel = Mel(rate)
    classifier = LatentClassifier(
        styles, vocab=None, latent=PARTS * mel.bands, width=256, layers=2
    )
    each = jax.jit(lambda audio: features(mel, audio))
    x = np.concatenate(
        [
            np.asarray(each(b["audio"]))
            for b in audio_eval_batches(excerpts, BATCH, length)
        ]
    )
    x = x[: len(labels)]  # the last batch is filled up
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
    style = np.array([styles.index(label) for label in labels])
    every = {"latents": jnp.asarray((x - middle) / spread), "style": jnp.asarray(style)}
    params = descended(classifier, every, jax.random.key(seed), steps)
    return Judge(classifier, params, middle, spread, mel)


def descended(
    classifier: LatentClassifier, every: dict[str, Array], rng: Key, steps: int
) -> Params:
    """Its parameters after so many batches of these notes."""
    count = len(every["style"])

    def loss(params: Params, batch: dict[str, Key]) -> Array:
        key = batch["key"]
        rows = jax.random.randint(key, (BATCH,), 0, count)
        drawn = {
            **jax.tree.map(lambda x: x[rows], every),
            "mask": jnp.ones((BATCH, 1), bool),
        }
        return classifier.loss(params, drawn, key, jnp.zeros(()))[0]

    return minimize(
        loss,
        classifier.init(rng, every),
        steps,
        Adam(RATE, decay=DECAY).optimizer(steps),
        batches={"key": jax.random.split(rng, steps)},
    )
