"""Pieces as sequences of a MusicVAE's latents, one after the other (Mittal et al. 2021).

The baseline of arXiv:2103.16091, there TransformerMDN: a Transformer reads the latents of the
phrases so far, and says of the next one's how likely every value is, by a mixture of normal
distributions (Bishop 1994). Axes: b and n rows, u position (a phrase of the piece), z latent, c
principal axis of latents, m part of the mixture, t step, k voice, d width.

Deviations: normalisation comes first, positions are rotary, and latents are read along their
principal axes (`zoo.nn.latent.latent_sequence`). No standard deviation is below e^LEAST of their unit, so that no
density is without bound.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.models.music_vae import MusicVAE
from zoo.nn.dense import Dense, normalise
from zoo.nn.latent import latent_sequence
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys
from zoo.nn.sequence.attention import Block, Cache, Cursor, empty_cache, next_cursor
from zoo.nn.sequence.flash_attention import causal_mask
from zoo.nn.sequence.sampling import Draw

LEAST = -5.0


class Mixture(NamedTuple):
    """Weights as logits [.., m], and the normal distributions, [.., m, c] each."""

    logits: Array
    normals: Gaussian

    def log_prob(self, x: Array) -> Array:
        """The log-density [..] of x [.., c] in nats (Bishop 1994, eq. 22)."""
        each = self.normals.log_prob(x[..., None, :])
        return jax.nn.logsumexp(jax.nn.log_softmax(self.logits) + each, axis=-1)

    def sample(self, keys: Array) -> Array:
        """One value [n, c] of each of n mixtures, by its key [n]."""

        def one(key: Key, logits: Array, normals: Gaussian) -> Array:
            which, what = jax.random.split(key)
            i = jax.random.categorical(which, logits)
            return jax.tree.map(lambda x: x[i], normals).sample(what)

        return jax.vmap(one)(keys, *self)


class Net(nn.Module):
    axes: int
    parts: int
    width: int
    layers: int
    heads: int
    mixtures: int
    styles: int  # labels there are, "of no style" among them; 0 where none are read
    dropout: float

    def setup(self) -> None:
        scale = (2 * self.layers) ** -0.5
        block = (self.width, self.heads, self.parts, "rotary", self.dropout, scale)
        self.enter = Dense(self.width)
        self.begin = self.param("begin", nn.initializers.normal(1.0), (self.width,))
        self.blocks = [Block(*block) for _ in range(self.layers)]
        self.head = Dense(self.mixtures * (1 + 2 * self.axes))
        if self.styles:
            self.style = nn.Embed(self.styles, self.width)

    def read(self, before: Array, first: Array, style: Array | None) -> Array:
        """What was before each position [.., c], nothing where `first` [..]: [.., d].

        `style` int [..], or as many axes that broadcast to it.
        """
        begin = self.begin.reshape((1,) * first.ndim + (-1,))
        x = jnp.where(first[..., None], begin, self.enter(before))
        return x if style is None else x + self.style(style)

    def mixture(self, x: Array) -> Mixture:
        """What the top of the stack [.., d] says, in float32."""
        said = self.head(normalise(x)).astype(jnp.float32)
        logits, mean, log_std = jnp.split(
            said, (self.mixtures, self.mixtures * (1 + self.axes)), axis=-1
        )
        apart = lambda y: y.reshape(*y.shape[:-1], self.mixtures, self.axes)
        return Mixture(
            logits, Gaussian(apart(mean), LEAST + nn.softplus(apart(log_std) - LEAST))
        )

    def __call__(self, x: Array, style: Array | None, rng: Key | None) -> Mixture:
        """Of each position of x [b, u, c], given those before it; dropout is on where `rng` is."""
        first = jnp.broadcast_to(jnp.arange(x.shape[1]) == 0, x.shape[:2])
        before = jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        h = self.read(before, first, style if style is None else style[:, None])
        seen = causal_mask(first)
        for i, block in enumerate(self.blocks):
            h = block(h, seen, None if rng is None else jax.random.fold_in(rng, i))
        return self.mixture(h)

    def step(
        self,
        rings: tuple[Cache, ...],
        clock: Cursor,
        before: Array,
        style: Array | None,
    ) -> tuple[tuple[Cache, ...], Mixture]:
        """One position of n rows, after `before` [n, c]."""
        h, after = self.read(before, clock.age == 0, style), []
        for block, ring in zip(self.blocks, rings, strict=True):
            ring, h = block.step(h, ring, clock)
            after.append(ring)
        return tuple(after), self.mixture(h)


@dataclasses.dataclass(frozen=True)
class LatentMDN:
    """The autoencoder, `parts`: its phrases in a piece; sizes of the net, `mixtures` among them.

    `axes`: principal axes of the latents that are read and written.
    `styles`: their names, none where pieces have none; a share `drop` of rows is trained without.
    `dropout` is that of units.

    Raises:
      UsageError: a size below 1, a width that is no multiple of twice the heads, more axes than
        latents, an autoencoder of other styles, a rate outside [0, 1).
    """

    vae: MusicVAE = MusicVAE()
    parts: int = 32
    axes: int = 64
    width: int = 512
    layers: int = 6
    heads: int = 8
    mixtures: int = 16
    styles: tuple[str, ...] = ()
    drop: float = 0.1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        latent_sequence.check(self, "parts", "width", "layers", "heads", "mixtures")
        if not (0 <= self.drop < 1 and 0 <= self.dropout < 1):
            raise UsageError(
                f"drop is {self.drop} and dropout {self.dropout}: choose from 0 to below 1."
            )

    @property
    def length(self) -> int:
        """Steps of a piece."""
        return self.parts * self.vae.length

    @property
    def net(self) -> Net:
        labels = len(self.styles) + 1 if self.styles else 0
        sizes = (
            self.axes,
            self.parts,
            self.width,
            self.layers,
            self.heads,
            self.mixtures,
        )
        return Net(*sizes, labels, self.dropout)

    def example(self, n: int) -> Batch:
        return latent_sequence.example(self, n)

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two = jax.random.split(rng)
        style = latent_sequence.labels(self.styles, None, 1)
        net = self.net.init(one, jnp.zeros((1, self.parts, self.axes)), style, None)
        return {"net": net["params"], **latent_sequence.frozen(self, two)}

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """The mean negative log-density of the positions in the mask, in nats.

        Padding comes last in a row, where nothing attends to it.
        """
        one, two = jax.random.split(rng)
        style = latent_sequence.labels(
            self.styles, batch.get("style"), len(batch["mask"])
        )
        if step is None:
            log_p = self.log_density(params, batch["latents"], style)
        else:
            style = latent_sequence.dropped(self.styles, style, one, self.drop)
            log_p = self.log_density(
                params, batch["latents"], style, two if self.dropout else None
            )
        asked = batch["mask"]
        nll = -jnp.where(asked, log_p, 0.0).sum() / jnp.maximum(asked.sum(), 1)
        return nll, {"nll": nll, "events": asked.sum()}

    def log_density(
        self,
        params: Params,
        z: Array,
        style: Array | None = None,
        rng: Key | None = None,
    ) -> Array:
        """The log-density [b, u] in nats of each position of z [b, u, z], given those before it.

        It is that of what z is along the axes. `style` int [b]: places among `styles`, one past
        them for none. Dropout is on where `rng` is given.
        """
        if self.styles and style is None:
            style = latent_sequence.labels(self.styles, None, len(z))
        x = latent_sequence.standard(params, z)
        mixture = self.net.apply({"params": params["net"]}, x, style, rng)
        return mixture.log_prob(x) - latent_sequence.stretch(params)

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Array | None = None,
        given: Array | None = None,
        style: Array | None = None,
    ) -> Array:
        """Latents float32 [n, u, z] of pieces, in the autoencoder's units, in one compiled loop.

        Args:
          rng: row i is a function of `rng`, i and what it is given.
          known: [n, u, z], latents that pieces begin with.
          given: bool [n, u], how many; those are returned as they are.
          style: int [n], a place among `styles`; not given, of any.

        Raises:
          UsageError: what is given is not what comes first (of which a jitted function knows
            nothing), or what `zoo.nn.latent.latent_sequence.labels` and `pinned` raise.
        """
        fixed, where = latent_sequence.pinned(
            params, known, given, (n, self.parts, self.vae.latent)
        )
        label = latent_sequence.labels(self.styles, style, n)
        if (
            not isinstance(where, jax.core.Tracer)
            and (np.diff(where.astype(int)) > 0).any()
        ):
            raise UsageError(
                "latents are given after some that are not, and this model goes on from what comes "
                "first: give that alone, or fill gaps with a LatentDiffusion."
            )
        net, keys = {"params": params["net"]}, row_keys(rng, n)

        def position(
            now: tuple, inputs: tuple[Array, Array, Array]
        ) -> tuple[tuple, Array]:
            (rings, clock, x), (u, fixed, where) = now, inputs
            rings, mixture = self.net.apply(net, rings, clock, x, label, method="step")
            drawn = mixture.sample(jax.vmap(jax.random.fold_in, (0, None))(keys, u))
            x = jnp.where(where[:, None], fixed, drawn)
            return (rings, next_cursor(clock, self.parts), x), x

        none, ring = (
            jnp.zeros(n, jnp.int32),
            empty_cache(n, self.heads, self.width, self.parts),
        )
        begin = ((ring,) * self.layers, Cursor(none, none), fixed[:, 0])
        inputs = (jnp.arange(self.parts), fixed.swapaxes(0, 1), where.swapaxes(0, 1))
        _, x = jax.lax.scan(position, begin, inputs)
        z = latent_sequence.natural(params, x.swapaxes(0, 1))
        return z if known is None else jnp.where(where[..., None], known, z)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Array | None = None,
        primer: Array | None = None,
        free: Array | None = None,
    ) -> Array:
        """Pieces int32 [n, t] or [n, t, k]; see `zoo.nn.latent.latent_sequence.perform`.

        Raises:
          UsageError: something is `free`: it goes on, and fills no gaps.
        """
        if free is not None:
            raise UsageError(
                "LatentMDN goes on from what comes first: leave the span out, or fill gaps with a "
                "LatentDiffusion."
            )
        return latent_sequence.perform(
            self, params, rng, n, length, draw, style, primer
        )


TINY = LatentMDN(
    vae=MusicVAE(vocab=8, bars=1, steps=4, latent=3, encoder=(4,), decoder=(4,)),
    parts=4, axes=2, width=8, layers=1, heads=2, mixtures=2, styles=("jig", "reel"), drop=0.3,
)  # fmt: skip
