"""What a critic and a generator descend: every pairing of losses, and what a critic is charged.

A critic gives each sample a verdict, a number without bounds, higher where it looks real. Verdicts
[b] of real and of generated samples make two losses; a penalty on the critic's gradient keeps it
from being sure. Axes: b sample.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from zoo.core import Array, Key, Metrics
from zoo.errors import UsageError

Critic = Callable[[Array], Array]  # samples [b, ..] -> verdicts [b]
Half = Callable[
    [Array, Array], Array
]  # verdicts of real and of generated samples -> [b]

softplus = jax.nn.softplus


def least_squares(a: float, b: float, c: float) -> tuple[Half, Half]:
    """Mao et al. 2017 (arXiv:1611.04076), eq. 2: fakes are drawn to a and the real to b, by the
    critic, and fakes to c by the generator."""
    critic = lambda real, fake: 0.5 * (real - b) ** 2 + 0.5 * (fake - a) ** 2
    return critic, lambda real, fake: 0.5 * (fake - c) ** 2


PAIRINGS: Mapping[str, tuple[Half, Half]] = {
    # Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1
    "minimax": (
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda _, fake: -softplus(fake),
    ),
    # the same, section 3: what the generator descends instead, since that does not go flat
    "non-saturating": (
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda _, fake: softplus(-fake),
    ),
    # Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3
    "wasserstein": (lambda real, fake: fake - real, lambda _, fake: -fake),
    # Lim & Ye 2017 (arXiv:1705.02894)
    "hinge": (
        lambda real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        lambda _, fake: -fake,
    ),
    # Huang et al. 2024 (arXiv:2501.05441), after Jolicoeur-Martineau 2018: in pairs
    "relativistic": (
        lambda real, fake: softplus(fake - real),
        lambda real, fake: softplus(real - fake),
    ),
}


@dataclasses.dataclass(frozen=True)
class Game:
    """A pairing of losses, and how the critic is held back.

    Raises:
      UsageError: there is no such pairing, or a weight is negative.
    """

    pairing: str = "relativistic"
    """One of `PAIRINGS`, or "least-squares"."""
    targets: tuple[float, float, float] = (0.0, 1.0, 1.0)
    """a, b and c of least squares: of fakes and of the real, for the critic, and of fakes for the
    generator. With (-1, 1, 0) it descends Pearson's chi-squared (Mao et al., section 3.2)."""
    slope: float = 0.0
    """Weight of (|gradient| - 1)^2 between the real and the generated (Gulrajani et al. 2017)."""
    r1: float = 0.0
    """gamma of gamma / 2 |gradient|^2 where samples are real (Mescheder et al. 2018, eq. 9)."""
    r2: float = 0.0
    """The same where they are generated (eq. 10)."""
    clip: float = 0.0
    """The critic's weights are kept within this of 0 (Arjovsky et al. 2017, alg. 1); 0: they are
    not."""

    def __post_init__(self) -> None:
        known = ["least-squares", *PAIRINGS]
        if self.pairing not in known:
            raise UsageError(
                f"there is no pairing {self.pairing!r}: choose from {', '.join(sorted(known))}."
            )
        weights = {name: getattr(self, name) for name in ("slope", "r1", "r2", "clip")}
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise UsageError(
                    f"{name} is {weight:g}: choose 0 for none of it, or more."
                )

    @property
    def losses(self) -> tuple[Half, Half]:
        """Of the critic and of the generator."""
        if self.pairing == "least-squares":
            return least_squares(*self.targets)
        return PAIRINGS[self.pairing]

    def critic(
        self, critic: Critic, real: Array, fake: Array, rng: Key
    ) -> tuple[Array, Metrics]:
        """What the critic descends, the mean over as many real samples as generated ones.

        `gap` is by how much more real the real look to it, `right` the share of pairs in which
        they do: 0.5 when it is at its wits' end, 1 when it has won.
        """
        value, metrics = self.contest(critic(real), critic(fake))
        charge = self.charge(critic, real, fake, rng)
        return value + charge, {**metrics, "penalty": charge}

    def contest(
        self,
        of_real: Array,
        of_fake: Array,
        *,
        mean: Callable[[Array], Array] = jnp.mean,
    ) -> tuple[Array, Metrics]:
        """The same of verdicts [b], without what its gradient costs the critic."""
        gap = of_real - of_fake
        right = mean((gap > 0) + 0.5 * (gap == 0))
        return mean(self.losses[0](of_real, of_fake)), {
            "gap": mean(gap),
            "right": right,
        }

    def generator(self, critic: Critic, real: Array, fake: Array) -> Array:
        """What the generator descends, the mean over `fake`; only pairs ask about `real`."""
        return self.losses[1](critic(real), critic(fake)).mean()

    @property
    def charges(self) -> bool:
        """Whether the critic's gradient costs it anything."""
        return bool(self.slope or self.r1 or self.r2)

    def charge(self, critic: Critic, real: Array, fake: Array, rng: Key) -> Array:
        """What the critic's gradient costs it."""
        total = jnp.zeros(())
        if self.slope:
            between = jax.random.uniform(rng, (len(real),) + (1,) * (real.ndim - 1))
            at = real + between * (fake - real)
            total += (
                self.slope * ((jnp.sqrt(steepness(critic, at) + 1e-12) - 1) ** 2).mean()
            )
        for gamma, where in ((self.r1, real), (self.r2, fake)):
            if gamma:
                total += 0.5 * gamma * steepness(critic, where).mean()
        return total

    @property
    def bounds(self) -> optax.GradientTransformation | None:
        """What keeps the critic's weights within `clip` of 0, after any update rule."""
        return within(self.clip) if self.clip else None


GAMES: Mapping[str, Game] = {
    "minimax": Game("minimax"),
    "non-saturating": Game("non-saturating"),
    "least-squares": Game("least-squares"),
    "wasserstein": Game("wasserstein", clip=0.01),
    "wasserstein-slope": Game("wasserstein", slope=10.0),
    "hinge": Game("hinge"),
    "relativistic": Game("relativistic", r1=1.0, r2=1.0),
}


def steepness(critic: Critic, x: Array) -> Array:
    """|gradient|^2 [b] of the verdict in the sample, at samples x [b, ..]."""
    gradient = jax.grad(lambda x: critic(x).sum())(x)
    return (gradient**2).reshape(len(x), -1).sum(axis=1)


def collapse(samples: Array, of_real: Array, of_fake: Array) -> Metrics:
    """Signs that a generator writes the same over and over, of its samples [b, ..] and of the
    critic's features [b, f] of real ones and of those.

    `duplicates` is the share of samples that another one equals. `spread` is how far the features
    of samples lie apart, as a share of that and of how far the real ones' do: 0.5 as far as those.
    """
    flat = samples.reshape(len(samples), -1)
    odd = jax.random.bits(jax.random.key(0), (1, flat.shape[1])) | 1
    codes = jnp.sort((flat.astype(jnp.uint32) * odd).sum(axis=1, dtype=jnp.uint32))
    same = codes[1:] == codes[:-1]
    twin = jnp.concatenate([same, same[:1] & False]) | jnp.concatenate(
        [same[:1] & False, same]
    )
    wide = lambda features: features.std(axis=0).mean()
    spread = wide(of_fake) / (wide(of_fake) + wide(of_real) + 1e-9)
    return {"duplicates": twin.mean(), "spread": spread}


def within(most: float) -> optax.GradientTransformation:
    """Shortens updates so that no parameter leaves [-most, most]."""

    def update(updates, state, params=None):
        kept = lambda u, p: jnp.clip(p + u, -most, most) - p
        return jax.tree.map(kept, updates, params), state

    return optax.GradientTransformation(lambda _: optax.EmptyState(), update)
