"""A classifier of tokens or latents by style (Engel et al. 2018, arXiv:1711.05772).

J. Engel, M. Hoffman, A. Roberts: Latent constraints: learning to generate conditionally
from unconditional generative models. A classifier of latents conditions a variational
autoencoder that was trained without labels: `move_to_style` moves a latent to one of a
style, not further than needed. A classifier of tokens evaluates what a model generates.

Axes: b row, t token, z latent, y style, h width.

Deviations. The paper trains an actor that outputs the new latent, against a classifier
of several layers; here gradient descent follows the classifier.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from zoo.core import Array, Batch, Float, Int, Key, Metrics, Num, Objective, Params
from zoo.errors import UsageError
from zoo.nn.latent.hierarchical_lstm import bidirectional, one_hot_inputs
from zoo.nn.masked import masked_mean
from zoo.nn.rng import row_keys
from zoo.ranges import Count, DropoutRate, Length, Range, Vocab, Width, checked

LEARNING_RATE = 0.05  # of Adam, which moves latents
SHARPNESS = 4.0  # of the smooth maximum over time


class DilatedConvolutions(nn.Module):
    """Residual convolutions of three patches of steps, with several dilations.

    A convolution is a matrix product of shifted copies, so that `vmap` over parameters
    is a product of batches of matrices.

    Attributes:
      vocab: of the tokens; token 0 is nothing.
      width: of all layers.
      patch: steps that are read as one.
      dilations: of each layer, in patches.
    """

    vocab: int
    width: int
    patch: int
    _: dataclasses.KW_ONLY
    dilations: tuple[int, ...]

    @nn.compact
    def __call__(self, tokens: Int[Array, "b t k"]) -> Float[Array, "b _"]:
        """Returns the means and the smooth maxima over time of the last layer."""
        hot = jax.nn.one_hot(tokens - 1, self.vocab - 1).sum(axis=2)
        x = nn.Dense(self.width)(hot)
        x = nn.Dense(self.width)(
            nn.gelu(x).reshape(len(x), -1, self.patch * self.width)
        )
        for dilation in self.dilations:
            y = jnp.pad(nn.LayerNorm()(x), [(0, 0), (dilation, dilation), (0, 0)])
            shifts = (y[:, i * dilation :][:, : x.shape[1]] for i in range(3))
            x += nn.gelu(nn.Dense(self.width)(jnp.concatenate([*shifts], axis=-1)))
        x = nn.LayerNorm()(x)
        # the gradient of a maximum is not finite where rounding finds it twice
        peak = (nn.softmax(SHARPNESS * x, axis=1) * x).sum(axis=1)
        return jnp.concatenate([x.mean(axis=1), peak], axis=-1)


class Net(nn.Module):
    """A feed-forward classifier of latents, or of what reads the tokens.

    Tokens are read by a bidirectional LSTM or by `DilatedConvolutions`.

    Attributes:
      styles: the number of classes.
      vocab: of the tokens; None to classify latents.
      width: of all layers.
      layers: hidden layers.
      dropout: share of the units dropped in training.
      patch: steps that convolutions read as one.
      dilations: of the convolutions; none for the LSTM.
    """

    styles: int
    vocab: int | None
    width: int
    _: dataclasses.KW_ONLY
    layers: int
    dropout: float
    patch: int
    dilations: tuple[int, ...]

    @nn.compact
    def __call__(
        self, x: Num[Array, "b ..."], deterministic: bool = True
    ) -> tuple[Float[Array, "b y"], Float[Array, "b _"]]:
        """Returns log p(y|x) of tokens [b, t], [b, t, k] or latents [b, z], and the
        last hidden layer."""
        if self.vocab is not None and self.dilations:
            read = DilatedConvolutions(
                self.vocab, self.width, self.patch, dilations=self.dilations
            )
            x = read(x.reshape(*x.shape[:2], -1))
        elif self.vocab is not None:
            tokens = x.T[..., None]
            x = bidirectional(
                one_hot_inputs(tokens, self.vocab),
                one_hot_inputs(tokens[::-1], self.vocab),
                (self.width,),
            )
        for _ in range(self.layers):
            x = nn.Dropout(self.dropout)(x, deterministic=deterministic)
            x = nn.gelu(nn.Dense(self.width)(x))
        y = nn.Dropout(self.dropout)(x, deterministic=deterministic)
        return jax.nn.log_softmax(nn.Dense(self.styles)(y).astype(jnp.float32)), x


@dataclasses.dataclass(frozen=True)
@checked
class LatentClassifier:
    """A classifier of tokens or latents.

    Raises:
      UsageError: fewer than two styles.
    """

    styles: tuple[str, ...]
    """Names of the classes."""
    vocab: Vocab | None = 64
    """Number of tokens, BOUNDARY included; None to classify latents."""
    length: Length = 32
    """Tokens in an example."""
    _: dataclasses.KW_ONLY
    latent: Width = 256
    """Number of latents, where latents are classified."""
    width: Width = 128
    """Width of the LSTM, in each direction, and of the hidden layers."""
    layers: Annotated[int, Range(0, 128)] = 1
    """Hidden layers."""
    dropout: DropoutRate = 0.3
    """Share of the units dropped in training."""
    patch: Count = 4
    """Steps that convolutions read as one."""
    dilations: tuple[Count, ...] = ()
    """Dilations of convolutions, in patches, which read the tokens; () for an LSTM."""

    def __post_init__(self) -> None:
        if len(self.styles) < 2:
            raise UsageError(f"styles is {self.styles}: name two or more to classify.")
        if self.dilations and self.length % self.patch:
            raise UsageError(
                f"patch is {self.patch} and length {self.length}: choose a patch that "
                "divides the length."
            )

    @property
    def net(self) -> Net:
        """The network."""
        return Net(
            len(self.styles),
            self.vocab,
            self.width,
            layers=self.layers,
            dropout=self.dropout,
            patch=self.patch,
            dilations=self.dilations,
        )

    def example(self, n: int) -> Batch:
        style = jnp.arange(n) % len(self.styles)
        if self.vocab is None:
            z = jnp.sin(jnp.arange(n * self.latent, dtype=jnp.float32))
            z = z.reshape(n, self.latent)
            return {"style": style, "latents": z, "mask": jnp.ones((n, 1), bool)}
        count = jnp.arange(n * self.length).reshape(n, self.length)
        tokens = 1 + count % (self.vocab - 1)
        return {"style": style, "tokens": tokens, "mask": jnp.ones(tokens.shape, bool)}

    def inputs(self, batch: Batch) -> Array:
        """Returns the tokens or the latents of a batch."""
        return batch["latents" if self.vocab is None else "tokens"]

    def init(self, rng: Key, batch: Batch) -> Params:
        return {"net": self.net.init(rng, self.inputs(batch)[:1])["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        return {"entropy": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the cross-entropy in nats, the mean over rows in the mask."""
        dropout_rng = None if step is None else rng
        y = batch["style"]
        log_p = self.predict(params, self.inputs(batch), dropout_rng)
        hits = log_p.argmax(axis=-1) == y
        in_mask = batch["mask"].any(axis=1)
        rows = in_mask.sum()

        def mean(x: Array) -> Array:
            return masked_mean(x, in_mask)

        nll = mean(-jnp.take_along_axis(log_p, y[:, None], axis=1)[:, 0])
        return nll, {"nll": nll, "accuracy": mean(hits), "events": rows}

    def predict(
        self, params: Params, x: Num[Array, "b ..."], rng: Key | None = None
    ) -> Float[Array, "b y"]:
        """Returns log p(y|x); with an `rng`, under dropout."""
        return self.net.apply(
            {"params": params["net"]},
            x,
            deterministic=rng is None,
            rngs={} if rng is None else {"dropout": rng},
        )[0]

    def features(self, params: Params, x: Num[Array, "b ..."]) -> Float[Array, "b _"]:
        """Returns the last hidden layer, of which the classes are a linear function."""
        return self.net.apply({"params": params["net"]}, x)[1]

    def sample(
        self, params: Params, rng: Key, n: int, *, batch: Batch
    ) -> Int[Array, " b"]:
        """Draws a style for each row of a batch from p(y|x)."""
        log_p = self.predict(params, self.inputs(batch))
        return jax.vmap(jax.random.categorical)(row_keys(rng, n), log_p)

    def move_to_style(
        self,
        params: Params,
        z: Float[Array, "b z"],
        style: Int[Array, " b"],
        *,
        distance_weight: float = 1.0,
        steps: int = 64,
    ) -> Float[Array, "b z"]:
        """Moves latents to those of a style (eq. 4).

        Minimises -log p(y|z') + distance_weight |z' - z|^2 / 2 over z' by Adam.
        """

        def cost(moved: Array) -> Array:
            log_p = self.predict(params, moved)
            log_p = jnp.take_along_axis(log_p, style[:, None], axis=1)
            return 0.5 * distance_weight * ((moved - z) ** 2).sum() - log_p.sum()

        adam = optax.adam(LEARNING_RATE)

        def step(state: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
            moved, adam_state = state
            update, adam_state = adam.update(jax.grad(cost)(moved), adam_state)
            return (moved + update, adam_state), None

        (moved, _), _ = jax.lax.scan(step, (z, adam.init(z)), length=steps)
        return moved


TINY = LatentClassifier(("jig", "reel"), vocab=8, length=6, width=5)
