"""Tries new examples on every codec and reader, for as long as asked.

    make fuzz MINUTES=60
    python tests/fuzz.py --seconds 90

A round draws new examples for every property of tests/codecs, tests/data, notation and
the values of options, and mutates files for the readers. What a round finds is printed
with the commands that repeat it.
"""

import argparse
import random
import shlex
import subprocess
import sys
import time


def commands(seed: int) -> list[list[str]]:
    """Returns the commands of one round, which `seed` determines."""
    properties = ["-m", "pytest", "-m", "hypothesis", "--hypothesis-profile=fuzz"]
    properties += [f"--hypothesis-seed={seed}", "tests/codecs", "tests/data"]
    properties += ["tests/listen/test_notation.py"]
    properties += ["tests/runner/test_options.py"]
    size = ["--n", "2000", "--seed", str(seed)]
    scores = ["tests/data/test_fuzz.py", *size]
    recordings = ["tests/data/test_fuzz_recordings.py", *size]
    checkpoints = ["tests/inference/test_hostile_checkpoints.py", "--n", "100"]
    checkpoints += ["--seed", str(seed)]
    parts = properties, scores, recordings, checkpoints
    return [["python", *words] for words in parts]


def failed(command: list[str]) -> bool:
    """Runs a command; prints its output and how to repeat it if it fails."""
    words = [sys.executable, *command[1:]]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        print(f"To repeat it: {shlex.join(command)}", flush=True)
    return bool(done.returncode)


def fuzz(seconds: float, seed: int) -> int:
    """Starts rounds until the time is up; returns how many commands failed."""
    failures, rounds, end = 0, 0, time.monotonic() + seconds
    while rounds == 0 or time.monotonic() < end:
        failures += sum(failed(command) for command in commands(seed + rounds))
        rounds += 1
    print(f"{rounds} rounds from seed {seed} on, {failures} failures")
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes + arguments.seconds
    raise SystemExit(fuzz(seconds, arguments.seed) > 0)


if __name__ == "__main__":
    main()
