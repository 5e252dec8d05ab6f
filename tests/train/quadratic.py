"""A quadratic loss, whose training steps have a closed form, and its data."""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Objective


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """The loss |w - x|^2 / 2, averaged over the rows x of a batch, plus noise."""

    width: int = 4
    noise: float = 0.0

    def example(self, n):
        return {"x": jnp.ones((n, 1), jnp.float32)}

    def init(self, rng, batch):
        return {"net": {"w": jnp.zeros(self.width)}}

    def objectives(self):
        return {"fit": Objective(self.loss)}

    def loss(self, params, batch, rng, step):
        w = params["net"]["w"]
        noise = self.noise * (w * jax.random.normal(rng, w.shape)).sum()
        distance = 0.5 * ((w[None] - batch["x"]) ** 2).sum(-1)
        return distance.mean() + noise, {"distance": distance.mean()}

    def sample(self, params, rng, n):
        return jnp.broadcast_to(params["net"]["w"], (n, self.width))


class Points:
    """Batches seeded by their index; NaN at the indices in `bad`."""

    def __init__(
        self, rows=8, bad=(), delay=0.0, on_read=lambda index: None, share=slice(None)
    ):
        self.rows, self.bad, self.delay, self.on_read, self.share = (
            rows,
            bad,
            delay,
            on_read,
            share,
        )

    def __getitem__(self, index):
        self.on_read(index)
        time.sleep(self.delay)
        x = (
            np.random.default_rng(index)
            .normal(1.0, 0.1, (self.rows, 1))
            .astype(np.float32)
        )
        return {"x": (np.full_like(x, np.nan) if index in self.bad else x)[self.share]}
