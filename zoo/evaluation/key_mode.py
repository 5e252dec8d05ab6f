"""Whether music is in major or in minor: profiles of keys, learned from real music.

In the manner of Krumhansl & Kessler 1982 (Tracing the dynamic changes in perceived tonal
organization), whose profiles are listeners' ratings: here each mode has weights for the degrees
above its tonic, of all that sounds, of the lowest track, of the beginning and of the end; the
tonic, which nobody says, may be any of twelve. Axes: n phrase, t step, k track, p pitch, f feature,
d degree, m mode.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.core import Array
from zoo.train.minimize import minimize

DEGREES = 12
STEPS, RATE, DECAY = 500, 0.05, 1e-3  # of descent, to learn them


class Profiles(NamedTuple):
    weights: Array  # [m, f, d]
    bias: Array  # [m], how usual each mode is


def features(rolls: np.ndarray, low: int) -> np.ndarray:
    """Shares of pitch classes [n, f, 12] of piano rolls [n, t, k, p] whose lowest key is `low`.

    Of all that sounds; of the last track, which is the lowest; and of all in the first and in the
    last quarter of the steps.
    """
    _, t, _, p = rolls.shape
    classes = np.eye(DEGREES, dtype=np.float32)[(low + np.arange(p)) % DEGREES]
    heard = rolls.astype(np.float32) @ classes
    every = heard.sum(axis=2)
    parts = every, heard[:, :, -1], every[:, : t // 4], every[:, -t // 4 :]
    summed = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return summed / np.maximum(summed.sum(axis=2, keepdims=True), 1)


def log_p(profiles: Profiles, x: Array) -> Array:
    """The log-probability [n, m] of each mode, given features [n, f, 12]."""
    turned = jnp.stack(
        [jnp.roll(x, -tonic, axis=2) for tonic in range(DEGREES)], axis=1
    )
    scores = jax.nn.logsumexp(
        jnp.einsum("nrfd,mfd->nmr", turned, profiles.weights), axis=2
    )
    return jax.nn.log_softmax(scores + profiles.bias[None], axis=1)


def learn(x: np.ndarray, mode: np.ndarray, modes: int = 2) -> Profiles:
    """The profiles under which the modes [n] of features [n, f, 12] are likeliest, each mode
    weighing as much as any other."""
    weight = 1 / np.maximum(np.bincount(mode, minlength=modes), 1)[mode] / modes
    rule = optax.adamw(RATE, weight_decay=DECAY)
    born = 0.1 * jax.random.normal(jax.random.key(0), (modes, *x.shape[1:]))
    profiles = Profiles(born, jnp.zeros(modes))

    def loss(profiles: Profiles, _: None) -> Array:
        told = log_p(profiles, jnp.asarray(x))
        chosen = jnp.take_along_axis(told, jnp.asarray(mode)[:, None], axis=1)
        return -(chosen[:, 0] * weight).sum()

    return minimize(loss, profiles, STEPS, rule)


def recall(profiles: Profiles, x: np.ndarray, mode: np.ndarray) -> float:
    """How often the modes [n] of features [n, f, 12] are named, the mean over modes."""
    hit = np.asarray(log_p(profiles, jnp.asarray(x)).argmax(axis=1)) == mode
    return float(np.mean([hit[mode == m].mean() for m in np.unique(mode)]))
