"""SIGKILL at any time loses only the steps since the last save.

The test kills a run a few times. `python tests/train/test_kill.py --kills 20 --seed 0`
kills it more often.
"""

import argparse
import json
import pathlib
import random
import signal
import sys
import tempfile
import time

from child import finish, first_batch, running, spawn

WIDTH = 400_000  # a state of 6 MB: a save takes as long as some steps
SAVE_EVERY = 2
LAG = 2  # steps whose metrics may not be written yet


def complete(workdir):
    """Returns the steps that have a complete checkpoint."""
    names = [path.name for path in workdir.glob("checkpoints/*")]
    return sorted(int(name) for name in names if name.isdigit())


def saving(workdir):
    return any(workdir.glob("checkpoints/*tmp*"))


def logged(workdir):
    lines = (workdir / "metrics.jsonl").read_text().split("\n")[:-1]
    return max((json.loads(line)["step"] for line in lines), default=0)


def survive(workdir, kills, seed, steps):
    """Trains in `workdir`, killed `kills` times. Yields a report of each kill."""
    rng, options = (
        random.Random(seed),
        ("--steps", steps, "--width", WIDTH, "--delay", 0.02),
    )
    options += ("--save-every", SAVE_EVERY)
    safe = 0
    for _ in range(kills):
        with running(spawn(workdir, *options)) as (process,):
            start = first_batch(process)
            assert start == safe, "a run resumes from its last complete checkpoint"
            for _ in range(rng.randrange(16)):
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            # half of the kills wait until a save is in progress
            during_save = rng.random() < 0.5
            while during_save and process.poll() is None and not saving(workdir):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        safe = max(complete(workdir), default=0)
        assert safe >= start, "checkpoints are not lost"
        reached = logged(workdir) if (workdir / "metrics.jsonl").exists() else 0
        # one save may have been in progress, and the next one waiting for it
        assert reached - safe <= 2 * SAVE_EVERY + LAG
        yield {
            "from": start,
            "reached": reached,
            "safe": safe,
            "saving": saving(workdir),
        }
    code, out, err = finish(spawn(workdir, *options))
    assert code == 0, err
    yield out.splitlines()[-1]


def check(root, kills, seed, steps):
    """Compares a run that was killed with one that was not."""
    *accounts, end = survive(root / "killed", kills, seed, steps)
    code, out, err = finish(
        spawn(
            root / "whole",
            "--steps",
            steps,
            "--width",
            WIDTH,
            "--save-every",
            SAVE_EVERY,
        )
    )
    assert code == 0, err
    assert end.startswith("digest")
    assert end == out.splitlines()[-1], "bit for bit"
    killed, uninterrupted = (
        root / name / "metrics.jsonl" for name in ("killed", "whole")
    )
    assert killed.read_text() == uninterrupted.read_text()
    assert not list((root / "killed" / "checkpoints").glob("*tmp*"))
    return accounts


def test_a_killed_run_ends_in_the_same_state(tmp_path):
    check(tmp_path, kills=3, seed=1, steps=24)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        accounts = check(
            pathlib.Path(root), args.kills, args.seed, steps=4 * args.kills
        )
        for account in accounts:
            print(account)
    during = sum(account["saving"] for account in accounts)
    print(
        f"{args.kills} kills, {during} during a save: the same state and curve",
        file=sys.stderr,
    )
