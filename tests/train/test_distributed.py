"""A run of two processes equals a run of one: same losses, checkpoints and stop."""

import json
import os
import signal
import socket
import sys
import time

import jax
import numpy as np
import optax
import pytest
from child import finish, running, spawn
from quadratic import Points, Quadratic

from zoo.errors import UsageError
from zoo.train import distributed, loop
from zoo.train.options import Options
from zoo.train.peers import together

WIDTH, STEPS = 4096, 60
pytestmark = pytest.mark.usefixtures("eight")


def curve(workdir):
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {
        p["step"]: [p["fit/loss"], p["fit/grad_norm"]] for p in lines if "fit/loss" in p
    }


def free_port():
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return s.getsockname()[1]


def train_here(workdir, **options):
    """Trains the same run in this process, on eight devices."""
    return loop.fit(
        Quadratic(WIDTH, noise=0.1),
        Points(),
        tx=optax.adam(1e-2),
        steps=STEPS,
        workdir=workdir,
        options=Options(save_every=5, log_every=1, ema=0.9, quiet=True, **options),
    )


def test_two_processes_train_stop_and_save_as_one(tmp_path):
    address = f"localhost:{free_port()}"
    both = [
        spawn(
            tmp_path / "two",
            *("--steps", STEPS, "--save-every", 5, "--width", WIDTH, "--delay", 0.3),
            *("--coordinator", address, "--processes", 2, "--process", i),
            devices=4,
        )
        for i in range(2)
    ]
    with running(*both):
        while not (tmp_path / "two" / "checkpoints" / "5").exists():
            assert [process.poll() for process in both] == [None, None]
            time.sleep(0.05)
        both[1].send_signal(signal.SIGTERM)  # received by one, both stop
        ends = [finish(process) for process in both]
    assert [code for code, _, _ in ends] == [0, 0], ends
    steps = [int(p.name) for p in (tmp_path / "two" / "checkpoints").iterdir()]
    stopped = max(steps)
    assert 5 < stopped < STEPS
    assert f"SIGTERM: saved at step {stopped}" in ends[0][2]

    uninterrupted = train_here(tmp_path / "one")
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert list(two) == list(range(1, stopped + 1))  # one log, written once
    for step in two:
        np.testing.assert_allclose(two[step], one[step], rtol=1e-5)

    # it resumes in one process, on another mesh, with its parameters sharded
    later = train_here(tmp_path / "two", placement="fsdp")
    assert len(later.state.params["net"]["w"].addressable_shards) == 8
    assert later.state.params["net"]["w"].addressable_data(0).shape == (WIDTH // 8,)
    for a, b in zip(
        *(jax.tree.leaves(x.state.params) for x in (later, uninterrupted)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert list(curve(tmp_path / "two")) == list(range(1, STEPS + 1))


@pytest.mark.parametrize(
    "arguments", [("here:1", None, 0), ("here:1", 2, 2), (None, 2, 0)]
)
def test_an_incomplete_address_is_refused(arguments):
    with pytest.raises(UsageError, match="`processes`"):
        distributed.connect(*arguments)


def test_one_process_needs_no_address():
    distributed.connect(None)
    assert jax.process_count() == 1


@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError])
def test_a_failed_barrier_ends_a_process_with_a_sentence(error, monkeypatch, capsys):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="1"), together():
        raise error("the barrier")
    assert "lost the other hosts of its run (the barrier)" in capsys.readouterr().err


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_others_with_a_sentence(lost, tmp_path):
    """Process 0 coordinates: without it, JAX aborts the other one."""
    address = f"localhost:{free_port()}"
    both = [
        spawn(
            tmp_path,
            *("--steps", 5000, "--save-every", 2, "--delay", 0.1),
            *("--coordinator", address, "--processes", 2, "--process", i),
        )
        for i in range(2)
    ]
    with running(*both):
        while not (tmp_path / "checkpoints" / "2").exists():
            assert [process.poll() for process in both] == [None, None]
            time.sleep(0.05)
        both[lost].kill()
        code, _, error = finish(both[1 - lost], timeout=30)
    assert code != 0
    assert "lost the other hosts of its run" in error
    assert "run the same command again on every host: it resumes" in error
