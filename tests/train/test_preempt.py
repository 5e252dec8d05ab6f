"""SIGTERM, which is how a machine is taken away: save, exit with 0, and go on as if nothing was."""

import signal
import time

import pytest
from child import finish, first_batch, spawn

OPTIONS = ("--steps", 12, "--save-every", 5, "--delay", 0.05, "--width", 100_000)
COMPILING, STEPPING = "while compiling", "between steps"


def saved(workdir):
    return sorted(int(p.name) for p in (workdir / "checkpoints").iterdir() if p.name.isdigit())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    code, out, err = finish(spawn(workdir, *OPTIONS))
    assert code == 0, err
    return out.splitlines()[-1], (workdir / "metrics.jsonl").read_text()


@pytest.mark.parametrize("moment", [COMPILING, STEPPING])
def test_sigterm_saves_and_the_same_command_goes_on(tmp_path, uninterrupted, moment):
    process = spawn(tmp_path, *OPTIONS)
    first_batch(process)
    if moment == STEPPING:
        while not (tmp_path / "checkpoints" / "5").exists():  # the next save is at step 10
            time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 0
    assert "the same command goes on" in err
    stopped = saved(tmp_path)[-1]
    assert 0 < stopped < 12
    assert f"SIGTERM: saved at step {stopped}" in err
    assert stopped <= 2 if moment == COMPILING else 5 <= stopped <= 9
    code, out, err = finish(spawn(tmp_path, *OPTIONS))
    assert code == 0, err
    assert (out.splitlines()[-1], (tmp_path / "metrics.jsonl").read_text()) == uninterrupted
