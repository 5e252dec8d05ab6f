"""What style, mode or metre music is of, read from its events or from its latents.

J. Engel, M. Hoffman, A. Roberts: Latent constraints: learning to generate conditionally from
unconditional generative models, arXiv:1711.05772. A classifier of latents is the conditioning that
a variational autoencoder was trained without: `toward` goes from a z to one of a style, no further
than it has to. Of events it is a judge of what a model writes. Axes: b row, t step, z latent, y
style, h width.

Deviations. The paper trains an actor that jumps there at once, against a classifier of several
layers; here the classifier's gradient is followed.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.latent.hierarchical_lstm import both_ways, spell
from zoo.nn.rng import row_keys


class Net(nn.Module):
    styles: int
    vocab: int
    width: int
    layers: int
    dropout: float

    @nn.compact
    def __call__(self, x: Array, still: bool = True) -> Array:
        """Tokens [b, t] or latents [b, z] -> log p(y|x), float32 [b, y]."""
        if self.vocab:
            x = x.T[..., None]
            ways = spell(x, self.vocab), spell(x[::-1], self.vocab)
            x = both_ways(ways, (self.width,), None, "")
        for _ in range(self.layers):
            x = nn.gelu(
                nn.Dense(self.width)(nn.Dropout(self.dropout)(x, deterministic=still))
            )
        x = nn.Dropout(self.dropout)(x, deterministic=still)
        return jax.nn.log_softmax(nn.Dense(self.styles)(x).astype(jnp.float32))


@dataclasses.dataclass(frozen=True)
class LatentClassifier:
    """Which of `styles`, whatever they are: of tokens below `vocab`, or of latents where that is 0.

    Tokens are read by a bidirectional LSTM of `width`, `length` of them in an example, and what it
    knows at the ends, or the `latent` numbers, by `layers` of `width`.

    Raises:
      UsageError: fewer than two styles.
    """

    styles: tuple[str, ...]
    vocab: int = 64
    length: int = 32
    latent: int = 256
    width: int = 128
    layers: int = 1
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if len(self.styles) < 2:
            raise UsageError(
                f"there is nothing to tell apart: the styles are {self.styles}; name two or more."
            )

    @property
    def net(self) -> Net:
        return Net(len(self.styles), self.vocab, self.width, self.layers, self.dropout)

    def example(self, n: int) -> Batch:
        batch = {"style": jnp.arange(n) % len(self.styles)}
        if not self.vocab:
            x = jnp.sin(jnp.arange(n * self.latent, dtype=jnp.float32)).reshape(
                n, self.latent
            )
            return batch | {"latents": x, "mask": jnp.ones((n, 1), bool)}
        tokens = 1 + jnp.arange(n * self.length).reshape(n, self.length) % (
            self.vocab - 1
        )
        return batch | {"tokens": tokens, "mask": jnp.ones(tokens.shape, bool)}

    def read(self, batch: Batch) -> Array:
        """What is classified."""
        return batch["tokens" if self.vocab else "latents"]

    def init(self, rng: Key, batch: Batch) -> Params:
        return {"net": self.net.init(rng, self.read(batch)[:1])["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        return {"entropy": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """The cross-entropy in nats, the mean over the rows in the mask."""
        log_p = self.predict(
            params, self.read(batch), rng if step is not None else None
        )
        hit = log_p.argmax(axis=-1) == batch["style"]
        counts = batch["mask"].any(axis=1)
        rows = counts.sum()
        mean = lambda x: (x * counts).sum() / jnp.maximum(rows, 1)
        nll = mean(-jnp.take_along_axis(log_p, batch["style"][:, None], axis=1)[:, 0])
        return nll, {"nll": nll, "accuracy": mean(hit), "events": rows}

    def predict(self, params: Params, x: Array, rng: Key | None = None) -> Array:
        """log p(y|x), float32 [b, y]; in training, with an `rng`, under dropout."""
        rngs = {} if rng is None else {"dropout": rng}
        return self.net.apply(
            {"params": params["net"]}, x, still=rng is None, rngs=rngs
        )

    def sample(self, params: Params, rng: Key, n: int, *, batch: Batch) -> Array:
        """Styles int32 [n] of the rows of a batch, drawn as probable as they are held."""
        keys = row_keys(rng, n)
        return jax.vmap(jax.random.categorical)(
            keys, self.predict(params, self.read(batch))
        )

    def toward(
        self, params: Params, z: Array, style: Array, stay: float = 1.0, steps: int = 64
    ) -> Array:
        """Latents [b, z] near `z` of the styles int [b]: eq. 4, `stay` charged for the distance.

        What is descended is -log p(y|z') + stay |z' - z|^2 / 2, by Adam's steps of 0.05.
        """

        def cost(moved: Array) -> Array:
            log_p = jnp.take_along_axis(
                self.predict(params, moved), style[:, None], axis=1
            )
            return 0.5 * stay * ((moved - z) ** 2).sum() - log_p.sum()

        adam = optax.adam(0.05)

        def step(now: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
            moved, state = now
            move, state = adam.update(jax.grad(cost)(moved), state)
            return (moved + move, state), None

        return jax.lax.scan(step, (z, adam.init(z)), length=steps)[0][0]


TINY = LatentClassifier(("jig", "reel"), vocab=8, length=6, width=5)
