"""An LSTM with known weights, whose sequences are learned and which judges what was learned.

The synthetic test of Yu et al. 2017 (arXiv:1609.05473, section 5): the mean negative log-likelihood
of generated sequences under the oracle, NLL_oracle, is how good they are; how many of their n-grams
are distinct and the entropy of their tokens, beside those of the oracle's own, say at what cost.
Axes: n sequence, t step, v vocabulary, h width.
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
ROWS = 500  # scored at a time


class Oracle:
    """The oracle of a file of weights: embedding [v, e]; W [e, h], U [h, h] and b [h] of the gates
    i, f, o and c; Wout [h, v] and bout [v]."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        joined = lambda name: jnp.concatenate(
            [weights[name + gate] for gate in GATES], axis=-1
        )
        self.w, self.u, self.b = joined("W"), joined("U"), joined("b")
        self.embedding = jnp.asarray(weights["embedding"])
        self.out, self.bias = jnp.asarray(weights["Wout"]), jnp.asarray(weights["bout"])

    @classmethod
    def read(cls, path: str | pathlib.Path) -> "Oracle":
        """Raises UsageError where there is no such file."""
        if not pathlib.Path(path).is_file():
            raise UsageError(
                f"there is no oracle at {path}: give its weights, an .npz file."
            )
        with np.load(path) as file:
            return cls(dict(file))

    @property
    def vocab(self) -> int:
        return len(self.embedding)

    def step(self, carry: Carry, token: Array) -> tuple[Carry, Array]:
        """Carry, tokens [n] -> carry, log-likelihoods of the next [n, v]."""
        gates = self.embedding[token] @ self.w + carry.h @ self.u + self.b[None]
        carry = update_carry(carry, gate_activations(gates))
        return carry, jax.nn.log_softmax(carry.h @ self.out + self.bias[None])

    @functools.partial(jax.jit, static_argnums=(0, 2, 3))
    def sample(self, rng: Key, n: int, length: int = 20) -> Array:
        """Sequences int32 [n, t]."""

        def one(now: Any, key: Key) -> tuple[Any, Array]:
            carry, log_p = self.step(*now)
            token = jax.random.categorical(key, log_p).astype(jnp.int32)
            return (carry, token), token

        start = zero_carry(n, len(self.out)), jnp.full(n, BOUNDARY, jnp.int32)
        return jax.lax.scan(one, start, jax.random.split(rng, length))[1].T

    @functools.partial(jax.jit, static_argnums=0)
    def score(self, tokens: Array) -> Array:
        """The log-likelihood [n, t] of each token of sequences [n, t], in nats."""

        def one(now: Any, token: Array) -> tuple[Any, Array]:
            carry, log_p = self.step(*now)
            return (carry, token), jnp.take_along_axis(log_p, token[:, None], axis=1)[
                :, 0
            ]

        start = (
            zero_carry(len(tokens), len(self.out)),
            jnp.full(len(tokens), BOUNDARY, jnp.int32),
        )
        return jax.lax.scan(one, start, tokens.T)[1].T

    def nll(self, tokens: Array) -> float:
        """NLL_oracle of sequences [n, t], in nats a token: the mean over all of them."""
        parts = [self.score(tokens[i : i + ROWS]) for i in range(0, len(tokens), ROWS)]
        return -float(jnp.concatenate(parts).mean())


def variety(tokens: np.ndarray) -> dict[str, float]:
    """Of sequences [n, t]: the share of their 4-grams that are distinct, and the entropy of their
    tokens in nats. Both depend on n: compare equally many."""
    grams = np.lib.stride_tricks.sliding_window_view(tokens, 4, axis=1).reshape(-1, 4)
    share = np.unique(tokens, return_counts=True)[1] / tokens.size
    return {
        "distinct_4": len(np.unique(grams, axis=0)) / len(grams),
        "entropy": -float((share * np.log(share)).sum()),
    }
