"""What models of pieces as sequences of latents share: a frozen autoencoder, and units of latents.

Each position of a piece is a phrase, told by its latents in an autoencoder that is trained before
and moved no more. Parameters have it as "vae". What an autoencoder says of phrases is nearly flat:
most directions of its space say nothing, or what others say. So models read latents along the first
few principal axes of those of real phrases (Pearson 1901), in one unit for all of them; parameters
have these as "norm", and the variance along each. Axes: b and n rows, u position, z latent, c
principal axis, t step, k voice.
"""

from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import BOUNDARY, Array, Batch, Key, Params
from zoo.errors import UsageError
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys
from zoo.nn.sequence.sampling import Draw


class Autoencoder(Protocol):
    """What is asked of one: how many latents and steps a phrase has, and its music from latents."""

    @property
    def latent(self) -> int: ...

    @property
    def length(self) -> int: ...

    @property
    def styles(self) -> tuple[str, ...]: ...

    def example(self, n: int) -> Batch: ...

    def init(self, rng: Key, batch: Batch) -> Params: ...

    def encode(
        self, params: Params, tokens: Array, style: Array | None = None
    ) -> Gaussian: ...

    def decode(
        self,
        params: Params,
        rng: Key,
        z: Array,
        *,
        style: Array | None,
        draw: Draw,
    ) -> Array: ...


class Model(Protocol):
    """What `perform` asks of a model of latents."""

    @property
    def vae(self) -> Autoencoder: ...

    @property
    def parts(self) -> int: ...

    @property
    def axes(self) -> int: ...

    @property
    def styles(self) -> tuple[str, ...]: ...

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Array | None = None,
        given: Array | None = None,
        style: Array | None = None,
    ) -> Array: ...


def check(model: Model, *sizes: str) -> None:
    """Raises UsageError: a size below 1, a width that heads do not divide, or styles unlike."""
    if small := [
        f"{name} is {getattr(model, name)}"
        for name in sizes
        if getattr(model, name) < 1
    ]:
        raise UsageError(f"{small[0]}: choose 1 or more.")
    width, heads = (getattr(model, name) for name in ("width", "heads"))
    if width % (2 * heads):
        raise UsageError(
            f"width is {width} for {heads} heads: choose a multiple of {2 * heads}."
        )
    if not 1 <= model.axes <= model.vae.latent:
        raise UsageError(
            f"axes is {model.axes}: the autoencoder has {model.vae.latent} latents, so choose from "
            f"1 to {model.vae.latent}."
        )
    if model.vae.styles not in ((), model.styles):
        theirs, ours = (
            ", ".join(styles) or "none" for styles in (model.vae.styles, model.styles)
        )
        raise UsageError(
            f"styles are {ours}, the autoencoder's {theirs}: give the same to both."
        )


def example(model: Model, n: int) -> Batch:
    """Latents float32 [n, u, z] as the autoencoder has them, which positions there are, styles."""
    shape = (n, model.parts, model.vae.latent)
    latents = jnp.sin(1.0 + jnp.arange(np.prod(shape))).reshape(shape)
    batch = {"latents": latents, "mask": jnp.ones(shape[:2], bool)}
    return batch | (
        {"style": jnp.arange(n) % len(model.styles)} if model.styles else {}
    )


def frozen(model: Model, rng: Key) -> dict[str, Params]:
    """The autoencoder at birth, and of its latents the first few as they are."""
    vae, axes = model.vae, jnp.eye(model.vae.latent, model.axes)
    norm = {"mean": jnp.zeros(vae.latent), "axes": axes, "unit": jnp.ones(())}
    norm["variance"] = jnp.ones(model.axes)
    return {"vae": vae.init(rng, vae.example(1)), "norm": norm}


def principal(z: np.ndarray, axes: int) -> dict[str, np.ndarray]:
    """What `params["norm"]` is, of latents [n, z]: the `axes` along which they vary most.

    The unit is one in which their mean `variance` is 1.
    """
    mean = z.mean(axis=0)
    _, sizes, rows = np.linalg.svd((z - mean).T @ (z - mean) / len(z), hermitian=True)
    unit = np.sqrt(np.maximum(sizes[:axes].mean(), 1e-12))
    norm = {
        "mean": mean,
        "axes": rows[:axes].T,
        "unit": unit,
        "variance": sizes[:axes] / unit**2,
    }
    return {name: np.asarray(value, np.float32) for name, value in norm.items()}


def standard(params: Params, z: Array) -> Array:
    """Latents [.., z] along the principal axes, [.., c], of about unit variance."""
    norm = params["norm"]
    return (
        (z - norm["mean"].reshape((1,) * (z.ndim - 1) + (-1,)))
        @ norm["axes"]
        / norm["unit"]
    )


def natural(params: Params, x: Array) -> Array:
    """`standard` undone, the latents [.., z] of a point on the axes [.., c]."""
    norm = params["norm"]
    mean = norm["mean"].reshape((1,) * (x.ndim - 1) + (-1,))
    return x @ norm["axes"].T * norm["unit"] + mean


def stretch(params: Params) -> Array:
    """How many nats less likely natural latents are than the standard ones they are made of."""
    return jnp.log(params["norm"]["unit"]) * params["norm"]["axes"].shape[1]


def labels(styles: tuple[str, ...], style: Array | None, n: int) -> Array | None:
    """int [n], places among `styles` or one past them for none; None where there are no styles.

    Raises:
      UsageError: a style where none are known, not one for each row, or one that there is not.
    """
    if style is None:
        return jnp.full(n, len(styles)) if styles else None
    if not styles:
        raise UsageError("the model knows no styles: leave the style out.")
    if style.shape != (n,):
        raise UsageError(
            f"style has shape {style.shape}: give one for each of the {n} rows, [{n}]."
        )
    if not isinstance(
        style, jax.core.Tracer
    ):  # in a jitted function its numbers are not known
        wrong = [int(y) for y in np.asarray(style) if not 0 <= y < len(styles)]
        if wrong:
            raise UsageError(
                f"style {wrong[0]} is none: 0 to {len(styles) - 1} are {', '.join(styles)}."
            )
    return style


def dropped(
    styles: tuple[str, ...], style: Array | None, rng: Key, share: float
) -> Array | None:
    """`labels` of which a share is said to be of none (Ho & Salimans 2022, arXiv:2207.12598)."""
    if style is None:
        return None
    return jnp.where(jax.random.uniform(rng, style.shape) < share, len(styles), style)


def pinned(
    params: Params,
    known: Array | None,
    given: Array | None,
    shape: tuple[int, int, int],
) -> tuple[Array, Array]:
    """Known latents by `standard` [n, u, c], 0 where there are none, and where, bool [n, u].

    Raises:
      UsageError: one without the other, or of another shape.
    """
    if (known is None) != (given is None):
        raise UsageError(
            "known latents and where they are given go together: give both or neither."
        )
    if known is None or given is None:
        axes = params["norm"]["axes"].shape[1]
        return jnp.zeros((*shape[:2], axes)), jnp.zeros(shape[:2], bool)
    if known.shape != shape or given.shape != shape[:2]:
        raise UsageError(
            f"known has shape {known.shape} and given {given.shape}: give {shape} and {shape[:2]}."
        )
    return jnp.where(given[..., None], standard(params, known), 0.0), given


def perform(
    model: Model,
    params: Params,
    rng: Key,
    n: int,
    length: int | None,
    draw: Draw,
    style: Array | None,
    primer: Array | None = None,
    free: Array | None = None,
) -> Array:
    """Pieces int32 [n, u t] or [n, u t, k]: latents drawn by `model`, each written as a phrase.

    Phrases are written side by side, so that what one holds may have been struck in the one before.
    Where the autoencoder reads styles and none is asked for, each row is of any. Of a `primer`, a
    piece or the beginning of one without batch, every whole phrase is kept but those of which a
    step is `free`, bool [u t].

    Raises:
      UsageError: `length` is not that of a piece, or what `labels` raises.
    """
    vae, whole = model.vae, model.parts * model.vae.length
    if length not in (None, whole):
        raise UsageError(f"pieces have {whole} steps, not {length}: leave length out.")
    one, two, three = jax.random.split(rng, 3)
    if vae.styles and style is None:
        draw_one = lambda key: jax.random.randint(key, (), 0, len(vae.styles))
        style = jax.vmap(draw_one)(row_keys(three, n))
    told = jnp.repeat(style, model.parts) if vae.styles and style is not None else None
    if primer is None:
        z = model.latents(params, one, n, style=style).reshape(n * model.parts, -1)
        tokens = vae.decode(params["vae"], two, z, style=told, draw=draw)
        return tokens.reshape(n, whole, *tokens.shape[2:])
    keep, kept = phrases(primer, free, model.parts, vae.length)
    every = jnp.broadcast_to(kept, (n, *kept.shape)).reshape(-1, *kept.shape[1:])
    known = vae.encode(params["vae"], every, told).mean.reshape(n, model.parts, -1)
    given = jnp.broadcast_to(keep, (n, model.parts))
    z = model.latents(params, one, n, known=known, given=given, style=style)
    tokens = vae.decode(
        params["vae"], two, z.reshape(n * model.parts, -1), style=told, draw=draw
    )
    tokens = jnp.where(
        jnp.tile(keep, n).reshape(-1, *[1] * (kept.ndim - 1)), every, tokens
    )
    return tokens.reshape(n, whole, *tokens.shape[2:])


def phrases(
    primer: Array, free: Array | None, parts: int, steps: int
) -> tuple[Array, Array]:
    """Which of `parts` phrases of `steps` a primer has and keeps, bool [u], and it, [u, t]."""
    primer = primer[: parts * steps]
    rest = [(0, parts * steps - len(primer))] + [(0, 0)] * (primer.ndim - 1)
    tokens = jnp.pad(primer, rest).reshape(parts, steps, *primer.shape[1:])
    there = (tokens.reshape(parts, -1) != BOUNDARY).all(axis=1)
    return there if free is None else there & ~free.reshape(parts, -1).any(
        axis=1
    ), tokens
