"""Tests of adversarial losses on games whose optimum is known in closed form."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.nn.adversarial.losses import (
    GAMES,
    PAIRINGS,
    Game,
    clip_weights,
    collapse_metrics,
    squared_gradient_norm,
)

P, Q = (
    np.array([0.5, 0.3, 0.2]),
    np.array([0.1, 0.3, 0.6]),
)  # of real and of generated points
KEY = jax.random.key(0)


def outcome(game: Game, verdicts):
    """Returns the expected losses under the verdicts [3] on the three points."""
    pairs = [(i, j) for i, j in itertools.product(range(3), repeat=2)]
    real, fake = np.array(pairs).T
    weights = jnp.asarray(P[real] * Q[fake])
    critic, generator = game.losses
    mean = lambda half: (weights * half(verdicts[real], verdicts[fake])).sum()
    return mean(critic), mean(generator)


def optimum(game: Game):
    """Returns the optimal verdicts on the three points, by gradient descent."""
    slope = jax.jit(jax.grad(lambda verdicts: outcome(game, verdicts)[0]))
    verdicts = jnp.zeros(3)
    for _ in range(3000):
        verdicts -= 0.2 * slope(verdicts)
    return verdicts


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "relativistic"])
def test_the_optimal_verdict_is_the_log_density_ratio(name):
    value = optimum(Game(name))
    expected = np.log(P / Q)
    if name == "relativistic":  # which is known up to a constant
        value, expected = value - value.mean(), expected - expected.mean()
    np.testing.assert_allclose(value, expected, atol=1e-3)


def test_the_value_at_the_optimum_is_a_divergence():
    middle = (P + Q) / 2
    divergence = (
        0.5 * (P * np.log(P / middle) + Q * np.log(Q / middle)).sum()
    )  # Jensen-Shannon
    critic, _ = outcome(Game("minimax"), optimum(Game("minimax")))
    np.testing.assert_allclose(critic, np.log(4) - 2 * divergence, atol=1e-5)


@pytest.mark.parametrize(
    "targets", [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.2, 0.9, 0.5)]
)
def test_the_optimum_of_least_squares(targets):
    a, b, c = targets
    game = Game("least-squares", targets)
    value = optimum(game)
    np.testing.assert_allclose(value, (b * P + a * Q) / (P + Q), atol=1e-5)
    np.testing.assert_allclose(
        outcome(game, value)[1], 0.5 * (Q * (value - c) ** 2).sum(), rtol=1e-5
    )
    if targets == (
        -1,
        1,
        0,
    ):  # Pearson's divergence includes the critic's real term
        pearson = ((Q - P) ** 2 / (P + Q)).sum()
        both = ((P + Q) * (np.asarray(value) - c) ** 2).sum()
        np.testing.assert_allclose(both, pearson, rtol=1e-5)


def test_the_optimal_verdict_of_a_hinge_is_a_sign():
    np.testing.assert_allclose(
        optimum(Game("hinge"))[np.array([0, 2])], [1, -1], atol=0.2
    )


def test_the_gap_of_a_1_lipschitz_critic_is_the_wasserstein_distance():
    x = jnp.linspace(-3, 3, 65)[:, None]
    game = Game("wasserstein", gp=10.0)
    value, logs = game.critic_loss(lambda x: x[:, 0], x + 2, x, KEY)
    np.testing.assert_allclose(
        [value, logs["gap"], logs["right"]], [-2, 2, 1], atol=1e-5
    )
    np.testing.assert_allclose(logs["penalty"], 0, atol=1e-8)
    steeper = game.critic_loss(lambda x: 3 * x[:, 0], x + 2, x, KEY)[1]["penalty"]
    np.testing.assert_allclose(steeper, 10 * (3 - 1) ** 2, rtol=1e-5)


def test_gradient_penalties_apply_at_real_or_fake_samples():
    critic = lambda x: (x**2).sum(axis=(1, 2))  # the gradient is 2 x
    real, fake = jnp.ones((4, 2, 3)), 2 * jnp.ones((4, 2, 3))
    np.testing.assert_allclose(squared_gradient_norm(critic, fake), [4 * 4 * 6] * 4)
    penalty = lambda **weights: Game(**weights).gradient_penalty(
        critic, real, fake, KEY
    )
    np.testing.assert_allclose(penalty(r1=0.5), 0.25 * 4 * 6)
    np.testing.assert_allclose(penalty(r2=0.5), 0.25 * 4 * 4 * 6)
    np.testing.assert_allclose(penalty(r1=1.0, r2=1.0), 0.5 * (24 + 96))
    assert penalty() == 0


@pytest.mark.parametrize("name", GAMES)
def test_gradients_are_zero_at_the_equilibrium(name):
    """Data and samples are at 0, and the critic is flat (Mescheder et al. 2018)."""
    critic, generator = field(GAMES[name])(0.0, 0.0)
    np.testing.assert_allclose([critic, generator], 0, atol=1e-7)


def field(game: Game):
    """Returns (critic's slope, generator's sample) -> their gradients."""
    critic = lambda slope: (
        lambda x: slope * x if game.pairing != "least-squares" else slope * x + 0.5
    )
    of_critic = lambda slope, at: game.critic_loss(
        critic(slope), jnp.zeros(1), at[None], KEY
    )[0]
    of_generator = lambda slope, at: game.generator_loss(
        critic(slope), jnp.zeros(1), at[None]
    )
    gradient = lambda slope, at: (
        jax.grad(of_critic)(slope, at),
        jax.grad(of_generator, 1)(slope, at),
    )
    return lambda slope, at: gradient(jnp.float32(slope), jnp.float32(at))


@pytest.mark.parametrize(
    "pairing", ["minimax", "non-saturating", "wasserstein", "relativistic"]
)
@pytest.mark.parametrize("gamma", [0.0, 1.0, 3.0])
def test_only_a_gradient_penalty_makes_the_game_converge(pairing, gamma):
    """Compares eigenvalues with Mescheder et al. 2018, sections 2 and 4.

    They are +-i f'(0), which circles the equilibrium, without a penalty, and
    -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2) with one.
    """
    play = field(Game(pairing, r1=gamma))
    jacobian = -np.array(
        jax.jacobian(lambda both: jnp.stack(play(*both)))(jnp.zeros(2))
    )
    steep = 1.0 if pairing == "wasserstein" else 0.5
    expected = -gamma / 2 + np.array([1, -1]) * np.sqrt(
        complex(gamma**2 / 4 - steep**2)
    )
    order = lambda x: sorted(np.asarray(x, complex), key=lambda z: (z.real, z.imag))
    np.testing.assert_allclose(
        order(np.linalg.eigvals(jacobian)), order(expected), atol=1e-5
    )


def test_the_generator_moves_towards_real_samples():
    for name in [*PAIRINGS, "least-squares"]:
        _, generator = field(Game(name))(1.0, -2.0)  # the verdict rises with x
        assert generator < 0, name  # so descent raises x


def test_weights_are_clipped():
    game = dataclasses.replace(GAMES["wasserstein"], clip=0.1)
    tx = optax.chain(optax.sgd(1.0), game.weight_clipping)
    params = {"w": jnp.array([0.0, 0.05, -0.1])}
    updates, _ = tx.update(
        {"w": jnp.array([1.0, 0.02, -0.01])}, tx.init(params), params
    )
    moved = optax.apply_updates(params, updates)
    np.testing.assert_allclose(moved["w"], [-0.1, 0.03, -0.09], atol=1e-7)
    assert Game().weight_clipping is None
    assert clip_weights(1.0).init(params) == optax.EmptyState()


def test_equal_verdicts_are_half_right():
    _, logs = Game().critic_loss(lambda x: 0 * x, jnp.ones(4), jnp.zeros(4), KEY)
    assert logs["right"] == 0.5


def test_bad_fields_are_errors():
    with pytest.raises(
        UsageError, match="pairing is 'hing': choose from hinge, least-squares"
    ):
        Game("hing")
    with pytest.raises(UsageError, match="`r1` is -1"):
        Game(r1=-1.0)


def test_collapse_metrics():
    samples = jnp.array([[1, 2], [3, 4], [1, 2], [2, 1], [5, 5], [3, 4]])
    real, fake = (jax.random.normal(KEY, (6, 50)) * scale for scale in (3.0, 1.0))
    value = collapse_metrics(samples, real, fake)
    np.testing.assert_allclose(value["duplicates"], 4 / 6, rtol=1e-6)
    np.testing.assert_allclose(value["spread"], 0.25, rtol=1e-5)
    assert collapse_metrics(samples, real, fake * 0)["spread"] == 0
