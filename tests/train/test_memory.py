"""A run that does not fit in memory is refused before anything is compiled."""

import time

import jax
import jax.numpy as jnp
import optax
import pytest
from quadratic import Points, Quadratic

from zoo import memory
from zoo.errors import UsageError
from zoo.models import LSTM, Transformer
from zoo.train import loop
from zoo.train.memory import peak
from zoo.train.options import Options


def program(function, *shapes):
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return jax.jit(function).trace(*arguments).jaxpr.jaxpr


def test_a_product_is_counted_and_what_is_merged_with_it_is_not():
    def function(x, y):
        return jnp.tanh(x @ y + 1).sum()

    assert peak(program(function, (8, 4), (4, 16))) == 4 * (8 * 16 + 1)


def test_a_result_is_counted_until_it_is_read_for_the_last_time():
    def function(x, y):
        a = x @ y  # 64 numbers
        b = a @ x  # 32 numbers, beside those
        return b.T @ b  # 16 numbers, when the first are not needed any more

    assert peak(program(function, (8, 4), (4, 8))) == 4 * (64 + 32)


def test_a_loop_takes_its_stacked_results_and_one_turn():
    def function(xs):
        def turn(carry, x):
            carry = carry @ x
            return carry, carry

        return jax.lax.scan(turn, jnp.eye(4), xs)[1]

    found = peak(program(function, (10, 4, 4)))
    assert 4 * (10 * 16 + 16 + 16) <= found <= 4 * (10 * 16 + 5 * 16)


def train(family, tmp_path, batches=None):
    class Same:
        def __getitem__(self, step):
            return family.example(2)

    return loop.fit(
        family,
        batches or Same(),
        tx=optax.adam(1e-2),
        steps=2,
        workdir=tmp_path / "run",
        options=Options(quiet=True),
    )


@pytest.mark.parametrize(
    ("family", "what"),
    [
        (LSTM(width=16_384, layers=64, length=8), "the parameters and the optimizer"),
        (Transformer(width=8, heads=1, layers=2, length=2**16), "a training step"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_at_once(
    family, what, tmp_path, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: 2 * memory.GIBIBYTE)
    began = time.monotonic()
    with pytest.raises(UsageError, match=rf"^{what} would take .* 2\.0 are free"):
        train(family, tmp_path)
    assert time.monotonic() - began < 20


def test_the_program_is_traced_once(tmp_path):
    traces = []

    class Counted(Quadratic):
        def loss(self, *args):
            traces.append(1)
            return super().loss(*args)

    train(Counted(4), tmp_path, Points())
    assert len(traces) == 1


def test_a_container_limits_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available() == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 2**20
