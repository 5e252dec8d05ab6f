"""Shared parts of models of latent sequences: the autoencoder and principal axes.

Each position of a piece is a phrase, represented by its latents under a pretrained
autoencoder that is not trained further: `params["vae"]`. Most directions of its latent
space have no influence, or are correlated. Models therefore use the first principal
axes of the latents of real phrases (Pearson 1901), all scaled by one unit:
`params["norm"]`.

Axes: b and n row, u position, z latent, c principal axis, t step of a piece, s step of
a phrase, k voice, y style.
"""

from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import (
    BOUNDARY,
    Array,
    Batch,
    Bool,
    Float,
    Int,
    Key,
    LatentSequenceModel,
    Params,
)
from zoo.errors import UsageError
from zoo.nn.rng import row_keys
from zoo.nn.sequence.sampling import Draw

MIN_VARIANCE = 1e-12


class LatentModel(LatentSequenceModel, Protocol):
    """A model of the latents of pieces, along `axes` principal axes."""

    @property
    def axes(self) -> int: ...

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Array | None = None,
        known_mask: Array | None = None,
        style: Array | None = None,
    ) -> Array:
        """Draws latents [n, u, z], some of which may be known."""


def validate(model: LatentModel, *, width: int, heads: int) -> None:
    """Raises UsageError if fields of a model do not fit together.

    Args:
      model: the model.
      width: of its layers.
      heads: of its attention.
    """
    if width % (2 * heads):
        raise UsageError(
            f"width is {width} for {heads} heads: choose a multiple of {2 * heads}."
        )
    if model.axes > model.vae.latent:
        raise UsageError(
            f"axes is {model.axes}: the autoencoder has {model.vae.latent} latents, so "
            f"choose from 1 to {model.vae.latent}."
        )
    if model.vae.styles not in ((), model.styles):
        raise UsageError(
            f"styles are {', '.join(model.styles) or 'none'}, and those of vae are "
            f"{', '.join(model.vae.styles)}: choose the same for both."
        )


def example(model: LatentModel, n: int) -> Batch:
    """Returns a batch of latents, of the mask of positions, and of styles if any."""
    shape = (n, model.parts, model.vae.latent)
    latents = jnp.sin(1.0 + jnp.arange(np.prod(shape), dtype=jnp.float32))
    latents = latents.reshape(shape)
    batch = {"latents": latents, "mask": jnp.ones(shape[:2], bool)}
    if model.styles:
        batch["style"] = jnp.arange(n) % len(model.styles)
    return batch


def init_frozen(model: LatentModel, rng: Key) -> dict[str, Params]:
    """Initialises the autoencoder, and the axes as its first latents."""
    vae = model.vae
    norm = {
        "mean": jnp.zeros(vae.latent, jnp.float32),
        "axes": jnp.eye(vae.latent, model.axes, dtype=jnp.float32),
        "unit": jnp.ones((), jnp.float32),
        "variance": jnp.ones(model.axes, jnp.float32),
    }
    return {"vae": vae.init(rng, vae.example(1)), "norm": norm}


def principal_axes(z: np.ndarray, axes: int) -> dict[str, np.ndarray]:
    """Returns `params["norm"]` for latents [n, z]: their first principal axes.

    The unit is the one in which the mean `variance` along these axes is 1.
    """
    mean = z.mean(axis=0)
    covariance = (z - mean).T @ (z - mean) / len(z)
    _, variance, rows = np.linalg.svd(covariance, hermitian=True)
    unit = np.sqrt(np.maximum(variance[:axes].mean(), MIN_VARIANCE))
    norm = {
        "mean": mean,
        "axes": rows[:axes].T,
        "unit": unit,
        "variance": variance[:axes] / unit**2,
    }
    return {name: np.asarray(value, np.float32) for name, value in norm.items()}


def to_axes(params: Params, z: Float[Array, "*n z"]) -> Float[Array, "*n c"]:
    """Projects latents onto the principal axes, in a unit of about unit variance."""
    norm = params["norm"]
    mean = norm["mean"].reshape((1,) * (z.ndim - 1) + (-1,))
    return (z - mean) @ norm["axes"] / norm["unit"]


def from_axes(params: Params, x: Float[Array, "*n c"]) -> Float[Array, "*n z"]:
    """Returns the latents at a point on the principal axes."""
    norm = params["norm"]
    mean = norm["mean"].reshape((1,) * (x.ndim - 1) + (-1,))
    return x @ norm["axes"].T * norm["unit"] + mean


def log_volume(params: Params) -> Float[Array, ""]:
    """Returns the log-determinant of `from_axes` in nats.

    It is subtracted from a log-density along the axes to give that of the latents.
    """
    return jnp.log(params["norm"]["unit"]) * params["norm"]["axes"].shape[1]


def style_labels(
    styles: tuple[str, ...], style: Array | None, n: int
) -> Int[Array, " n"] | None:
    """Returns the label of each row: the index of its style, or len(styles) for none.

    Without any styles, it returns None.

    Raises:
      UsageError: `style` for a model without styles, of a wrong shape, or out of range.
    """
    if style is None:
        return jnp.full(n, len(styles)) if styles else None
    if not styles:
        raise UsageError("the model was trained without styles: leave style out.")
    if style.shape != (n,):
        raise UsageError(
            f"style has shape {style.shape}: choose one for each of {n} rows, ({n},)."
        )
    if not isinstance(style, jax.core.Tracer):  # under jit values are unknown
        for label in np.asarray(style).tolist():
            if not 0 <= label < len(styles):
                raise UsageError(
                    f"there is no style {label}: choose from 0 to {len(styles) - 1}, "
                    f"{', '.join(styles)}."
                )
    return style


def drop_styles(
    styles: tuple[str, ...], labels: Int[Array, " n"] | None, *, rng: Key, rate: float
) -> Int[Array, " n"] | None:
    """Replaces a share of labels by that of no style (Ho & Salimans 2022)."""
    if labels is None:
        return None
    dropped = jax.random.uniform(rng, labels.shape, jnp.float32) < rate
    return jnp.where(dropped, len(styles), labels)


def known_on_axes(
    params: Params,
    known: Float[Array, "n u z"] | None,
    known_mask: Bool[Array, "n u"] | None,
    *,
    shape: tuple[int, int, int],
) -> tuple[Float[Array, "n u c"], Bool[Array, "n u"]]:
    """Returns known latents along the axes, 0 where unknown, and their mask.

    Args:
      shape: [n, u, z] as it should be.

    Raises:
      UsageError: one without the other, or another shape.
    """
    if (known is None) != (known_mask is None):
        raise UsageError("known and known_mask go together: pass both or neither.")
    if known is None or known_mask is None:
        axes = params["norm"]["axes"].shape[1]
        return jnp.zeros((*shape[:2], axes), jnp.float32), jnp.zeros(shape[:2], bool)
    if known.shape != shape or known_mask.shape != shape[:2]:
        raise UsageError(
            f"known has shape {known.shape} and known_mask {known_mask.shape}: pass "
            f"{shape} and {shape[:2]}."
        )
    x = jnp.where(known_mask[..., None], to_axes(params, known), 0.0)
    return x, known_mask


def sample_pieces(
    model: LatentModel,
    params: Params,
    rng: Key,
    n: int,
    *,
    length: int | None,
    draw: Draw,
    style: Array | None,
    primer: Int[Array, " steps *k"] | None = None,
    free: Bool[Array, " length"] | None = None,
) -> Int[Array, "n t *k"]:
    """Draws pieces: latents from `model`, each decoded to a phrase.

    Phrases are decoded independently, so a note that a phrase holds on to may have
    begun in the one before. Row i is a function of `rng` and i.

    Args:
      length: steps, which must be those of a piece.
      draw: how tokens are sampled.
      style: the index of each row's style; if the autoencoder has styles, drawn at
        random by default.
      primer: a piece or its beginning, of which whole phrases are kept.
      free: the steps of a piece to generate anew, with the rest of their phrases.

    Raises:
      UsageError: another length, or a bad style.
    """
    vae, total = model.vae, model.parts * model.vae.length
    if length not in (None, total):
        raise UsageError(f"length is {length}, and a piece has {total}: leave it out.")
    latent_rng, token_rng, style_rng = jax.random.split(rng, 3)
    if vae.styles and style is None:

        def draw_style(key: Key) -> Array:
            return jax.random.randint(key, (), 0, len(vae.styles))

        style = jax.vmap(draw_style)(row_keys(style_rng, n))
    of_phrases = None
    if vae.styles and style is not None:
        of_phrases = jnp.repeat(style, model.parts)

    def decode(z: Array) -> Array:
        z = z.reshape(n * model.parts, -1)
        return vae.decode(params["vae"], token_rng, z, style=of_phrases, draw=draw)

    if primer is None:
        tokens = decode(model.latents(params, latent_rng, n, style=style))
        return tokens.reshape(n, total, *tokens.shape[2:])
    phrases, keep = split_primer(primer, free, parts=model.parts, steps=vae.length)
    repeated = jnp.broadcast_to(phrases, (n, *phrases.shape))
    repeated = repeated.reshape(-1, *phrases.shape[1:])
    posterior = vae.encode(params["vae"], repeated, of_phrases)
    z = model.latents(
        params,
        latent_rng,
        n,
        known=posterior.mean.reshape(n, model.parts, -1),
        known_mask=jnp.broadcast_to(keep, (n, model.parts)),
        style=style,
    )
    keep = jnp.tile(keep, n).reshape(-1, *[1] * (phrases.ndim - 1))
    tokens = jnp.where(keep, repeated, decode(z))
    return tokens.reshape(n, total, *tokens.shape[2:])


def split_primer(
    primer: Int[Array, " t *k"],
    free: Bool[Array, " length"] | None,
    *,
    parts: int,
    steps: int,
) -> tuple[Int[Array, "u s *k"], Bool[Array, " u"]]:
    """Splits a primer into phrases, padded; returns them and which of them are kept.

    A phrase is kept if it is whole and none of its steps is free.
    """
    primer = primer[: parts * steps]
    padding = [(0, parts * steps - len(primer))] + [(0, 0)] * (primer.ndim - 1)
    phrases = jnp.pad(primer, padding).reshape(parts, steps, *primer.shape[1:])
    keep = (phrases.reshape(parts, -1) != BOUNDARY).all(axis=1)
    if free is not None:
        keep &= ~free.reshape(parts, -1).any(axis=1)
    return phrases, keep
