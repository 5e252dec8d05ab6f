"""The notebooks, executed as they stand except for sizes."""

import pathlib

import nbformat
import numpy as np
import pytest
import soundfile
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

COLAB = pathlib.Path(__file__).parents[2] / "colab"
CORPUS = 'corpus="tunes"'
SMALL = {  # replacements in the source of each notebook, every one of which must occur
    "tour": {
        "STEPS = 200": "STEPS = 3",
        "embed=64, width=256, layers=2": "embed=8, width=8, layers=1",
        "length=256": "length=64",
        CORPUS: 'corpus="folder:{tunes}", batch=8',
    },
    "latent_space": {
        "STEPS = 200": "STEPS = 3",
        CORPUS: 'metres=("12/4", "4/4", "6/8"), bars=1, '
        'corpus="folder:{tunes}", batch=8',
        "latent=64": "latent=4",
        "encoder=(128,)": "encoder=(8,)",
        "decoder=(128,)": "decoder=(8,)",
    },
    "vocoder": {
        "STEPS = 200": "STEPS = 3",
        'corpus="soundfont_notes"': 'corpus="audio_folder:{bells}", hertz=8000, '
        "seconds=0.5",
        "length=4096, batch=32": "length=1024, batch=4",
        "factors=(4, 4), width=48, latent=192": "bands=4, factors=(2, 2), width=4, "
        "latent=6, dilations=(1,), critic_scales=1, fft_sizes=(32,)",
    },
}
NOTEBOOKS = sorted(COLAB.glob("*.ipynb"))


def code_cells(path: pathlib.Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.fixture
def bells(tmp_path):
    """A folder with six short recordings of sines."""
    (tmp_path / "bells").mkdir()
    for i in range(6):
        tone = 0.5 * np.sin(2 * np.pi * (50 + 20 * i) / 8000 * np.arange(8000))
        soundfile.write(tmp_path / "bells" / f"{i}.wav", tone, 8000)
    return tmp_path / "bells"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython in this process, which saves three processes that import everything."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    yield InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    InteractiveShell.clear_instance()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch, abc_folder, bells, shell, corpora):
    monkeypatch.setenv("ZOO_DATA", str(corpora))
    monkeypatch.chdir(tmp_path)
    cells = code_cells(path)
    for old, new in SMALL[path.stem].items():
        assert any(old in cell for cell in cells), f"{path.name} has no {old}"
        new = new.format(tunes=abc_folder, bells=bells)
        cells = [cell.replace(old, new) for cell in cells]
    outputs = []
    for cell in cells:
        with capture_output() as captured:
            shell.run_cell(cell).raise_error()
        outputs += captured.outputs
    shown = [str((output.data or {}).get("text/html", "")) for output in outputs]
    assert sum("audio" in html for html in shown) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs"), cell.source


def test_the_first_sound_is_three_cells_away():
    code = code_cells(COLAB / "tour.ipynb")
    assert "Audio(" in code[2]
    assert "git clone" not in "".join(code)
