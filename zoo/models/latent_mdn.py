"""Autoregression over the latents of a piece's phrases (Mittal et al. 2021).

The baseline of arXiv:2103.16091, there called TransformerMDN: a causal Transformer
reads the latents of the phrases so far, and outputs the next one's density, a mixture
of normal distributions (Bishop 1994).

Axes: b and n row, u position (a phrase of the piece), z latent, c principal axis of the
latents, m component of the mixture, t step, k voice, d width.

Deviations: normalisation precedes each sublayer, positions are rotary, and latents are
projected onto their principal axes (`zoo.nn.latent.latent_sequence`). Standard
deviations are at least e^MIN_LOG_STD, so that the density is bounded.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import (
    Array,
    Batch,
    Bool,
    Float,
    Int,
    Key,
    Metrics,
    Objective,
    Params,
    PhraseAutoencoder,
)
from zoo.errors import UsageError
from zoo.models.music_vae import MusicVAE
from zoo.nn.dense import Dense, normalise
from zoo.nn.latent import latent_sequence
from zoo.nn.latent.variational import Gaussian
from zoo.nn.masked import at_least_one
from zoo.nn.rng import row_keys
from zoo.nn.sequence.attention import (
    Block,
    Cache,
    Cursor,
    empty_cache,
    first_cursor,
    next_cursor,
)
from zoo.nn.sequence.flash_attention import causal_mask
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Count, DropoutRate, Heads, Layers, Parts, Width, checked

MIN_LOG_STD = -5.0


class Mixture(NamedTuple):
    """Mixtures of normal distributions."""

    logits: Array  # of the weights, [.., m]
    components: Gaussian  # [.., m, c]

    def log_prob(self, x: Float[Array, "*b c"]) -> Float[Array, "*b"]:
        """Returns the log-density in nats (Bishop 1994, eq. 22)."""
        log_p = self.components.log_prob(x[..., None, :])
        return jax.nn.logsumexp(jax.nn.log_softmax(self.logits) + log_p, axis=-1)

    def sample(self, keys: Key) -> Float[Array, "n c"]:
        """Draws one value of each of n mixtures, by its key."""

        def draw_one(key: Key, logits: Array, components: Gaussian) -> Array:
            component_key, value_key = jax.random.split(key)
            i = jax.random.categorical(component_key, logits)
            return jax.tree.map(lambda x: x[i], components).sample(value_key)

        return jax.vmap(draw_one)(keys, *self)


class Net(nn.Module):
    """A causal Transformer with a mixture density output.

    Attributes:
      axes: the number of inputs and outputs of a position.
      parts: positions of a piece.
      width: of the layers.
      layers: the number of blocks.
      heads: of the attention.
      mixtures: components of the output.
      labels: styles, and one for no style; 0 without styles.
      dropout: share of the units dropped in training.
    """

    axes: int
    parts: int
    width: int
    _: dataclasses.KW_ONLY
    layers: int
    heads: int
    mixtures: int
    labels: int
    dropout: float

    def setup(self) -> None:
        self.enter = Dense(self.width)
        self.begin = self.param(
            "begin", nn.initializers.normal(1.0), (self.width,), jnp.float32
        )
        self.blocks = [
            Block(
                width=self.width,
                heads=self.heads,
                length=self.parts,
                position="rotary",
                dropout=self.dropout,
                scale=(2 * self.layers) ** -0.5,
            )
            for _ in range(self.layers)
        ]
        self.head = Dense(self.mixtures * (1 + 2 * self.axes))
        if self.labels:
            self.style = nn.Embed(self.labels, self.width)

    def embed(
        self,
        before: Float[Array, "*b c"],
        is_first: Bool[Array, "*b"],
        label: Int[Array, "..."] | None,
    ) -> Float[Array, "*b d"]:
        """Returns the input of the blocks.

        Args:
          before: the latents of the position before, ignored at the first position.
          is_first: True at the first position.
          label: of the style, broadcast to the positions.
        """
        begin = self.begin.reshape((1,) * is_first.ndim + (-1,))
        x = jnp.where(is_first[..., None], begin, self.enter(before))
        return x if label is None else x + self.style(label)

    def mixture(self, x: Float[Array, "*b d"]) -> Mixture:
        """Returns the output distribution, float32, from the last block's output."""
        output = self.head(normalise(x)).astype(jnp.float32)
        ends = self.mixtures, self.mixtures * (1 + self.axes)
        logits, mean, log_std = jnp.split(output, ends, axis=-1)
        shape = (*output.shape[:-1], self.mixtures, self.axes)
        mean, log_std = mean.reshape(shape), log_std.reshape(shape)
        log_std = MIN_LOG_STD + nn.softplus(log_std - MIN_LOG_STD)
        return Mixture(logits, Gaussian(mean, log_std))

    def __call__(
        self,
        x: Float[Array, "b u c"],
        label: Int[Array, " b"] | None,
        rng: Key | None,
    ) -> Mixture:
        """Returns the distribution of each position given those before it.

        Dropout is on if `rng` is not None.
        """
        is_first = jnp.broadcast_to(jnp.arange(x.shape[1]) == 0, x.shape[:2])
        before = jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        h = self.embed(before, is_first, None if label is None else label[:, None])
        mask = causal_mask(is_first)
        for i, block in enumerate(self.blocks):
            h = block(h, mask, None if rng is None else jax.random.fold_in(rng, i))
        return self.mixture(h)

    def step(
        self,
        caches: tuple[Cache, ...],
        cursor: Cursor,
        before: Float[Array, "n c"],
        label: Int[Array, " n"] | None,
    ) -> tuple[tuple[Cache, ...], Mixture]:
        """Returns the next caches, and the distribution of the next position."""
        h, after = self.embed(before, cursor.age == 0, label), []
        for block, cache in zip(self.blocks, caches, strict=True):
            cache, h = block.step(h, cache, cursor)
            after.append(cache)
        return tuple(after), self.mixture(h)


@dataclasses.dataclass(frozen=True)
@checked
class LatentMDN:
    """An autoregressive model of the latents of a piece.

    Raises:
      UsageError: a size below 1, a width that is not a multiple of twice the heads,
        more axes than latents, an autoencoder with other styles, or a rate out of
        range.
    """

    vae: PhraseAutoencoder = MusicVAE()
    """The pretrained autoencoder of phrases."""
    parts: Parts = 32
    """Phrases in a piece."""
    axes: Width = 64
    """Principal axes of the latents that are modelled."""
    _: dataclasses.KW_ONLY
    width: Width = 512
    """Width of the Transformer's layers."""
    layers: Layers = 6
    """Blocks of the Transformer."""
    heads: Heads = 8
    """Heads of its attention."""
    mixtures: Count = 16
    """Normal distributions in the mixture."""
    styles: tuple[str, ...] = ()
    """Names of the styles; empty to train without."""
    style_dropout: DropoutRate = 0.1
    """Share of the rows that are trained without their style."""
    dropout: DropoutRate = 0.0
    """Share of the units dropped in training."""

    def __post_init__(self) -> None:
        latent_sequence.validate(self, width=self.width, heads=self.heads)

    @property
    def length(self) -> int:
        """The steps of a piece."""
        return self.parts * self.vae.length

    @property
    def net(self) -> Net:
        """The network."""
        return Net(
            self.axes,
            self.parts,
            self.width,
            layers=self.layers,
            heads=self.heads,
            mixtures=self.mixtures,
            labels=len(self.styles) + 1 if self.styles else 0,
            dropout=self.dropout,
        )

    def example(self, n: int) -> Batch:
        return latent_sequence.example(self, n)

    def init(self, rng: Key, batch: Batch) -> Params:
        net_rng, vae_rng = jax.random.split(rng)
        label = latent_sequence.style_labels(self.styles, None, 1)
        x = jnp.zeros((1, self.parts, self.axes), jnp.float32)
        net = self.net.init(net_rng, x, label, None)
        return {"net": net["params"], **latent_sequence.init_frozen(self, vae_rng)}

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative log-density of positions in the mask, in nats.

        Padding is at the end of a row, where no position attends to it.
        """
        style_rng, dropout_rng = jax.random.split(rng)
        z, mask = batch["latents"], batch["mask"]
        label = latent_sequence.style_labels(self.styles, batch.get("style"), len(mask))
        if step is None:
            log_p = self.log_density(params, z, label)
        else:
            label = latent_sequence.drop_styles(
                self.styles, label, rng=style_rng, rate=self.style_dropout
            )
            dropout = dropout_rng if self.dropout else None
            log_p = self.log_density(params, z, label, dropout)
        nll = -jnp.where(mask, log_p, 0.0).sum() / at_least_one(mask.sum())
        return nll, {"nll": nll, "events": mask.sum()}

    def log_density(
        self,
        params: Params,
        z: Float[Array, "b u z"],
        label: Int[Array, " b"] | None = None,
        rng: Key | None = None,
    ) -> Float[Array, "b u"]:
        """Returns the log-density of each position given those before it, in nats.

        It is the density along the axes, in the unit of the latents.

        Args:
          label: the index of each row's style, or len(styles) for none, the default.
          rng: the key of dropout, which is off without it.
        """
        if self.styles and label is None:
            label = latent_sequence.style_labels(self.styles, None, len(z))
        x = latent_sequence.to_axes(params, z)
        mixture = self.net.apply({"params": params["net"]}, x, label, rng)
        return mixture.log_prob(x) - latent_sequence.log_volume(params)

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Float[Array, "n u z"] | None = None,
        known_mask: Bool[Array, "n u"] | None = None,
        style: Array | None = None,
    ) -> Float[Array, "n u z"]:
        """Draws latents of pieces, in the autoencoder's units, in one compiled loop.

        Args:
          rng: row i is a function of `rng`, i and the row's conditioning.
          known: latents that pieces begin with, which are returned unchanged.
          known_mask: True at known positions, which come first.
          style: the index of each row's style; by default none.

        Raises:
          UsageError: a known position after an unknown one (not under jit, where the
            mask is unknown), a bad style, or bad shapes.
        """
        x_known, known_mask = latent_sequence.known_on_axes(
            params, known, known_mask, shape=(n, self.parts, self.vae.latent)
        )
        label = latent_sequence.style_labels(self.styles, style, n)
        concrete = not isinstance(known_mask, jax.core.Tracer)
        if concrete and (np.diff(known_mask.astype(int)) > 0).any():
            raise UsageError(
                "known_mask has known latents after unknown ones, and this model "
                "continues a prefix: use a LatentDiffusion."
            )
        net, keys = {"params": params["net"]}, row_keys(rng, n)
        fold_in = jax.vmap(jax.random.fold_in, (0, None))

        def position(state: Any, inputs: tuple[Array, ...]) -> tuple[Any, Array]:
            caches, cursor, x = state
            u, x_known, is_known = inputs
            caches, mixture = self.net.apply(
                net, caches, cursor, before=x, label=label, method="step"
            )
            drawn = mixture.sample(fold_in(keys, u))
            x = jnp.where(is_known[:, None], x_known, drawn)
            return (caches, next_cursor(cursor, self.parts), x), x

        cache = empty_cache(n, self.heads, self.width, self.parts)
        begin = ((cache,) * self.layers, first_cursor(n), x_known[:, 0])
        positions = jnp.arange(self.parts)
        inputs = (positions, x_known.swapaxes(0, 1), known_mask.swapaxes(0, 1))
        _, x = jax.lax.scan(position, begin, inputs)
        z = latent_sequence.from_axes(params, x.swapaxes(0, 1))
        return z if known is None else jnp.where(known_mask[..., None], known, z)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Int[Array, " n"] | None = None,
        primer: Int[Array, " steps *k"] | None = None,
        free: Bool[Array, " length"] | None = None,
    ) -> Int[Array, "rows t *k"]:
        """Draws pieces, int32; see `zoo.nn.latent.latent_sequence.sample_pieces`.

        Raises:
          UsageError: `free`: the model continues a primer, and fills no gaps.
        """
        if free is not None:
            raise UsageError(
                "LatentMDN continues primers: leave free out, or use a LatentDiffusion."
            )
        return latent_sequence.sample_pieces(
            self,
            params,
            rng,
            n,
            length=length,
            draw=draw,
            style=style,
            primer=primer,
        )


TINY = LatentMDN(
    vae=MusicVAE(vocab=8, bars=1, steps=4, latent=3, encoder=(4,), decoder=(4,)),
    parts=4,
    axes=2,
    width=8,
    layers=1,
    heads=2,
    mixtures=2,
    styles=("jig", "reel"),
    style_dropout=0.3,
)
