"""Every command and every line of Python in the README, run: small, but as they stand."""

import functools
import pathlib
import random
import re
import runpy
import shlex
import shutil
import sys

import numpy as np
import pytest
import scipy.io

import zoo.cli.main
from zoo.data.audio import datasets
from zoo.data.audio.soundfont_notes import SoundfontNotes

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SMALL = {  # what is added to a command to make it small
    "tunes_lstm.py": "--steps 3 --width 8 --layers 1 --embed 8 --batch 8 --length 32 --samples 1",
    "polyphonic_jsb.py": "--steps 2 --width 8 --layers 1 --depth 1 --heads 1 --members 1 "
    "--length 32 --batch 8 --samples 1",
    "music_vae_2bar.py": "--steps 2 --encoder 8 --decoder 8 --latent 4 --batch 8 --samples 1 "
    "--steered 1",
    "style_classifier.py": "--steps 2 --width 8 --batch 8",
    "zoo sample tunes_lstm": "--n 1",
    "musegan_chorales.py": "--steps 2 --latent 4 --width 16 --reader 4 --batch 8 --samples 1 "
    "--drawn 0 --game hinge --r1 0",
    "zoo interpolate": "--steps 2",
    "zoo mix": "--n 1",
    "zoo vary": "--n 1",
    "latent_diffusion.py": "--steps 2 --width 8 --layers 1 --heads 1 --calls 2 --parts 4 --batch 8 "
    "--samples 1 --drawn 0",
    "benchmark.py": "--families markov --rounds 1",
    "data build soundfont_notes": "--rate 8000 --seconds 0.5",
    "vocoder_notes.py": "--steps 2 --width 4 --latent 20 --factors 2 --hertz 8000 --seconds 0.5 "
    "--length 1024 --batch 4 --judged 3 --measured 2 --besides '' --samples 2",
    "vocoder_refined.py": "--steps 2 --hertz 8000 --seconds 0.5 --length 1024 --batch 4 --judged 3 "
    "--measured 2 --besides '' --samples 1",
}
ELSEWHERE = {  # commands that need another machine, and the test that runs what they do
    "make": "tests/test_makefile.py",
    "pip": "extras are resolved by pip itself",
    "--coordinator": "tests/train/test_distributed.py",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def folder_of_tunes(tmp_path, monkeypatch, abc_folder):
    """A fresh directory with ./music in it, as someone with tunes of their own would have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    shutil.copytree(abc_folder, tmp_path / "music")
    rng = random.Random(1)
    (tmp_path / "music" / "airs").mkdir()
    airs = (
        f"airs/{number}" for number in range(80)
    )  # so many that every split has one
    for name in ("one", "two", *airs):
        bars = "|".join(
            "".join(rng.choice("DEFGABcdefg") for _ in range(8)) for _ in range(4)
        )
        text = f"X:1\nT:{name}\nM:4/4\nL:1/8\nK:{rng.choice(('G', 'Em'))}\n{bars}|]\n"
        (tmp_path / "music" / f"{name}.abc").write_text(text)
    chord = np.zeros((24, 88), np.uint8)
    chord[:, [27, 39, 43, 48]] = 1
    cell = np.empty((1, 2), object)
    cell[0, :] = [chord, chord]
    splits = dict.fromkeys(("traindata", "validdata", "testdata"), cell)
    scipy.io.savemat(tmp_path / "JSB_Chorales.mat", splits)
    return tmp_path


def run(words: list[str], monkeypatch) -> None:
    small = next(
        (extra for name, extra in SMALL.items() if name in " ".join(words)), ""
    )
    words = [*words, *shlex.split(small)]
    if (
        words[0] == "python"
        and "folder:" not in " ".join(words)
        and "tunes_" in words[1]
    ):
        words += ["--corpus", "folder:music"]
    monkeypatch.setattr(sys, "argv", words[1:] if words[0] == "python" else words)
    try:
        if words[0] == "python":
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        else:
            zoo.cli.main.main()
    except SystemExit as stop:
        if stop.code:
            pytest.fail(f"{shlex.join(words)} exited with {stop.code}")


def test_every_command_runs(folder_of_tunes, monkeypatch):
    few = functools.partial(
        SoundfontNotes, programs=(0, 40), pitches=(48, 84), every=12
    )
    monkeypatch.setattr(datasets, "Notes", few)
    ran = [c for c in commands() if not any(word in ELSEWHERE for word in c)]
    for words in ran:
        run(words, monkeypatch)
    assert len(ran) >= 7
    assert (folder_of_tunes / "mine" / "index.html").exists()
    assert (folder_of_tunes / "mine" / "08.wav").stat().st_size > 44100
    for code in blocks("python"):  # the runs just made are those it loads
        exec(compile(code, "README.md", "exec"), {})


def test_nothing_is_left_out():
    skipped = [c for c in commands() if any(word in ELSEWHERE for word in c)]
    assert {c[0] for c in skipped} <= {"make", "pip", "python"}
    assert all("--coordinator" in c for c in skipped if c[0] == "python")
