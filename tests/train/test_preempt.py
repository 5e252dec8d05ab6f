"""SIGTERM saves a checkpoint, exits with 0, and the run resumes from there."""

import json
import signal
import time

import pytest
from child import finish, first_batch, running, spawn

OPTIONS = ("--steps", 12, "--save-every", 5, "--delay", 0.2, "--width", 100_000)
COMPILING, STEPPING = "while compiling", "between steps"


def saved(workdir):
    return sorted(
        int(p.name) for p in (workdir / "checkpoints").iterdir() if p.name.isdigit()
    )


def logged(workdir):
    return json.loads((workdir / "metrics.jsonl").read_text().splitlines()[-1])["step"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    code, out, err = finish(spawn(workdir, *OPTIONS))
    assert code == 0, err
    return out.splitlines()[-1], (workdir / "metrics.jsonl").read_text()


@pytest.mark.parametrize("moment", [COMPILING, STEPPING])
def test_sigterm_saves_and_the_same_command_resumes(tmp_path, uninterrupted, moment):
    with running(spawn(tmp_path, *OPTIONS)) as (process,):
        first_batch(process)
        if moment == STEPPING:
            # that save may still be in progress
            while not any((tmp_path / "checkpoints").glob("5*")):
                time.sleep(0.01)
        before = logged(tmp_path) if moment == STEPPING else 0
        process.send_signal(signal.SIGTERM)
        code, _, err = finish(process)
    assert code == 0
    assert "the same command resumes" in err
    stopped = saved(tmp_path)[-1]
    assert f"SIGTERM: saved at step {stopped}" in err
    assert before <= stopped <= before + 4  # two of them not logged yet
    assert logged(tmp_path) == stopped
    code, out, err = finish(spawn(tmp_path, *OPTIONS))
    assert code == 0, err
    assert (
        out.splitlines()[-1],
        (tmp_path / "metrics.jsonl").read_text(),
    ) == uninterrupted
