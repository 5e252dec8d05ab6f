"""Pieces as sequences of a MusicVAE's latents, by diffusion (Mittal et al. 2021).

G. Mittal, J. Engel, C. Hawthorne, I. Simon: Symbolic music generation with diffusion models,
arXiv:2103.16091. A MusicVAE, trained before and moved no more, tells every phrase of a piece by
its latents; a Transformer that sees all of them at once learns to clear them of noise, and so to
make them from noise alone. Any of them may be given: what is before, what is around, nothing. Axes:
b and n rows, u position (a phrase of the piece), z latent, c principal axis of latents, t step, k
voice.

Deviations, all towards later practice. Noise is continuous in level, on the cosine schedule, and v
is predicted (`zoo.nn.latent.diffusion`), where the paper has 1,000 levels and predicts the noise; a solver
of second order takes 25 steps for its 1,000. The net is told of noise and style by AdaLN-zero.
Given latents are read as such, and the net is trained to; the paper puts them back, noised, at
every step. Latents are read along their principal axes (`zoo.nn.latent.latent_sequence`); the paper scales them
into [-1, 1], and drops those that say nothing.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.models.music_vae import MusicVAE
from zoo.nn.latent import latent_sequence
from zoo.nn.latent.diffusion import bound, cosine, density, even, linear, mix, solve
from zoo.nn.latent.dit import Denoiser
from zoo.nn.rng import row_keys
from zoo.nn.sequence.sampling import Draw


@dataclasses.dataclass(frozen=True)
class LatentDiffusion:
    """The autoencoder, `parts`: its phrases in a piece; sizes of the net; how it is sampled.

    `axes`: principal axes of the latents that are read and written.
    `styles`: their names, none where pieces have none; a share `drop` of rows is trained without.
    `steps` of the solver; `guidance`: how far samples are driven towards what a style alone makes
    likely (Ho & Salimans 2022, arXiv:2207.12598): 1 leaves the model's own distribution, more than
    1 exaggerates.

    Raises:
      UsageError: a size below 1, a width that is no multiple of twice the heads, more axes than
        latents, an autoencoder of other styles, a `drop` outside [0, 1).
    """

    vae: MusicVAE = MusicVAE()
    parts: int = 32
    axes: int = 64
    width: int = 512
    layers: int = 6
    heads: int = 8
    styles: tuple[str, ...] = ()
    steps: int = 25
    guidance: float = 1.0
    drop: float = 0.1

    def __post_init__(self) -> None:
        latent_sequence.check(self, "parts", "width", "layers", "heads", "steps")
        if not 0 <= self.drop < 1:
            raise UsageError(f"drop is {self.drop}: choose from 0 to below 1.")

    @property
    def length(self) -> int:
        """Steps of a piece."""
        return self.parts * self.vae.length

    @property
    def net(self) -> Denoiser:
        labels = len(self.styles) + 1 if self.styles else 0
        return Denoiser(
            self.axes, self.parts, self.width, self.layers, self.heads, labels
        )

    def example(self, n: int) -> Batch:
        return latent_sequence.example(self, n)

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two = jax.random.split(rng)
        x, there = jnp.zeros((1, self.parts, self.axes)), batch["mask"][:1]
        style = latent_sequence.labels(self.styles, None, 1)
        net = self.net.init(one, x, jnp.zeros(1), x, there, there, style)
        return {"net": net["params"], **latent_sequence.frozen(self, two)}

    def objectives(self) -> Mapping[str, Objective]:
        return {"denoise": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """The mean of (v - v')^2 over levels of the cosine schedule, axes, and the unknown.

        In training some positions are given, see `reveal`; evaluated, none is. "nll" is an upper
        bound, on average, on -log p of a position's latents given those given, in nats.
        """
        keys = jax.random.split(rng, 4)
        x, there = latent_sequence.standard(params, batch["latents"]), batch["mask"]
        style = latent_sequence.labels(self.styles, batch.get("style"), len(x))
        given = jnp.zeros_like(there)
        level, chance = (
            even(keys[0], len(x)) if step is None else cosine(keys[0], len(x))
        )
        if step is not None:
            given = reveal(keys[1], there)
            style = latent_sequence.dropped(self.styles, style, keys[2], self.drop)
        noise = jax.random.normal(keys[3], x.shape)
        a, s = (c[:, None, None] for c in mix(level))
        v = self.velocity(params, a * x + s * noise, level, x, given, there, style)
        square = jnp.square(v - (a * noise - s * x)).sum(axis=-1)
        asked = there & ~given
        mean = lambda each: (
            jnp.where(asked, each, 0.0).sum() / jnp.maximum(asked.sum(), 1)
        )
        loss = mean((density(level) / chance)[:, None] * square) / x.shape[-1]
        # the noise's own share of the error, which has a known mean, makes most of its variance
        luck = a[..., 0] ** 2 * (jnp.square(noise).sum(axis=-1) - x.shape[-1])
        nll = mean(bound(square - luck, x, level[:, None], chance[:, None]))
        nll += latent_sequence.stretch(params) * (asked.sum() > 0)
        return loss, {"nll": nll, "events": asked.sum()}

    def velocity(
        self,
        params: Params,
        noisy: Array,
        level: Array,
        known: Array,
        given: Array,
        there: Array,
        style: Array | None,
    ) -> Array:
        """What v is taken to be, float32 [b, u, c], of latents on their axes at `level` [b].

        The net adds to what would be best, were they normal and independent: `linear`. So the
        variance along each axis, 100-fold from one to another, need not be learned.
        """
        net = {"params": params["net"]}
        more = self.net.apply(net, noisy, level, known, given, there, style)
        variance = params["norm"]["variance"].reshape(1, 1, -1)
        return linear(level[:, None, None], variance) * noisy + more

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Array | None = None,
        given: Array | None = None,
        style: Array | None = None,
        steps: int | None = None,
    ) -> Array:
        """Latents float32 [n, u, z] of pieces, in the autoencoder's units.

        Args:
          rng: row i is a function of `rng`, i and what it is given.
          known: [n, u, z], latents that pieces have.
          given: bool [n, u], where; those are returned as they are.
          style: int [n], a place among `styles`; not given, of any.
          steps: calls of the net; twice as many under guidance.

        Raises:
          UsageError: `steps` below 1, or what `zoo.nn.latent.latent_sequence.labels` and `pinned` raise.
        """
        fixed, where = latent_sequence.pinned(
            params, known, given, (n, self.parts, self.vae.latent)
        )
        there, plain = (
            jnp.ones_like(where),
            latent_sequence.labels(self.styles, None, n),
        )
        asked = latent_sequence.labels(self.styles, style, n)

        def denoise(y: Array, level: Array) -> Array:
            a, s = mix(level)
            ask = lambda style: self.velocity(
                params, y, jnp.full(n, level), fixed, where, there, style
            )
            v = ask(asked)
            if style is not None and self.guidance != 1:
                free = ask(plain)
                v = free + self.guidance * (v - free)
            return a * y - s * v

        keys = row_keys(rng, n)
        noise = jax.vmap(lambda key: jax.random.normal(key, fixed.shape[1:]))(keys)
        z = latent_sequence.natural(
            params, solve(denoise, noise, self.steps if steps is None else steps)
        )
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
        """Pieces int32 [n, t] or [n, t, k]; see `zoo.nn.latent.latent_sequence.perform`."""
        return latent_sequence.perform(
            self, params, rng, n, length, draw, style, primer, free
        )


def reveal(rng: Key, there: Array) -> Array:
    """Which positions of rows are given in training, bool [b, u], of those that are `there`.

    In half of the rows none; in a quarter the first few; in a quarter all but a span. At least one
    is not, and every number of them is as likely as another.
    """
    kind, much, where = jax.random.uniform(rng, (3, len(there), 1))
    size, at = there.sum(axis=1, keepdims=True), jnp.cumsum(there, axis=1) - 1
    span = 1 + jnp.floor(much * size)
    begin = jnp.where(kind < 0.75, size - span, jnp.floor(where * (size - span + 1)))
    unknown = (kind < 0.5) | ((at >= begin) & (at < begin + span))
    return there & ~unknown


TINY = LatentDiffusion(
    vae=MusicVAE(vocab=8, bars=1, steps=4, latent=3, encoder=(4,), decoder=(4,)),
    parts=4, axes=2, width=8, layers=1, heads=2, styles=("jig", "reel"), steps=3, guidance=1.5,
    drop=0.3,
)  # fmt: skip
