"""One process at a time writes a run."""

import os
import subprocess
import sys

import optax
import pytest
from child import running
from quadratic import Points, Quadratic

from zoo.errors import UsageError
from zoo.train import loop
from zoo.train.lock import sole_writer
from zoo.train.options import Options

HOLD = """
import pathlib, sys, time
from zoo.train.lock import sole_writer
with sole_writer(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def holder(workdir):
    """Starts a process that locks a directory, and waits until it has."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workdir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    return process


def train(workdir):
    return loop.fit(
        Quadratic(4),
        Points(),
        tx=optax.sgd(1e-2),
        steps=2,
        workdir=workdir,
        options=Options(quiet=True),
    )


def test_a_second_process_is_told_who_writes_and_a_killed_one_lets_go(tmp_path):
    workdir = tmp_path / "run"
    with running(holder(workdir)) as (other,):
        with pytest.raises(UsageError, match=f"written by process {other.pid} on "):
            train(workdir)
        assert [path.name for path in workdir.iterdir()] == [".lock"]
        other.kill()
        other.wait()
        assert train(workdir).state.step == 2


def test_a_writer_may_lock_again_and_lets_go_when_it_ends(tmp_path):
    for _ in range(2):
        with sole_writer(tmp_path), sole_writer(tmp_path):
            assert f"process {os.getpid()}" in (tmp_path / ".lock").read_text()


def test_a_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UsageError, match=r"cannot write to .*run \(File exists\)"):
        train(tmp_path / "run")
