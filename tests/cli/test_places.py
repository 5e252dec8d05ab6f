"""Commands whose files and folders are strange, closed or missing."""

import numpy as np
import pytest
import soundfile
from commands import command


def test_every_drop_is_listed_without_markup(tmp_path, monkeypatch, capsys):
    scores = tmp_path / "scores"
    scores.mkdir()
    tune = "X:1\nT:[red]\x1b[31m\nM:4/4\nL:1/8\nK:C\nCDEF GABc|\n"
    (scores / "good.abc").write_text(tune)
    for number in range(5):
        (scores / f"[b]{number}.mid").write_bytes(b"MThd")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    assert command(f"data build folder:{scores} --list", monkeypatch) == 0
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("dropped as")]
    assert [line.split(": ")[1] for line in lines] == [
        f"scores/[b]{number}.mid" for number in range(5)
    ]
    assert "\x1b" not in said


def test_dropped_recordings_are_listed(tmp_path, monkeypatch, capsys):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(sounds / "a.wav", 0.1 * np.sin(np.arange(8000)), 8000)
    for number in range(4):
        (sounds / f"{number}.mp3").write_bytes(b"no sound")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    assert command(f"data build audio_folder:{sounds} --list", monkeypatch) == 0
    assert capsys.readouterr().out.count("dropped as unreadable: ") == 4


@pytest.mark.parametrize(
    "words",
    ["sample tunes_lstm --out FILE", "reconstruct a.wav --run x --out FOLDER"],
)
def test_an_output_that_cannot_be_written_is_refused_first(
    words, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    words = words.replace("FILE", str(tmp_path / "file"))
    words = words.replace("FOLDER", str(tmp_path))
    assert command(words, monkeypatch) == 2
    said = capsys.readouterr().err
    assert "as --out." in said
    assert said.count("\n") == 1
