"""Diffusion over the latents of phrases (Mittal et al. 2021, arXiv:2103.16091).

G. Mittal, J. Engel, C. Hawthorne, I. Simon: Symbolic music generation with diffusion
models. A pretrained MusicVAE encodes every phrase of a piece. A Transformer that
attends to all phrases learns to denoise their latents, and so to generate them from
noise, given any of them or none.

Axes: b and n row, u position (a phrase of the piece), z latent, c principal axis of the
latents, d width, t step, k voice.

Deviations, all of later practice. Noise levels are continuous, on the cosine schedule,
and the network predicts v (`zoo.nn.latent.diffusion`); the paper has 1,000 levels and
predicts the noise. A second-order solver takes 25 steps where the paper takes 1,000.
The Transformer is a DiT (Peebles & Xie 2023, arXiv:2212.09748), conditioned on level
and style by AdaLN-zero. Known latents are inputs, and the network is trained with them;
the paper replaces them, noised, at every step. Latents are projected onto their
principal axes (`zoo.nn.latent.latent_sequence`); the paper scales them to [-1, 1] and
drops those without influence.
"""

import dataclasses
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

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
from zoo.models.music_vae import MusicVAE
from zoo.nn.dense import Dense, normalise
from zoo.nn.latent import latent_sequence
from zoo.nn.latent.diffusion import (
    alpha_sigma,
    cosine_density,
    cosine_levels,
    dpm_solver,
    nll_bound,
    noise_solver,
    skip_factor,
    uniform_levels,
)
from zoo.nn.latent.dit_block import DiTBlock, zeros
from zoo.nn.masked import at_least_one
from zoo.nn.rng import normals, row_keys
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Count, DropoutRate, Heads, Layers, Parts, Weight, Width, checked

FREQUENCIES = 32  # of the embedding of a noise level
MIN_FREQUENCY, MAX_FREQUENCY = 1 / 16, 4.0  # radians per nat

INVERTIBLE_STEPS = 50  # of the solvers between latents and noise, in either direction


def level_embedding(level: Float[Array, " b"]) -> Float[Array, "b d"]:
    """Returns sines and cosines of a noise level at `FREQUENCIES` frequencies each."""
    frequency = jnp.geomspace(MIN_FREQUENCY, MAX_FREQUENCY, FREQUENCIES)
    angle = level[:, None] * frequency[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Denoiser(nn.Module):
    """A Transformer over the positions of a piece, conditioned on level and style.

    Attributes:
      axes: the number of inputs and outputs of a position.
      parts: positions of a piece.
      width: of the layers.
      layers: the number of blocks.
      heads: of the attention.
      labels: styles, and one for no style; 0 without styles.
    """

    axes: int
    parts: int
    width: int
    _: dataclasses.KW_ONLY
    layers: int
    heads: int
    labels: int

    @nn.compact
    def __call__(
        self,
        z_t: Float[Array, "b u c"],
        level: Float[Array, " b"],
        *,
        known: Float[Array, "b u c"],
        known_mask: Bool[Array, "b u"],
        mask: Bool[Array, "b u"],
        label: Int[Array, " b"] | None,
    ) -> Float[Array, "b u c"]:
        """Returns the prediction of v less its linear part, float32; initially 0.

        Args:
          z_t: noisy latents, ignored at known positions.
          level: the noise level, a log-SNR in nats.
          known: latents, ignored at unknown positions.
          known_mask: True at known positions.
          mask: False at padding.
          label: of the style; None for a model without styles.
        """
        is_known = known_mask[..., None]
        inputs = [
            jnp.where(is_known, 0, z_t),
            jnp.where(is_known, known, 0),
            is_known.astype(z_t.dtype),
        ]
        init = nn.initializers.normal(0.02)
        position = self.param("place", init, (self.parts, self.width), jnp.float32)
        x = Dense(self.width, name="enter")(jnp.concatenate(inputs, axis=-1))
        x = x + position[None, : x.shape[1]]
        h = Dense(self.width, name="level_in")(level_embedding(level))
        h = Dense(self.width, name="level_out")(nn.silu(h))
        if label is not None:
            h = h + nn.Embed(self.labels, self.width, name="style")(label)
        h = nn.silu(h)
        for i in range(self.layers):
            x = DiTBlock(self.width, self.heads, name=f"block_{i}")(x, h, mask)
        adaln = Dense(2 * self.width, kernel_init=zeros, name="told")(h)
        shift, scale = jnp.split(adaln, 2, axis=-1)
        y = normalise(x) * (1 + scale[:, None]) + shift[:, None]
        return Dense(self.axes, kernel_init=zeros, name="head")(y).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
@checked
class LatentDiffusion:
    """A diffusion model of the latents of a piece.

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
    styles: tuple[str, ...] = ()
    """Names of the styles; empty to train without."""
    solver_steps: Count = 25
    """Steps of the solver, to sample."""
    guidance: Weight = 1.0
    """Scale of classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): 1
    samples the model's own distribution, and more exaggerates the style."""
    style_dropout: DropoutRate = 0.1
    """Share of the rows that are trained without their style."""

    def __post_init__(self) -> None:
        latent_sequence.validate(self, width=self.width, heads=self.heads)

    @property
    def length(self) -> int:
        """The steps of a piece."""
        return self.parts * self.vae.length

    @property
    def net(self) -> Denoiser:
        """The denoiser network."""
        return Denoiser(
            self.axes,
            self.parts,
            self.width,
            layers=self.layers,
            heads=self.heads,
            labels=len(self.styles) + 1 if self.styles else 0,
        )

    def example(self, n: int) -> Batch:
        return latent_sequence.example(self, n)

    def init(self, rng: Key, batch: Batch) -> Params:
        net_rng, vae_rng = jax.random.split(rng)
        x, mask = jnp.zeros((1, self.parts, self.axes), jnp.float32), batch["mask"][:1]
        label = latent_sequence.style_labels(self.styles, None, 1)
        net = self.net.init(
            net_rng,
            x,
            jnp.zeros(1, jnp.float32),
            known=x,
            known_mask=mask,
            mask=mask,
            label=label,
        )
        return {"net": net["params"], **latent_sequence.init_frozen(self, vae_rng)}

    def objectives(self) -> Mapping[str, Objective]:
        return {"denoise": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean |v - v'|^2 over levels, axes and unknown positions.

        In training some positions are known, see `random_known`; in evaluation none is.
        The metric `nll` is an upper bound in expectation on -log p of a position's
        latents given the known ones, in nats.
        """
        level_rng, known_rng, style_rng, eps_rng = jax.random.split(rng, 4)
        x, mask = latent_sequence.to_axes(params, batch["latents"]), batch["mask"]
        b, _, c = x.shape
        label = latent_sequence.style_labels(self.styles, batch.get("style"), b)
        known_mask = jnp.zeros_like(mask)
        if step is None:
            level, density = uniform_levels(level_rng, b)
        else:
            level, density = cosine_levels(level_rng, b)
            known_mask = random_known(known_rng, mask)
            label = latent_sequence.drop_styles(
                self.styles, label, rng=style_rng, rate=self.style_dropout
            )

        # 1. FORWARD PROCESS z_t = alpha x + sigma eps (Kingma et al. 2021, eq. 1)
        eps = jax.random.normal(eps_rng, x.shape, jnp.float32)
        alpha, sigma = (factor[:, None, None] for factor in alpha_sigma(level))
        z_t = alpha * x + sigma * eps

        # 2. DENOISING LOSS |v - v'|^2, v = alpha eps - sigma x (Salimans & Ho 2022,
        # app. D)
        v_hat = self.velocity(
            params,
            z_t,
            level,
            known=x,
            known_mask=known_mask,
            mask=mask,
            label=label,
        )
        squared_error = jnp.square(v_hat - (alpha * eps - sigma * x)).sum(axis=-1)
        unknown = mask & ~known_mask

        def mean(x: Array) -> Array:
            total = jnp.where(unknown, x, 0.0).sum()
            return total / at_least_one(unknown.sum())

        weight = (cosine_density(level) / density)[:, None]
        loss = mean(weight * squared_error) / c

        # 3. BOUND on -log p(x) (Kingma et al. 2021, eq. 11), with a control variate:
        # alpha^2 (|eps|^2 - c), of mean 0, makes most of the variance
        control = alpha[..., 0] ** 2 * (jnp.square(eps).sum(axis=-1) - c)
        bound = nll_bound(squared_error - control, x, level[:, None], density[:, None])
        nll = mean(bound)
        written = (unknown.sum() > 0).astype(jnp.float32)
        nll += latent_sequence.log_volume(params) * written
        return loss, {"nll": nll, "events": unknown.sum()}

    def velocity(
        self,
        params: Params,
        z_t: Float[Array, "b u c"],
        level: Float[Array, " b"],
        *,
        known: Float[Array, "b u c"],
        known_mask: Bool[Array, "b u"],
        mask: Bool[Array, "b u"],
        label: Int[Array, " b"] | None,
    ) -> Float[Array, "b u c"]:
        """Returns the prediction of v, float32; arguments as those of `Denoiser`.

        The network adds to the prediction that is best for independent normal axes, so
        that it need not learn their variances, which differ 100-fold.
        """
        residual = self.net.apply(
            {"params": params["net"]},
            z_t,
            level,
            known=known,
            known_mask=known_mask,
            mask=mask,
            label=label,
        )
        variance = params["norm"]["variance"].reshape(1, 1, -1)
        return skip_factor(level[:, None, None], variance) * z_t + residual

    def latents(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        known: Float[Array, "n u z"] | None = None,
        known_mask: Bool[Array, "n u"] | None = None,
        style: Array | None = None,
        steps: int | None = None,
    ) -> Float[Array, "n u z"]:
        """Draws latents of pieces, in the autoencoder's units.

        Args:
          rng: row i is a function of `rng`, i and the row's conditioning.
          known: latents that pieces have, which are returned unchanged.
          known_mask: True at known positions.
          style: the index of each row's style; by default none.
          steps: calls of the network, twice as many under guidance; by default those of
            the model.

        Raises:
          UsageError: `steps` below 1, a bad style, or bad shapes.
        """
        x_known, known_mask = latent_sequence.known_on_axes(
            params, known, known_mask, shape=(n, self.parts, self.vae.latent)
        )
        denoise = self.denoiser(params, x_known, known_mask, style)
        shape = x_known.shape[1:]
        noise = normals(row_keys(rng, n), shape)
        x = dpm_solver(denoise, noise, self.solver_steps if steps is None else steps)
        z = latent_sequence.from_axes(params, x)
        return z if known is None else jnp.where(known_mask[..., None], known, z)

    def from_noise(
        self, params: Params, noise: Float[Array, "n u c"]
    ) -> Float[Array, "n u z"]:
        """Maps noise to latents of pieces by the diffusion ODE; see `to_noise`."""
        x = dpm_solver(self.denoiser(params, noise), noise, INVERTIBLE_STEPS)
        return latent_sequence.from_axes(params, x)

    def to_noise(
        self, params: Params, z: Float[Array, "n u z"]
    ) -> Float[Array, "n u c"]:
        """Maps latents of pieces to noise: the inverse of `from_noise`.

        Where the model fits the data, their noise is standard normal (Song et al. 2021,
        arXiv:2011.13456, section 4.3).
        """
        x = latent_sequence.to_axes(params, z)
        return noise_solver(self.denoiser(params, x), x, INVERTIBLE_STEPS)

    def denoiser(
        self,
        params: Params,
        known: Float[Array, "n u c"],
        known_mask: Bool[Array, "n u"] | None = None,
        style: Array | None = None,
    ) -> Callable[[Array, Array], Array]:
        """Returns `(z_t, level) -> E[x | z_t]`, guided if rows have a style.

        Args:
          known: latents that pieces have, along the axes.
          known_mask: True at known positions; by default there is none.
          style: the index of each row's style; by default none.
        """
        n = len(known)
        if known_mask is None:
            known_mask = jnp.zeros(known.shape[:2], bool)
        label = latent_sequence.style_labels(self.styles, style, n)
        no_style = latent_sequence.style_labels(self.styles, None, n)

        def velocity(z_t: Array, level: Array, label: Array | None) -> Array:
            return self.velocity(
                params,
                z_t,
                jnp.full(n, level),
                known=known,
                known_mask=known_mask,
                mask=jnp.ones_like(known_mask),
                label=label,
            )

        def denoise(z_t: Array, level: Array) -> Array:
            v = velocity(z_t, level, label)
            if style is not None and self.guidance != 1:
                unconditional = velocity(z_t, level, no_style)
                v = unconditional + self.guidance * (v - unconditional)
            alpha, sigma = alpha_sigma(level)
            return alpha * z_t - sigma * v

        return denoise

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
        """Draws pieces, int32; see `zoo.nn.latent.latent_sequence.sample_pieces`."""
        return latent_sequence.sample_pieces(
            self,
            params,
            rng,
            n,
            length=length,
            draw=draw,
            style=style,
            primer=primer,
            free=free,
        )


def random_known(rng: Key, mask: Bool[Array, "b u"]) -> Bool[Array, "b u"]:
    """Draws the positions of the mask that are known in training.

    In half of the rows none is; in a quarter the first few are; in a quarter all but a
    span. At least one position is unknown, and every number of them is equally likely.
    """
    kind, share, offset = jax.random.uniform(rng, (3, len(mask), 1), jnp.float32)
    size, index = mask.sum(axis=1, keepdims=True), jnp.cumsum(mask, axis=1) - 1
    size, index = size.astype(jnp.float32), index.astype(jnp.float32)
    span = 1 + jnp.floor(share * size)
    inside = jnp.floor(offset * (size - span + 1))
    begin = jnp.where(kind < 0.75, size - span, inside)
    unknown = (kind < 0.5) | ((index >= begin) & (index < begin + span))
    return mask & ~unknown


TINY = LatentDiffusion(
    vae=MusicVAE(vocab=8, bars=1, steps=4, latent=3, encoder=(4,), decoder=(4,)),
    parts=4,
    axes=2,
    width=8,
    layers=1,
    heads=2,
    styles=("jig", "reel"),
    solver_steps=3,
    guidance=1.5,
    style_dropout=0.3,
)
