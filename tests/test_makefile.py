"""The commands behind `make music`, `make test` and `make fuzz`."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("music", "experiments/melody/music.py --workdir runs/music"),
        ("test", "-m pytest"),
        ("fuzz", "tests/fuzz.py --minutes 10 --seconds 0"),
        ("fuzz MINUTES=60", "tests/fuzz.py --minutes 60 --seconds 0"),
        ("fuzz SECONDS=90", "tests/fuzz.py --minutes 0 --seconds 90"),
    ],
)
def test_make(target, runs):
    dry = ["make", "--dry-run", "--always-make", *target.split()]
    said = subprocess.run(
        dry, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "-m venv" in said
    assert "pip install" in said
    assert runs in " ".join(said.replace("\\\n", " ").split())


def test_ci_calls_the_readme_s_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "\nmake test " in (ROOT / "README.md").read_text()
