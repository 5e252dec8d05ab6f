"""Operations on the latents of audio: timbre transfer, interpolation, principal axes.

Timbre transfer gives a sound the latent statistics of another (Dumoulin et al. 2017, A
learned representation for artistic style, eq. 5). Principal axes are those of Caillon &
Esling 2021 (RAVE, section 3.2). Axes: b sound, s sample, f frame, z latent.
"""

import functools
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError, require
from zoo.inference.model import Model
from zoo.inference.resynthesis import excerpt, require_audio
from zoo.nn.audio.vocoder import LatentTransform

MAX_RATIO = 8.0  # of a latent's standard deviation after the transfer to that before
SILENCE = 1e-3  # loudness of a silent frame, relative to the loudest


class Statistics(NamedTuple):
    """Mean and standard deviation of each latent over the frames of a sound, [z]."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, model: Model, audio: np.ndarray) -> "Statistics":
        """Returns the statistics of audio [s], silent frames left out.

        Raises:
          UsageError: all of it is silent.
        """
        z = latents(model, audio[None])
        loudness = np.asarray(model.family.loudness(z))[0].mean(axis=1)
        z = np.asarray(z)[0, loudness > SILENCE * loudness.max()]
        require(len(z) > 0, "the recording is silent: give one with sound.")
        return cls(z.mean(axis=0), z.std(axis=0) + 1e-6)


def transfer(
    model: Model,
    source: pathlib.Path,
    target: pathlib.Path,
    share: float = 1.0,
) -> LatentTransform:
    """Returns what gives latents of the recording `source` the timbre of `target`.

    Raises:
      UsageError: the model is not one of audio, or a recording cannot be read.
    """
    require_audio(model)
    rate = model.codec.rate
    source_statistics = Statistics.of(model, excerpt(source, rate))
    target_statistics = Statistics.of(model, excerpt(target, rate))
    return matched(model, source_statistics, target_statistics, share)


def matched(
    model: Model, source: Statistics, target: Statistics, share: float = 1.0
) -> LatentTransform:
    """Returns a function that gives latents with statistics `source` those of `target`.

    With a `share` below 1 they are moved part of the way. The loudness of each frame is
    preserved.
    """
    family: Any = model.family
    row = lambda values: jnp.asarray(values[None, None], jnp.float32)
    ratio = np.clip(target.std / source.std, 1 / MAX_RATIO, MAX_RATIO)
    level = lambda z: jnp.sqrt((family.loudness(z) ** 2).mean(axis=-1, keepdims=True))

    def transform(z: Array) -> Array:
        standard = (z - row(source.mean)) * row(ratio) + row(target.mean)
        moved = z + share * (standard - z)
        return family.amplified(moved, level(z) / level(moved))

    return transform


def interpolated(
    model: Model,
    first: np.ndarray,
    last: np.ndarray,
    shares: Sequence[float],
    *,
    seed: int = 0,
) -> np.ndarray:
    """Returns audio [b, s] between two sounds [s] in latent space, one for each share.

    It has the length of the shorter sound.
    """
    length = min(len(first), len(last))
    a, b = latents(model, np.stack([first[:length], last[:length]]))
    z = jnp.stack([a + share * (b - a) for share in shares])
    decode = jax.jit(model.family.decode)
    made = decode(jax.device_get(model.params), z, jax.random.key(seed))
    return np.asarray(made)[:, :length]


def latents(model: Model, audio: np.ndarray) -> Array:
    """Returns the posterior means [b, f, z] of audio [b, s]."""
    return compiled_encoder(model.family)(jax.device_get(model.params), audio)


@functools.lru_cache(maxsize=8)
def compiled_encoder(family: Any) -> Callable[..., Any]:
    """Returns the compiled encoder of a family; it is called once a sound."""
    return jax.jit(family.latents)


class PrincipalAxes(NamedTuple):
    """Principal axes of latents, by falling variance."""

    mean: np.ndarray  # [z]
    axes: np.ndarray  # [z, z], a row each
    shares: np.ndarray  # [z], of the variance

    @classmethod
    def of(cls, frames: Iterable[np.ndarray]) -> "PrincipalAxes":
        """Returns the axes of latents [f, z], given in parts; only sums are kept."""
        count, total, square = 0, np.zeros(()), np.zeros(())
        for part in frames:
            part = np.asarray(part, np.float64)
            count += len(part)
            total, square = total + part.sum(0), square + part.T @ part
        mean = total / max(count, 1)
        power, axes = np.linalg.eigh(square / max(count, 1) - np.outer(mean, mean))
        power = np.maximum(power[::-1], 0)
        return cls(mean, axes.T[::-1], power / power.sum())

    def count(self, fidelity: float) -> int:
        """Returns how many axes have the share `fidelity` of the variance.

        All of them have 1, however the shares of the last ones are rounded.

        Raises:
          UsageError: it is not within 0 to 1.
        """
        if not 0 < fidelity <= 1:
            raise UsageError(f"fidelity is {fidelity:g}: choose above 0, up to 1.")
        if fidelity == 1:
            return len(self.shares)
        number = int(np.searchsorted(self.shares.cumsum(), fidelity)) + 1
        return min(number, len(self.shares))

    def projection(self, fidelity: float) -> LatentTransform:
        """Returns a function that projects latents onto the first axes."""
        axes = self.axes[: self.count(fidelity)].astype(np.float32)
        mean = jnp.asarray(self.mean[None, None], jnp.float32)
        return lambda z: mean + (z - mean) @ axes.T @ axes
