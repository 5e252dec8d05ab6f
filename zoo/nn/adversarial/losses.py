"""Losses of generative adversarial networks, and regularisers of their critic.

A critic assigns each sample a verdict, an unbounded number that is higher the more real
the sample looks. Axes: b sample, d feature.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from zoo.core import Array, Float, Key, Metrics, Num
from zoo.errors import UsageError
from zoo.ranges import Weight, checked

Critic = Callable[[Array], Array]  # samples [b, ..] -> verdicts [b]
VerdictLoss = Callable[[Array, Array], Array]  # verdicts of real and fake [b] -> [b]
Mean = Callable[[Array], Array]

EPS = 1e-9
GRADIENT_EPS = 1e-12  # keeps the derivative of a square root finite at 0

softplus = jax.nn.softplus


def least_squares(a: float, b: float, c: float) -> tuple[VerdictLoss, VerdictLoss]:
    """Returns the losses of Mao et al. 2017 (arXiv:1611.04076), eq. 2.

    Args:
      a: the critic's target for fake samples.
      b: the critic's target for real samples.
      c: the generator's target for fake samples.
    """

    def critic(real: Array, fake: Array) -> Array:
        return 0.5 * (real - b) ** 2 + 0.5 * (fake - a) ** 2

    def generator(real: Array, fake: Array) -> Array:
        return 0.5 * (fake - c) ** 2

    return critic, generator


PAIRINGS: Mapping[str, tuple[VerdictLoss, VerdictLoss]] = {
    # Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1
    "minimax": (
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda real, fake: -softplus(fake),
    ),
    # ibid., section 3: a generator's loss whose gradient does not vanish
    "non-saturating": (
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda real, fake: softplus(-fake),
    ),
    # Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3
    "wasserstein": (
        lambda real, fake: fake - real,
        lambda real, fake: -fake,
    ),
    # Lim & Ye 2017 (arXiv:1705.02894)
    "hinge": (
        lambda real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        lambda real, fake: -fake,
    ),
    # Huang et al. 2024 (arXiv:2501.05441), after Jolicoeur-Martineau 2018
    "relativistic": (
        lambda real, fake: softplus(fake - real),
        lambda real, fake: softplus(real - fake),
    ),
}


@dataclasses.dataclass(frozen=True)
@checked
class Game:
    """The losses of a critic and a generator, and the regularisation of the critic.

    Raises:
      UsageError: an unknown pairing, or a negative weight.
    """

    pairing: str = "relativistic"
    """Losses of critic and generator: one of `PAIRINGS`, or "least-squares"."""
    targets: tuple[float, float, float] = (0.0, 1.0, 1.0)
    """Targets a, b and c of least squares. With (-1, 1, 0) the generator descends
    Pearson's chi-squared divergence (Mao et al. 2017, section 3.2)."""
    gp: Weight = 0.0
    """Weight of (|gradient| - 1)^2 on lines between real and fake samples (Gulrajani et
    al. 2017)."""
    _: dataclasses.KW_ONLY
    r1: Weight = 0.0
    """Weight gamma of gamma / 2 |gradient|^2 at real samples (Mescheder et al. 2018,
    eq. 9)."""
    r2: Weight = 0.0
    """Weight gamma of gamma / 2 |gradient|^2 at fake samples (ibid., eq. 10)."""
    clip: Weight = 0.0
    """Largest absolute value of the critic's weights (Arjovsky et al. 2017, algorithm
    1); 0 for no clipping."""

    def __post_init__(self) -> None:
        pairings = sorted(["least-squares", *PAIRINGS])
        names = ", ".join(pairings)
        if self.pairing not in pairings:
            raise UsageError(f"pairing is {self.pairing!r}: choose from {names}.")

    @property
    def losses(self) -> tuple[VerdictLoss, VerdictLoss]:
        """The losses of the critic and of the generator, as functions of verdicts."""
        if self.pairing == "least-squares":
            return least_squares(*self.targets)
        return PAIRINGS[self.pairing]

    @property
    def penalises_gradient(self) -> bool:
        """True if the critic's loss penalises its gradient."""
        return bool(self.gp or self.r1 or self.r2)

    @property
    def weight_clipping(self) -> optax.GradientTransformation | None:
        """The update rule that clips the critic's weights to [-clip, clip], if any."""
        return clip_weights(self.clip) if self.clip else None

    def critic_loss(
        self,
        critic: Critic,
        real: Num[Array, "b ..."],
        fake: Num[Array, "b ..."],
        rng: Key,
    ) -> tuple[Array, Metrics]:
        """Returns the critic's loss with its gradient penalty, and the metrics.

        The metrics are those of `verdict_loss`, and `penalty`.
        """
        loss, metrics = self.verdict_loss(critic(real), critic(fake))
        penalty = self.gradient_penalty(critic, real, fake, rng)
        return loss + penalty, {**metrics, "penalty": penalty}

    def verdict_loss(
        self,
        real: Float[Array, "..."],
        fake: Float[Array, "..."],
        *,
        mean: Mean = jnp.mean,
    ) -> tuple[Array, Metrics]:
        """Returns the critic's loss without a gradient penalty, and the metrics.

        Metrics: `gap`, the mean verdict of real samples minus that of fake ones; and
        `right`, the share of pairs with the real sample ranked higher, where 0.5 is
        chance.

        Args:
          real: verdicts of real samples.
          fake: verdicts of as many fake samples.
          mean: how to average over samples.
        """
        gap = real - fake
        higher, equal = (x.astype(gap.dtype) for x in (gap > 0, gap == 0))
        right = mean(higher + 0.5 * equal)
        critic_loss, _ = self.losses
        return mean(critic_loss(real, fake)), {"gap": mean(gap), "right": right}

    def generator_loss(
        self, critic: Critic, real: Num[Array, "b ..."], fake: Num[Array, "b ..."]
    ) -> Float[Array, ""]:
        """Returns the mean loss, which only relativistic losses base on `real` too."""
        _, generator_loss = self.losses
        return generator_loss(critic(real), critic(fake)).mean()

    def gradient_penalty(
        self,
        critic: Critic,
        real: Num[Array, "b ..."],
        fake: Num[Array, "b ..."],
        rng: Key,
    ) -> Float[Array, ""]:
        """Returns the penalties on the critic's gradient with respect to samples."""
        penalty = jnp.zeros((), jnp.float32)
        if self.gp:
            t = jax.random.uniform(
                rng, (len(real),) + (1,) * (real.ndim - 1), jnp.float32
            )
            square = squared_gradient_norm(critic, real + t * (fake - real))
            norm = jnp.sqrt(square + GRADIENT_EPS)
            penalty += self.gp * ((norm - 1) ** 2).mean()
        if self.r1:
            penalty += 0.5 * self.r1 * squared_gradient_norm(critic, real).mean()
        if self.r2:
            penalty += 0.5 * self.r2 * squared_gradient_norm(critic, fake).mean()
        return penalty


GAMES: Mapping[str, Game] = {
    "minimax": Game("minimax"),
    "non-saturating": Game("non-saturating"),
    "least-squares": Game("least-squares"),
    "wasserstein": Game("wasserstein", clip=0.01),
    "wasserstein-slope": Game("wasserstein", gp=10.0),
    "hinge": Game("hinge"),
    "relativistic": Game("relativistic", r1=1.0, r2=1.0),
}


def squared_gradient_norm(
    critic: Critic, x: Float[Array, "b ..."]
) -> Float[Array, " b"]:
    """Returns |dD(x) / dx|^2 of each sample."""
    gradient = jax.grad(lambda x: critic(x).sum())(x)
    return (gradient**2).reshape(len(x), -1).sum(axis=1)


def collapse_metrics(
    samples: Array, real: Float[Array, "b d"], fake: Float[Array, "b d"]
) -> Metrics:
    """Returns metrics of mode collapse.

    Metrics: `duplicates`, the share of generated samples that are equal to another one;
    and `spread`, s / (s + r), where s and r are the mean standard deviations of the
    critic's features of fake and of real samples: 0.5 means that both vary alike.

    Args:
      samples: generated samples [b, ..], integers or bools.
      real: the critic's features of real samples.
      fake: the critic's features of generated samples.
    """
    flat = samples.reshape(len(samples), -1)
    odd = jax.random.bits(jax.random.key(0), (1, flat.shape[1])) | 1
    hashes = jnp.sort((flat.astype(jnp.uint32) * odd).sum(axis=1, dtype=jnp.uint32))
    as_next = hashes[1:] == hashes[:-1]
    last, first = jnp.pad(as_next, (0, 1)), jnp.pad(as_next, (1, 0))
    real_std, fake_std = (x.std(axis=0).mean() for x in (real, fake))
    spread = fake_std / (fake_std + real_std + EPS)
    return {"duplicates": (last | first).mean(), "spread": spread}


def clip_weights(limit: float) -> optax.GradientTransformation:
    """Returns a transformation that keeps weights in [-limit, limit]."""

    def update(updates, state, params=None):
        def clipped(u: Array, p: Array) -> Array:
            return jnp.clip(p + u, -limit, limit) - p

        return jax.tree.map(clipped, updates, params), state

    return optax.GradientTransformation(lambda _: optax.EmptyState(), update)
