"""A convolutional critic of sequences (Kim 2014, arXiv:1408.5882; Zhang & LeCun 2015).

Filters of several lengths slide over the embedded sequence; of each, the most that it makes of any
place is kept, whatever the place. A highway (Srivastava et al. 2015) and a weight for each filter
turn that into a verdict. Axes: b sequence, t step, k value of a row, f filter.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.conditioning import Projection

Filters = tuple[tuple[int, int], ...]  # (length, how many)


class TextCNN(nn.Module):
    """Values of each kind, and of the embedding; dropout is of the features."""

    sizes: tuple[int, ...]
    embed: int
    filters: Filters
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        rows: Array,
        style: Array | None = None,
        still: bool = True,
        soft: Sequence[Array] = (),
    ) -> tuple[Array, Array]:
        """Verdicts [b] on rows int [b, t, k] of styles [b, y], and the features [b, f] that they
        rest on; `still` turns dropout off. A gradient passes to `soft`, shares [b, t, v] of each of
        the k values, as if they and not the rows had been read."""
        tables = [
            nn.Embed(size, self.embed, name=f"table_{i}")
            for i, size in enumerate(self.sizes)
        ]
        x = sum(table(rows[..., i]) for i, table in enumerate(tables))
        for shares, table in zip(soft, tables, strict=bool(soft)):
            read = shares @ table.embedding
            x += read - jax.lax.stop_gradient(read)
        seen = []
        for size, count in self.filters:
            y = nn.Conv(
                count, (min(size, x.shape[1]),), padding="VALID", name=f"filters_{size}"
            )(x)
            seen.append(
                y.max(axis=1)
            )  # the rectifier rises, so it may follow the maximum
        f = jax.nn.relu(jnp.concatenate(seen, axis=-1))
        gate = jax.nn.sigmoid(nn.Dense(f.shape[-1], name="gate")(f))
        f = (
            gate * jax.nn.relu(nn.Dense(f.shape[-1], name="through")(f))
            + (1 - gate) * f
        )
        dropped = nn.Dropout(self.dropout)(f, deterministic=still)
        verdict = nn.Dense(1, name="verdict")(dropped)[:, 0]
        if style is not None:
            verdict += Projection(name="styles")(dropped, style)
        return verdict.astype(jnp.float32), f.astype(jnp.float32)
