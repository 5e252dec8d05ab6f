"""The notebooks, executed as they stand but for the number of steps."""

import pathlib

import nbclient
import nbformat
import numpy as np
import pytest
import soundfile

TINY = (
    "bands=4, factors=(2, 2), width=4, latent=6, dilations=(1,), scales=1, sizes=(32,)"
)
COLAB = pathlib.Path(__file__).parents[2] / "colab"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", sorted(COLAB.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path, monkeypatch, abc_folder):
    bells = tmp_path / "bells"
    bells.mkdir()
    for i in range(6):
        tone = 0.5 * np.sin(2 * np.pi * (50 + 20 * i) / 8000 * np.arange(8000))
        soundfile.write(bells / f"{i}.wav", tone, 8000)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells]
    assert any("STEPS = " in source for source in sources)
    for cell in notebook.cells:
        cell.source = (
            cell.source.replace("STEPS = 200", "STEPS = 3")
            .replace(
                'Bars(corpus="tunes"',
                'Bars(metres=("12/4", "4/4", "6/8"), bars=1, corpus="tunes"',
            )
            .replace('corpus="tunes"', f'corpus="folder:{abc_folder}", batch=8')
            .replace("width=256", "width=16")
            .replace(
                'corpus="soundfont_notes", length=4096, batch=32',
                f'corpus="audio_folder:{bells}", hertz=8000, seconds=0.5, length=1024, batch=4',
            )
            .replace("factors=(4, 4), width=48, latent=192", TINY)
            .replace(
                "latent=64, encoder=(128,), decoder=(128,)",
                "latent=4, encoder=(8,), decoder=(8,)",
            )
        )
        assert not cell.get("outputs"), "a notebook is committed without its outputs"
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    sounds = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "audio" in str(output.get("data", {}).get("text/html", ""))
    ]
    assert len(sounds) == 4


def test_first_sound_is_three_cells_away():
    notebook = nbformat.read(COLAB / "tour.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert "Audio(" in code[2]
    assert "git clone" not in "".join(code)
