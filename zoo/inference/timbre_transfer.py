"""What can be done to a sound between its latents and itself.

Statistics of one sound for another's (Dumoulin et al. 2017, A learned representation for artistic
style, eq. 5); the way from one to another; and the few directions that explain most of it (Caillon
& Esling 2021, RAVE, section 3.2). Axes: b sound, s sample, f frame, z latent.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError
from zoo.inference.model import Trained
from zoo.nn.audio.vocoder import LatentTransform

LIMIT = 8.0  # times that a latent is made larger, or smaller
HEARD = 1e-3  # a frame's loudness, of the loudest, from which on it is of the sound


class Statistics(NamedTuple):
    """Of the frames of a sound: means and deviations of its latents, [z] each."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, model: Trained, audio: np.ndarray) -> "Statistics":
        """Of a signal [s], where it is not silent."""
        family: Any = model.family
        z = latents(model, audio[None])
        loud = np.asarray(family.loudness(z))[0].mean(axis=1)
        z = np.asarray(z)[0, loud > HEARD * loud.max()]
        if not len(z):
            raise UsageError(
                "there is nothing to hear in a sound that another is to be like."
            )
        return cls(z.mean(axis=0), z.std(axis=0) + 1e-6)


def like(
    model: Trained, own: Statistics, other: Statistics, share: float = 1.0
) -> LatentTransform:
    """What gives latents of a sound the statistics of another, or a share of the way there, and
    leaves each frame as loud as it was."""
    family: Any = model.family
    over = lambda of: jnp.asarray(of[None, None], jnp.float32)
    ratio = np.clip(other.spread / own.spread, 1 / LIMIT, LIMIT)
    there = lambda z: (z - over(own.mean)) * over(ratio) + over(other.mean)
    level = lambda z: jnp.sqrt((family.loudness(z) ** 2).mean(axis=-1, keepdims=True))

    def vary(z: Array) -> Array:
        moved = z + share * (there(z) - z)
        return family.amplified(moved, level(z) / level(moved))

    return vary


def between(
    model: Trained,
    one: np.ndarray,
    other: np.ndarray,
    shares: Sequence[float],
    seed: int = 0,
) -> np.ndarray:
    """Signals [b, s] at shares of the way in latents from one [s] to another, of the length of the
    shorter."""
    family: Any = model.family
    length = min(len(one), len(other))
    a, b = latents(model, np.stack([one[:length], other[:length]]))
    z = jnp.stack([a + share * (b - a) for share in shares])
    made = jax.jit(family.decode)(jax.device_get(model.params), z, jax.random.key(seed))
    return np.asarray(made)[:, :length]


def latents(model: Trained, audio: np.ndarray) -> Array:
    """The means [b, f, z] of signals [b, s]."""
    return encoding(cast(Any, model.family))(jax.device_get(model.params), audio)


@functools.lru_cache(maxsize=8)
def encoding(family: Any) -> Callable[..., Any]:
    """Its encoder, which is asked for a sound at a time."""
    return jax.jit(family.latents)


class Ranking(NamedTuple):
    """Directions in latents, the one that explains most of their variance first."""

    middle: np.ndarray  # [z]
    axes: np.ndarray  # [z, z], a row each
    shares: np.ndarray  # [z], of the variance

    @classmethod
    def of(cls, frames: Iterable[np.ndarray]) -> "Ranking":
        """Of latents [f, z] by and by: no more of them is kept than their sums."""
        count, total, square = 0, np.zeros(()), np.zeros(())
        for some in frames:
            some = np.asarray(some, np.float64)
            count, total, square = (
                count + len(some),
                total + some.sum(0),
                square + some.T @ some,
            )
        middle = total / max(count, 1)
        power, axes = np.linalg.eigh(square / max(count, 1) - np.outer(middle, middle))
        power = np.maximum(power[::-1], 0)
        return cls(middle, axes.T[::-1], power / power.sum())

    def kept(self, fidelity: float) -> int:
        """How many directions explain that share of the variance."""
        if not 0 < fidelity <= 1:
            raise UsageError(
                f"a fidelity of {fidelity:g} is asked for: choose one up to 1."
            )
        return min(
            int(np.searchsorted(self.shares.cumsum(), fidelity)) + 1, len(self.shares)
        )

    def within(self, fidelity: float) -> LatentTransform:
        """What leaves of latents only those directions."""
        axes = self.axes[: self.kept(fidelity)].astype(np.float32)
        middle = jnp.asarray(self.middle[None, None], jnp.float32)
        return lambda z: middle + (z - middle) @ axes.T @ axes
