"""The contract between a model family and everything that trains, shards, saves or samples it.

A family is a game: its networks are the named subtrees of one `params`, its objectives are the
moves, taken in order. A likelihood model is a game with one move.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import optax

Array = jax.Array
Key = jax.Array
Tree = Any
Params = Mapping[str, Tree]  # one subtree per network: {"net": ...} or {"gen": ..., "critic": ...}
Batch = Mapping[str, Any]  # of arrays, on the host or a device
Metrics = Mapping[str, Array]  # scalars, ready to log
Loss = Callable[[Params, Batch, Key, Array | None], tuple[Array, Metrics]]

BOUNDARY = 0  # the token that ends a piece, begins the next, and fills what is masked
WEIGHT = "events"  # the metric that counts what a loss is a mean over: means are pooled by it
FOREVER = sys.maxsize
ALWAYS = range(FOREVER)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Descend `loss` by moving the networks named in `wrt`, holding every other one still.

    `loss(params, batch, rng, step)` returns a scalar and its metrics; `step` is None when the model
    is evaluated rather than trained. `when` holds the steps that take it: `range(n)` is a warm-up,
    `range(n, FOREVER)` all that follows, `range(0, FOREVER, 5)` every fifth step. `tx` is given
    only where the update rule is part of the algorithm; otherwise the experiment chooses it, and
    `then` is what the algorithm makes of its updates. `measured`: whether it says anything of
    held-out data, which it does not where it asks nothing of the batch but its size.
    """

    loss: Loss
    wrt: tuple[str, ...] = ("net",)
    when: range = ALWAYS
    tx: optax.GradientTransformation | None = None
    then: optax.GradientTransformation | None = None
    measured: bool = True


@runtime_checkable
class Family(Protocol):
    """A generative model: a frozen dataclass of hyperparameters whose methods are pure."""

    def example(self, n: int) -> Batch:
        """A legal batch of `n`: its shapes and dtypes, documented by construction."""

    def init(self, rng: Key, batch: Batch) -> Params: ...

    def objectives(self) -> Mapping[str, Objective]:
        """What one training step descends, in order."""

    @property
    def sample(self) -> Callable[..., Array]:
        """`(params, rng, n)`, and by keyword what it needs or may be told besides."""
