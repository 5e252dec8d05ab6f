"""Runs every command and every line of Python in the README and in docs/, made
small."""

import functools
import itertools
import pathlib
import random
import re
import runpy
import shlex
import shutil
import sys
from typing import NamedTuple

import jax
import numpy as np
import pytest
import scipy.io

import zoo.cli.main
from zoo.data.audio import datasets
from zoo.data.audio.soundfont_notes import SoundfontNotes

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Arguments that make a command small. All commands of one chain use the same sizes, so
# that a program which one of them compiles is in the persistent cache for the next.
SMALL = {
    "tunes_lstm.py": "--steps 3 --width 8 --layers 1 --embed 8 --batch 8 --length 64 "
    "--samples 1",
    "polyphonic_jsb.py": "--steps 2 --width 8 --layers 1 --depth 1 --heads 1 "
    "--members 1 --length 32 --batch 8 --samples 1",
    "music_vae_2bar.py": "--steps 2 --encoder 8 --decoder 8 --latent 4 --batch 8 "
    "--samples 1 --steered 1",
    "style_classifier.py": "--steps 2 --width 8 --batch 8",
    "musegan_chorales.py": "--steps 2 --latent 4 --width 16 --critic-width 4 --batch 8 "
    "--samples 1 --drawn 0 --game hinge --r1 0",
    "latent_diffusion.py": "--steps 2 --width 8 --layers 1 --heads 1 --solver-steps 2 "
    "--parts 4 --batch 8 --samples 1 --drawn 0",
    "music_vae_prior.py": "--steps 2 --width 8 --layers 1 --heads 1 --batch 8 "
    "--samples 1",
    "vocoder_notes.py": "--steps 2 --bands 4 --width 4 --latent 6 --factors 2 "
    "--dilations 1 --critic-width 2 --critic-scales 1 --fft-sizes 128 --hertz 8000 "
    "--seconds 0.5 --length 1024 --batch 4 --judged 3 --measured 2 --besides '' "
    "--samples 2",
    "vocoder_refined.py": "--steps 2 --hertz 8000 --seconds 0.5 --length 1024 "
    "--batch 4 --judged 3 --measured 2 --besides '' --samples 1",
    "data build soundfont_notes": "--rate 8000 --seconds 0.5",
    "zoo sample --n 8": "--n 1",
    "zoo sample runs/gan": "--best-of 4",
    "zoo evaluate": "--samples 2 --batch 8",
    "zoo leaderboard": "--bars 1 --pieces 6 --seeds 1",
    "zoo gallery": "--bars 1 --n 1",
    "zoo compose": "--candidates 1",
    "zoo interpolate": "--steps 2",
    "zoo mix": "--n 1",
    "zoo vary": "--n 1",
    "speed.py": "--families markov --rounds 1",
}
# Commands that need another machine, and where what they do is tested.
ELSEWHERE = {
    "make": "tests/test_makefile.py",
    "pip": "pip itself resolves extras",
    "--coordinator": "tests/train/test_distributed.py",
}
PYTHON = "python -c"


class Command(NamedTuple):
    page: str
    words: tuple[str, ...]  # of a shell, or PYTHON and a block of code

    @property
    def shared(self) -> set[str]:
        """Returns the runs that it writes or reads, and the experiment that it is."""
        return set(re.findall(r"runs/\w+|\w+/\w+\.py", " ".join(self.words)))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def commands() -> list[Command]:
    """Returns every command of every page, those of shells before those of Python."""
    shell, python = [], []
    for path in PAGES:
        page, text = path.name, path.read_text()
        lines = "".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
        words = [tuple(shlex.split(line, comments=True)) for line in lines]
        shell += [Command(page, line) for line in words if line]
        python += [Command(page, (PYTHON, code)) for code in blocks(text, "python")]
    return [*dict.fromkeys(shell), *python]


def is_elsewhere(command: Command) -> bool:
    return any(word in ELSEWHERE for word in command.words)


def chains() -> dict[str, list[Command]]:
    """Returns the commands that run here, in groups that share no run or experiment."""
    groups: list[tuple[set[str], list[Command]]] = []
    for command in itertools.filterfalse(is_elsewhere, commands()):
        shared = command.shared or {"runs/none"}
        joined = [group for group in groups if group[0] & shared]
        groups = [group for group in groups if not group[0] & shared]
        shared = shared.union(*(names for names, _ in joined))
        groups.append((shared, [x for _, group in joined for x in group] + [command]))
    return {max(names).removeprefix("runs/"): group for names, group in groups}


CHAINS = chains()


@pytest.fixture(scope="session")
def folder_of_tunes(tmp_path_factory, abc_folder):
    """A directory with ./music in it, as someone with tunes of their own would have."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(abc_folder, home / "music")
    rng = random.Random(1)
    (home / "music" / "airs").mkdir()
    # so many that every split has one
    airs = (f"airs/{number}" for number in range(80))
    for name in ("one", "two", *airs):
        bars = "|".join(
            "".join(rng.choice("DEFGABcdefg") for _ in range(8)) for _ in range(4)
        )
        key = rng.choice(("G", "Em"))
        text = f"X:1\nT:{name}\nM:4/4\nL:1/8\nK:{key}\n{bars}|]\n"
        (home / "music" / f"{name}.abc").write_text(text)
    chord = np.zeros((24, 88), np.uint8)
    chord[:, [27, 39, 43, 48]] = 1
    cell = np.empty((1, 2), object)
    cell[0, :] = [chord, chord]
    splits = dict.fromkeys(("traindata", "validdata", "testdata"), cell)
    scipy.io.savemat(home / "JSB_Chorales.mat", splits)
    return home


def small(words: tuple[str, ...]) -> list[str]:
    """Returns a command with the arguments that make it small, on the tunes at hand."""
    line = " ".join(words)
    added = next((extra for name, extra in SMALL.items() if name in line), "")
    if "tunes_lstm.py" in line and "folder:" not in line:
        added += " --corpus folder:music"
    return [*words, *shlex.split(added)]


def run(words: list[str], monkeypatch) -> None:
    python = words[0] == "python"
    monkeypatch.setattr(sys, "argv", words[1:] if python else words)
    try:
        if python:
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        else:
            zoo.cli.main.main()
    except SystemExit as stop:
        if stop.code:
            pytest.fail(f"{shlex.join(words)} exited with {stop.code}")


def outputs(words: list[str]) -> list[pathlib.Path]:
    """Returns what a command must have written: what it names, and a run's record."""
    named = dict(itertools.pairwise(words))
    paths = [pathlib.Path(named["--out"])] if "--out" in named else []
    if "--workdir" in named:
        paths.append(pathlib.Path(named["--workdir"], "result.json"))
    return paths


@pytest.mark.parametrize("name", sorted(CHAINS, key=lambda name: -len(CHAINS[name])))
def test_commands_run(name, folder_of_tunes, monkeypatch):
    monkeypatch.chdir(folder_of_tunes)
    monkeypatch.setenv("ZOO_DATA", str(folder_of_tunes / "data"))
    few = functools.partial(
        SoundfontNotes, programs=(0, 40), pitches=(48, 84), every=12
    )
    monkeypatch.setattr(datasets, "SoundfontNotes", few)
    for command in CHAINS[name]:
        jax.clear_caches()  # as in a process of its own: few programs stay in memory
        if command.words[0] == PYTHON:
            exec(compile(command.words[1], command.page, "exec"), {})
            continue
        words = small(command.words)
        run(words, monkeypatch)
        for path in outputs(words):
            assert path.is_dir() or path.stat().st_size, f"{path} is empty"
            assert not path.is_dir() or any(path.iterdir()), f"{path} is empty"


def test_every_command_runs_here_or_is_tested_elsewhere():
    skipped = [command.words for command in commands() if is_elsewhere(command)]
    assert {words[0] for words in skipped} <= {"make", "pip", "python"}
    assert all("--coordinator" in words for words in skipped if words[0] == "python")
    run_here = [command for chain in CHAINS.values() for command in chain]
    assert len(run_here) + len(skipped) == len(commands())
    shared = set().union(*(command.shared for command in run_here))
    assert {"runs/mine", "runs/vae", "runs/gan", "runs/notes"} <= shared


def test_every_small_size_is_used():
    lines = [" ".join(command.words) for command in commands()]
    assert [name for name in SMALL if not any(name in line for line in lines)] == []
