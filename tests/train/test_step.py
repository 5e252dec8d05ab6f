"""The train step against closed forms: updates, microbatches, clipping, averaging."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from quadratic import Points, Quadratic

from zoo.core import ALWAYS, FOREVER, Objective
from zoo.train import loop, precision
from zoo.train.evaluate import evaluator
from zoo.train.optim import optimizers
from zoo.train.options import Options
from zoo.train.step import due, init, make_step


def stepper(family, tx, clip=0.0, **options):
    optimizers_ = optimizers(family, tx, clip=clip)
    state = init(family, optimizers_, jax.random.key(0), family.example(8))
    return state, jax.jit(
        make_step(family, optimizers_, **options), static_argnames="due"
    )


def rows(*values):
    return {"x": jnp.asarray(values, jnp.float32)[:, None]}


@dataclasses.dataclass(frozen=True)
class Pair(Quadratic):
    """Two quadratic losses: `a` with the optimizer of the run, `b` with its own."""

    when: tuple[range, range] = (ALWAYS, ALWAYS)

    def init(self, rng, batch):
        return {"a": {"w": jnp.zeros(2)}, "b": {"w": jnp.zeros(2)}}

    def objectives(self):
        quadratic = lambda net: (
            lambda params, batch, rng, step: Quadratic.loss(
                self, {"net": params[net]}, batch, rng, step
            )
        )
        return {
            "mine": Objective(quadratic("a"), wrt=("a",), when=self.when[0]),
            "own": Objective(
                quadratic("b"), wrt=("b",), when=self.when[1], tx=optax.sgd(1.0)
            ),
        }


def test_gradient_descent_and_average_have_their_closed_form():
    """w_k = m (1 - (1 - rate)^k) for a quadratic around m; the average is recursive."""
    state, step = stepper(Quadratic(3), optax.sgd(0.1), ema=0.9)
    w = average = 0.0
    for k in range(1, 6):
        state, metrics = step(state, rows(*[2.0] * 8), due=("fit",))
        np.testing.assert_allclose(metrics["fit/loss"], 1.5 * (w - 2) ** 2, rtol=1e-5)
        np.testing.assert_allclose(
            metrics["fit/grad_norm"], 3**0.5 * (2 - w), rtol=1e-5
        )
        w = 2 * (1 - 0.9**k)
        average = 0.9 * average + 0.1 * w
        np.testing.assert_allclose(state.params["net"]["w"], w, rtol=1e-5)
        np.testing.assert_allclose(state.ema["net"]["w"], average, rtol=1e-5)


def test_without_averaging_the_average_is_the_parameters():
    state, step = stepper(Quadratic(3), optax.sgd(0.1))
    state, _ = step(state, rows(*range(8)), due=("fit",))
    assert np.array_equal(state.ema["net"]["w"], state.params["net"]["w"])


def test_only_the_optimizer_of_the_run_is_clipped():
    state, step = stepper(Pair(2), optax.sgd(1.0), clip=0.5)
    state, metrics = step(state, rows(*[30.0] * 8), due=("mine", "own"))
    np.testing.assert_allclose(np.linalg.norm(state.params["a"]["w"]), 0.5, rtol=1e-5)
    np.testing.assert_allclose(state.params["b"]["w"], 30.0, rtol=1e-5)
    np.testing.assert_allclose(
        metrics["mine/grad_norm"], 30 * 2**0.5, rtol=1e-5
    )  # before clipping


def test_microbatches_are_weighted_by_their_events():
    class Weighted(Quadratic):
        """The mean over the events: rows with x >= 0."""

        def loss(self, params, batch, rng, step):
            w, x = params["net"]["w"], batch["x"][:, 0]
            mask = x >= 0
            events = mask.sum()
            mean = (0.5 * (w[0] - x) ** 2 * mask).sum() / jnp.maximum(events, 1)
            return mean, {"events": events}

    x = rows(1, 2, 3, -1, -1, -1, 4, -1)
    whole, step = stepper(Weighted(1), optax.sgd(0.5))
    parts, accumulating_step = stepper(Weighted(1), optax.sgd(0.5), accumulate=4)
    (whole, a), (parts, b) = (
        step(whole, x, due=("fit",)),
        accumulating_step(parts, x, due=("fit",)),
    )
    np.testing.assert_allclose(whole.params["net"]["w"], 0.5 * 2.5, rtol=1e-6)
    np.testing.assert_allclose(parts.params["net"]["w"], 0.5 * 2.5, rtol=1e-6)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, err_msg=name)
    assert float(b["fit/events"]) == 4


def test_an_objectives_own_optimizer_gets_the_whole_batch():
    """The loss of a count is a sum, which must not be averaged over microbatches."""

    class Sum(Quadratic):
        def objectives(self):
            return {"fit": Objective(self.loss, tx=optax.sgd(1.0))}

        def loss(self, params, batch, rng, step):
            return -(params["net"]["w"] * batch["x"].sum()).sum(), {}

    state, step = stepper(Sum(1), optax.sgd(0.0), accumulate=4)
    state, _ = step(state, rows(*range(8)), due=("fit",))
    np.testing.assert_allclose(state.params["net"]["w"], 28)


def test_an_objective_is_taken_at_its_steps(tmp_path):
    family = Pair(2, when=(range(3), range(2, FOREVER, 2)))
    assert [due(family, i) for i in range(6)] == [
        ("mine",),
        ("mine",),
        ("mine", "own"),
        (),
        ("own",),
        (),
    ]
    fits = {
        steps: loop.fit(
            family,
            Points(),
            tx=optax.sgd(0.1),
            steps=steps,
            workdir=tmp_path / str(steps),
            options=Options(quiet=True, clip=0, log_every=1),
        ).state.params
        for steps in (2, 3, 6)
    }
    assert not np.any(fits[2]["b"]["w"])
    assert np.array_equal(fits[3]["a"]["w"], fits[6]["a"]["w"])
    assert not np.array_equal(fits[3]["b"]["w"], fits[6]["b"]["w"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nonfinite_gradient_affects_only_its_objective(bad):
    class Half(Pair):
        def objectives(self):
            mine, own = super().objectives().values()
            corrupt = lambda params, batch, rng, step: (
                own.loss(params, batch, rng, step)[0] * bad,
                {},
            )
            return {"mine": mine, "own": dataclasses.replace(own, loss=corrupt)}

    state, step = stepper(Half(2), optax.sgd(0.1))
    for k in range(1, 4):
        state, metrics = step(state, rows(*[1.0] * 8), due=("mine", "own"))
        assert int(metrics["rejected"]) == k
    assert not np.any(state.params["b"]["w"])
    np.testing.assert_allclose(state.params["a"]["w"], 1 - 0.9**3, rtol=1e-5)


def dots(jaxpr):
    """Yields the operand dtypes of every matmul, including inner programs."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield tuple(str(v.aval.dtype) for v in equation.invars)
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
        ):
            if hasattr(inner := getattr(inner, "jaxpr", inner), "eqns"):
                yield from dots(inner)


def test_bf16_applies_to_every_matmul_and_to_no_parameter():
    from zoo.nn.sequence.lstm import LSTMLayer

    layer, x = LSTMLayer(8), jnp.ones((3, 2, 4))
    params = layer.init(jax.random.key(0), x)

    def loss(params, context):
        with context():
            return layer.apply(params, x)[1].astype(jnp.float32).sum()

    half, full = (
        jax.make_jaxpr(lambda p, c=precision.context(on): jax.grad(loss)(p, c))(
            params
        ).jaxpr
        for on in (True, False)
    )
    assert {dtype for pair in dots(half) for dtype in pair} == {"bfloat16"}
    assert {dtype for pair in dots(full) for dtype in pair} == {"float32"}
    assert {str(v.aval.dtype) for v in half.outvars} == {"float32"}


def test_evaluation_weights_batches_by_their_events():
    class Counted(Quadratic):
        def loss(self, params, batch, rng, step):
            assert step is None
            return batch["x"].mean(), {"events": jnp.asarray(len(batch["x"]))}

    over = evaluator(Counted(1))({"net": {"w": jnp.zeros(1)}}, [rows(1, 2, 3), rows(6)])
    assert over == {"fit/loss": 3.0, "fit/events": 4.0}


def test_an_objective_that_is_not_evaluated_has_no_metrics():
    class Silent(Quadratic):
        def objectives(self):
            (fit,) = super().objectives().values()
            return {"fit": fit, "play": dataclasses.replace(fit, evaluated=False)}

    over = evaluator(Silent(1))({"net": {"w": jnp.zeros(1)}}, [rows(1)])
    assert {name.partition("/")[0] for name in over} == {"fit"}
