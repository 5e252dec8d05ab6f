"""A convolutional critic of sequences (Kim 2014, arXiv:1408.5882; Zhang & LeCun 2015).

Filters of several lengths run over the embedded sequence, and the maximum of each over
time is kept. A highway layer (Srivastava et al. 2015) and a linear layer map these
features to a verdict. Axes: b sequence, t step, k attribute of a step, v value, f
filter, y style.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int
from zoo.nn.conditioning import Projection
from zoo.ranges import Length, Width

Filters = tuple[tuple[Length, Width], ...]  # (length in steps, number of filters)


class TextCNN(nn.Module):
    """A convolutional network over sequences of discrete attributes.

    Attributes:
      sizes: the number of values of each attribute.
      embed: width of the embeddings.
      filters: lengths in steps, and the number of filters of each length.
      dropout: share of the features dropped in training.
    """

    sizes: tuple[int, ...]
    embed: int
    filters: Filters
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        rows: Int[Array, "b t k"],
        style: Float[Array, "b y"] | None = None,
        deterministic: bool = True,
        soft: Sequence[Array] = (),
    ) -> tuple[Float[Array, " b"], Float[Array, "b f"]]:
        """Returns the verdicts on sequences, and the features that they depend on.

        Args:
          rows: the sequences.
          style: the weight of each style, for a class-conditional verdict.
          deterministic: turns dropout off.
          soft: relaxed one-hot values [b, t, v] of each attribute. They take the
            gradient; the value of the output depends on `rows` alone.
        """
        tables = [
            nn.Embed(size, self.embed, name=f"table_{i}")
            for i, size in enumerate(self.sizes)
        ]
        x = sum(table(rows[..., i]) for i, table in enumerate(tables))
        for weights, table in zip(soft, tables, strict=bool(soft)):
            relaxed = weights @ table.embedding
            x += relaxed - jax.lax.stop_gradient(relaxed)
        pooled = []
        for size, count in self.filters:
            length = min(size, x.shape[1])
            conv = nn.Conv(count, (length,), padding="VALID", name=f"filters_{size}")
            pooled.append(conv(x).max(axis=1))
        # the rectifier is monotonic, so it may follow the maximum
        f = jax.nn.relu(jnp.concatenate(pooled, axis=-1))
        gate = jax.nn.sigmoid(nn.Dense(f.shape[-1], name="gate")(f))
        through = jax.nn.relu(nn.Dense(f.shape[-1], name="through")(f))
        f = gate * through + (1 - gate) * f
        dropped = nn.Dropout(self.dropout)(f, deterministic=deterministic)
        verdict = nn.Dense(1, name="verdict")(dropped)[:, 0]
        if style is not None:
            verdict += Projection(name="styles")(dropped, style)
        return verdict.astype(jnp.float32), f.astype(jnp.float32)
