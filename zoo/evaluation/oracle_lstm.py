"""An LSTM with known weights, as an oracle for models of sequences.

The synthetic test of Yu et al. 2017 (arXiv:1609.05473, section 5). NLL_oracle, the mean
negative log-likelihood of generated sequences under the oracle, measures their quality.
The share of distinct n-grams and the entropy of tokens, beside the oracle's own,
measure their diversity. Axes: n sequence, t step, v vocabulary, h width.
"""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import BOUNDARY, Array, Key
from zoo.errors import UsageError
from zoo.nn.sequence.lstm import Carry, gate_activations, update_carry, zero_carry

GATES = "ifco"  # in the order of `update_carry`
ROWS_AT_ONCE = 500


class Oracle:
    """The oracle of a file of weights.

    The file has embedding [v, e]; W [e, h], U [h, h] and b [h] of the gates i, f, o and
    c; Wout [h, v] and bout [v].
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        joined = lambda name: jnp.concatenate(
            [weights[name + gate] for gate in GATES], axis=-1
        )
        self.w, self.u, self.b = joined("W"), joined("U"), joined("b")
        self.embedding = jnp.asarray(weights["embedding"])
        self.out, self.bias = jnp.asarray(weights["Wout"]), jnp.asarray(weights["bout"])

    @classmethod
    def read(cls, path: str | pathlib.Path) -> "Oracle":
        """Reads an oracle from an .npz file.

        Raises:
          UsageError: there is no such file.
        """
        if not pathlib.Path(path).is_file():
            raise UsageError(
                f"there is no oracle at {path}: give its weights, an .npz file."
            )
        with np.load(path) as file:
            return cls(dict(file))

    @property
    def vocab(self) -> int:
        """The size of the vocabulary."""
        return len(self.embedding)

    def step(self, carry: Carry, token: Array) -> tuple[Carry, Array]:
        """Returns the carry after tokens [n], and log-probabilities of the next [n,
        v]."""
        gates = self.embedding[token] @ self.w + carry.h @ self.u + self.b[None]
        carry = update_carry(carry, gate_activations(gates))
        return carry, jax.nn.log_softmax(carry.h @ self.out + self.bias[None])

    def start(self, n: int) -> tuple[Carry, Array]:
        """Returns the carry and the tokens before the first step."""
        return zero_carry(n, len(self.out)), jnp.full(n, BOUNDARY, jnp.int32)

    @functools.partial(jax.jit, static_argnums=(0, 2, 3))
    def sample(self, rng: Key, n: int, length: int = 20) -> Array:
        """Draws sequences int32 [n, length]."""

        def advance(state: Any, key: Key) -> tuple[Any, Array]:
            carry, log_p = self.step(*state)
            token = jax.random.categorical(key, log_p).astype(jnp.int32)
            return (carry, token), token

        keys = jax.random.split(rng, length)
        return jax.lax.scan(advance, self.start(n), keys)[1].T

    @functools.partial(jax.jit, static_argnums=0)
    def token_log_probs(self, tokens: Array) -> Array:
        """Returns the log-likelihood [n, t] of each token of sequences [n, t], in
        nats."""

        def advance(state: Any, token: Array) -> tuple[Any, Array]:
            carry, log_p = self.step(*state)
            chosen = jnp.take_along_axis(log_p, token[:, None], axis=1)[:, 0]
            return (carry, token), chosen

        return jax.lax.scan(advance, self.start(len(tokens)), tokens.T)[1].T

    def nll(self, tokens: Array) -> float:
        """Returns NLL_oracle of sequences [n, t], in nats per token."""
        parts = [
            self.token_log_probs(tokens[i : i + ROWS_AT_ONCE])
            for i in range(0, len(tokens), ROWS_AT_ONCE)
        ]
        return -float(jnp.concatenate(parts).mean())


def diversity(tokens: np.ndarray) -> dict[str, float]:
    """Returns the share of distinct 4-grams and the entropy of tokens in nats, of [n,
    t].

    Both depend on n: compare equally many sequences.
    """
    grams = np.lib.stride_tricks.sliding_window_view(tokens, 4, axis=1).reshape(-1, 4)
    share = np.unique(tokens, return_counts=True)[1] / tokens.size
    return {
        "distinct_4": len(np.unique(grams, axis=0)) / len(grams),
        "entropy": -float((share * np.log(share)).sum()),
    }
