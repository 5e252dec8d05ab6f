"""Whether music is in major or in minor: profiles of keys, learned from real music.

In the manner of Krumhansl & Kessler 1982, whose profiles are listeners' ratings: here each mode has
weights for every degree above the tonic, of all that sounds, of the lowest track, and of the
beginning and the end; the tonic, which nobody says, may be any of twelve. Axes: n phrase, t step,
k track, p pitch, f feature, m mode.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.core import Array

DEGREES = 12
STEPS = 500
DECAY = 1e-3  # of the weights: there are few pieces


class Profiles(NamedTuple):
    weights: Array  # [m, f, 12]
    bias: Array  # [m, 12], how usual each mode is, in a key for each pitch class


def features(rolls: np.ndarray, low: int) -> np.ndarray:
    """Shares of pitch classes [n, f, 12] of piano rolls [n, t, k, p] whose lowest key is `low`.

    Of all that sounds; of the lowest track that does, as tracks are ordered from high to low; and
    of the first and the last quarter of the steps.
    """
    n, t, _, p = rolls.shape
    classes = np.eye(DEGREES, dtype=np.float32)[(low + np.arange(p)) % DEGREES]
    heard = rolls.astype(np.float32) @ classes
    whole = heard.sum(axis=2)
    parts = whole, heard[:, :, -1], whole[:, : t // 4], whole[:, -t // 4 :]
    summed = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return summed / np.maximum(summed.sum(axis=2, keepdims=True), 1)


def log_p(profiles: Profiles, x: Array) -> Array:
    """The log-probability [n, m] of each mode, given features [n, f, 12]."""
    turned = jnp.stack([jnp.roll(x, -tonic, axis=2) for tonic in range(DEGREES)], axis=1)
    scores = jnp.einsum("nrfd,mfd->nmr", turned, profiles.weights) + profiles.bias[:, :1]
    return jax.nn.log_softmax(jax.nn.logsumexp(scores, axis=2), axis=1)
