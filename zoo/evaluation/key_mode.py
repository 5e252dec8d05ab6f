"""Classification of major and minor by key profiles, learnt from real music.

After Krumhansl & Kessler 1982 (Tracing the dynamic changes in perceived tonal
organization), whose profiles are listeners' ratings. Here each mode has weights of the
degrees above its tonic, for all that sounds, the lowest track, the beginning and the
end. The tonic is a latent variable: it may be any of twelve. Axes: n phrase, t step, k
track, p pitch, f feature, d degree, m mode.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.core import Array
from zoo.train.minimize import minimize

DEGREES = 12
STEPS, LEARNING_RATE, WEIGHT_DECAY = 500, 0.05, 1e-3


class Profiles(NamedTuple):
    """Key profiles of each mode.

    Attributes:
      weights: [m, f, d].
      bias: log prior of each mode, up to a constant, [m].
    """

    weights: Array
    bias: Array


def features(rolls: np.ndarray, low: int) -> np.ndarray:
    """Returns shares of pitch classes [n, f, 12] of piano rolls [n, t, k, p].

    The features are of all tracks, of the last track, which is the lowest, and of all
    tracks in the first and in the last quarter of the steps. `low` is the lowest key.
    """
    _, t, _, p = rolls.shape
    classes = np.eye(DEGREES, dtype=np.float32)[(low + np.arange(p)) % DEGREES]
    sounding = rolls.astype(np.float32) @ classes
    total = sounding.sum(axis=2)
    parts = total, sounding[:, :, -1], total[:, : t // 4], total[:, -t // 4 :]
    sums = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return sums / np.maximum(sums.sum(axis=2, keepdims=True), 1)


def log_p(profiles: Profiles, x: Array) -> Array:
    """Returns the log-probability [n, m] of each mode, given features [n, f, 12]."""
    rotated = [jnp.roll(x, -tonic, axis=2) for tonic in range(DEGREES)]
    by_tonic = jnp.einsum("nrfd,mfd->nmr", jnp.stack(rotated, 1), profiles.weights)
    logits = jax.nn.logsumexp(by_tonic, axis=2)
    return jax.nn.log_softmax(logits + profiles.bias[None], axis=1)


def learn(x: np.ndarray, mode: np.ndarray, modes: int = 2) -> Profiles:
    """Fits profiles to the modes [n] of features [n, f, 12], by maximum likelihood.

    Modes have equal weight, however many phrases they have.
    """
    weight = 1 / np.maximum(np.bincount(mode, minlength=modes), 1)[mode] / modes
    optimizer = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    initial = 0.1 * jax.random.normal(jax.random.key(0), (modes, *x.shape[1:]))
    profiles = Profiles(initial, jnp.zeros(modes))

    def loss(profiles: Profiles, _: None) -> Array:
        log_probs = log_p(profiles, jnp.asarray(x))
        chosen = jnp.take_along_axis(log_probs, jnp.asarray(mode)[:, None], axis=1)
        return -(chosen[:, 0] * weight).sum()

    return minimize(loss, profiles, STEPS, optimizer)


def recall(profiles: Profiles, x: np.ndarray, mode: np.ndarray) -> float:
    """Returns the recall of the modes [n] of features [n, f, 12], averaged over
    modes."""
    hit = np.asarray(log_p(profiles, jnp.asarray(x)).argmax(axis=1)) == mode
    return float(np.mean([hit[mode == m].mean() for m in np.unique(mode)]))
