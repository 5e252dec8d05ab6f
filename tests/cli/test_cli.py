"""The command line, and a trained model as `zoo.load` returns it."""

import json
import pathlib
import re
import runpy
import sys

import numpy as np
import pytest
from commands import command

import zoo
from zoo.data.scores.read import open_piece
from zoo.errors import UsageError
from zoo.tasks import Events, Phrases

ROOT = pathlib.Path(__file__).parents[2]
# the sizes of tests/docs/test_commands.py, whose programs are then in the cache
SMALL = (
    "--width 8 --layers 1 --embed 8 --batch 8 --length 64 --save-every 4 --samples 1"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, abc_folder, corpora):
    """The directory of a run of the LSTM experiment, eight steps long."""
    home = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(corpora))
        patch.chdir(home)
        experiment(
            "tunes_lstm",
            f"--corpus folder:{abc_folder} --workdir run --steps 8 {SMALL}",
            patch,
        )
        yield home / "run"


def experiment(name: str, words: str, patch) -> None:
    patch.setattr(sys, "argv", [f"{name}.py", *words.split()])
    [path] = (ROOT / "experiments").glob(f"*/{name}.py")
    runpy.run_path(str(path), run_name="__main__")


def test_a_run_leaves_a_record(run):
    result = json.loads((run / "result.json").read_text())
    assert result["experiment"] == "tunes_lstm"
    assert 0 < result["metrics"]["test_nll"] < 6
    assert 0 <= result["metrics"]["input_wait"] <= 1
    config = json.loads((run / "config.json").read_text())
    assert config["family"]["width"] == 8
    assert config["task"]["corpus"].startswith("folder:")
    curve = [
        json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    assert any("valid" in point for point in curve)
    assert any((run / "tensorboard").iterdir())
    assert {path.name for path in (run / "samples").iterdir()} == {
        "01.mid",
        "01.wav",
        "01.png",
        "01-score.png",
        "index.html",
    }


def test_a_finished_run_is_not_changed(run, abc_folder, monkeypatch):
    before = {path: path.read_bytes() for path in run.rglob("*.json*")}
    monkeypatch.chdir(run.parent)
    words = f"--corpus folder:{abc_folder} --workdir run --steps 8 {SMALL}"
    experiment("tunes_lstm", words, monkeypatch)
    assert {path: path.read_bytes() for path in run.rglob("*.json*")} == before


def test_sampling_again_writes_the_same_files(run, tmp_path, monkeypatch):
    for name in ("a", "b"):
        controls = "--n 1 --seed 5 --temperature 0.9 --top-p 0.95"
        words = f"sample {run} {controls} --out {tmp_path / name}"
        assert command(words, monkeypatch) == 0
    for file in ("01.mid", "01.wav"):
        assert (tmp_path / "a" / file).read_bytes() == (
            tmp_path / "b" / file
        ).read_bytes()


@pytest.mark.parametrize(
    "words", ["--beam 3 --no-repeat 12", "--best-of 2", "--no-grammar"]
)
def test_options_of_sampling(run, abc_folder, tmp_path, monkeypatch, words):
    primer = abc_folder / "jigs" / "1.abc"
    words += f" --n 1 --length 160 --primer {primer} --out {tmp_path / 'out'}"
    assert command(f"sample {run} {words}", monkeypatch) == 0
    assert {"01.mid", "01.wav", "index.html"} <= {
        x.name for x in (tmp_path / "out").iterdir()
    }


def test_a_model_is_exported(run, tmp_path, monkeypatch, capsys):
    words = f"export {run} --to stablehlo --out {tmp_path / 'lstm'} --batch 3"
    assert command(words, monkeypatch) == 0
    assert "about.json names what goes in and out" in capsys.readouterr().out
    assert json.loads((tmp_path / "lstm" / "about.json").read_text())["batch"] == 3


def test_a_primer_is_continued(run, abc_folder):
    model = zoo.load(run)
    primer = open_piece(abc_folder / "jigs" / "3.abc").sequence
    events = model.prime(primer).array[:20]
    tokens = model.tokens(3, seed=1, primer=events)
    assert (tokens[:, :20] == events).all()


def test_what_reading_a_primer_left_out_is_printed(run, tmp_path, monkeypatch, capsys):
    """A book of two tunes; the first has grace notes, and a chord on every beat."""
    bar = "{d}[FAc]2[GBd]2[FAc]2[GBd]2|"
    tunes = (f"X:{i}\nM:4/4\nL:1/8\nQ:1/4=90\nK:C\n{bar * 4}\n\n" for i in (1, 2))
    (tmp_path / "book.abc").write_text("".join(tunes))
    words = f"sample {run} --primer {tmp_path / 'book.abc'} --primer-bars 2 --bars 3"
    assert command(f"{words} --n 1 --out {tmp_path / 'out'}", monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "book.abc: left out or corrected: 4 grace notes, 1 other pieces",
        "book.abc: primer: the last 2 of its 4 bars are read",
        "book.abc: chords: 16 lower notes dropped",
    ]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "The model begins at 0:05, in bar 3." in page


def test_samples_are_pieces_with_notes(run):
    pieces = zoo.load(run).sample(5, seed=2, length=40)
    assert len(pieces) == 5
    assert all(piece.notes for piece in pieces)


def test_greedy_sampling_needs_no_seed(run):
    model = zoo.load(run)
    a, b = (model.tokens(2, seed, length=30, temperature=0) for seed in (0, 1))
    assert np.array_equal(a, b)


def test_evaluate_prints_what_training_recorded(run, monkeypatch, capsys):
    result = json.loads((run / "result.json").read_text())
    assert command(f"evaluate {run} --batch 8 --samples 0", monkeypatch) == 0
    printed = re.search(r"nll\D+([\d.]+)", capsys.readouterr().out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(result["metrics"]["test_nll"], abs=1e-4)


def test_evaluate_compares_pieces_with_real_ones(run, monkeypatch, capsys):
    assert (
        command(
            f"evaluate {run} --batch 8 --samples 2 --seed 5 --split train", monkeypatch
        )
        == 0
    )
    said = capsys.readouterr().out
    assert f"2piecesof{run},andasmanyoffolder:" in "".join(said.split())
    for row in ("scale_consistency", "self_bleu", "copy_any_key_longest", "word_pairs"):
        assert re.search(rf"{row}\W+[\d.]+", said)
    assert "drum_pattern" not in said  # a melody has none


def test_real_pieces_are_no_longer_than_a_model_writes_them(run, abc_folder):
    corpus = f"folder:{abc_folder}"
    lengths = lambda task, **limit: {len(x) for x in task.examples("train", **limit)}
    events = Events(corpus)
    assert max(lengths(events, length=1000)) > 40
    assert lengths(events, length=40) == {40}
    phrases = Phrases(corpus, bars=2)
    assert lengths(phrases) == {phrases.coder.length}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("sample nowhere", 2, "there is no run at nowhere"),
        ("sample RUN --temperature nan", 2, "--temperature is nan"),
        (
            "sample RUN --top-p 0",
            2,
            "--top-p is 0: choose a number above 0 and at most 1.",
        ),
        ("sample RUN --n 0", 2, "--n is 0"),
        ("sample RUN --temprature 1", 2, "--temperature"),
        ("sample RUN --temperature -1", 2, "--temperature is -1"),
        (
            "sample RUN --no-repeat 1",
            2,
            "--no-repeat is 1: choose a whole number from 2",
        ),
        ("sample RUN --length 2", 2, "has 3 events or more"),
        ("sample RUN --best-of 0", 2, "--best-of is 0: choose a whole number from 1"),
        ("sample RUN --beam 0", 2, "--beam is 0"),
        ("sample RUN --beam 2 --temperature 0.5", 2, "beam search samples nothing"),
        ("sample RUN --rewrite alto", 2, "LSTM writes from left to right"),
        ("sample RUN --rewrite viola", 2, "viola"),
        ("sample RUN --primer none.mid", 2, "none.mid"),
        ("sample RUN --primer TUNE --length 8", 2, "a piece of 8 was requested"),
        (
            "sample RUN --primer HIGH",
            2,
            "leave the range 36 to 96; transposed by -26 it would fit",
        ),
        ("sample RUN --primer ELEVEN", 2, "does not fit the Melody codec"),
        ("sample RUN --primer ELEVEN", 2, "A bar is in 11/4; it needs a model of its"),
        ("sample RUN --primer HIGH --bars 4 --length 9", 2, "--bars or --length"),
        ("sample RUN --primer RESTS", 2, "no notes"),
        ("evaluate RUN --corpus folder:/none", 2, "/none"),
        (
            "evaluate RUN --corpus FRAMES.json",
            2,
            "arrays of the Voices codec, not of Melody",
        ),
        ("data build tuness", 2, "Did you mean 'tunes'"),
        ("data build folder:/none --for melodi", 2, "did you mean 'melody'"),
        ("data build audio_folder:/none", 2, "There is no folder /none"),
        ("data build tunes --metre waltz", 2, "metre is 'waltz': choose one such as"),
        ("data build tunes --metres 3/4", 2, "name the codec by --for"),
        ("data build soundfont_notes --metre 3/4", 2, "states no metre"),
        ("sample RUN --primer TUNE --metre 3", 2, "metre is '3': choose one such as"),
    ],
)
def test_an_error_is_one_sentence(
    run, abc_folder, tmp_path, monkeypatch, capsys, words, code, says
):
    words = words.replace("RUN", str(run)).replace(
        "TUNE", str(abc_folder / "jigs" / "1.abc")
    )
    for name, bar in (
        ("HIGH", "c''' d'''' e''' f'''"),
        ("ELEVEN", "CDEFGABcdef"),
        ("RESTS", "z4"),
    ):
        path = tmp_path / f"{name}.abc"
        metre = "11/4" if name == "ELEVEN" else "4/4"
        path.write_text(f"X:1\nT:{name}\nM:{metre}\nL:1/4\nK:C\n{bar}|{bar}|]\n")
        words = words.replace(name, str(path))
    frames = tmp_path / "frames.json"
    frames.write_text(
        json.dumps({k: [[[60, 57, 52, 45]]] for k in ("train", "valid", "test")})
    )
    words = words.replace("FRAMES.json", str(frames))
    monkeypatch.setenv("COLUMNS", "200")
    assert command(words, monkeypatch) == code
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--batch 5000", "larger than the data"),
        ("--rate -1", "--rate is -1"),
        ("--codec chorale", "Chorale refuses all of these"),
        ("--codec pianoroll", "choose the codec melody or performance"),
        ("--width 16", "another --workdir"),
        ("--restore-step 3", "there is no checkpoint 3"),
        ("--init-from nowhere --workdir run2", "no run at nowhere"),
    ],
)
def test_an_error_of_an_experiment_is_one_sentence(
    run, abc_folder, monkeypatch, capsys, words, says
):
    monkeypatch.chdir(run.parent)
    base = f"--workdir run --steps 8 --corpus folder:{abc_folder} {SMALL} {words}"
    with pytest.raises(SystemExit) as stop:
        experiment("tunes_lstm", base, monkeypatch)
    assert stop.value.code in (1, 2)
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_a_model_of_another_step_is_loaded_if_it_exists(run):
    assert zoo.load(run, step=4).about["step"] == 4
    with pytest.raises(UsageError, match="it has 4, 8"):
        zoo.load(run, step=5)


@pytest.mark.parametrize("words", ["list", "doctor"])
def test_list_and_doctor_print(words, monkeypatch, capsys):
    assert command(words, monkeypatch) == 0
    said = capsys.readouterr().out
    assert (
        ("markov" in said)
        if words == "list"
        else ("as tested" in said and "device 0" in said)
    )


def test_the_quickstart_compares_two_models_and_adds_up_their_time(
    run, abc_folder, tmp_path, monkeypatch
):
    home = tmp_path / "run"
    words = f"--corpus folder:{abc_folder} --workdir {home} --steps 4 --samples 1"
    results = []
    for _ in range(2):  # the second has nothing left to train
        experiment("music", f"{words} --batch 8 --length 64", monkeypatch)
        results.append(json.loads((tmp_path / "run" / "result.json").read_text()))
    first, again = results
    assert first["metrics"] == again["metrics"]
    assert first["metrics"].keys() == {"test_nll_lstm", "test_nll_markov"}
    trained = sum(run["seconds"] for run in first["runs"].values())
    assert min(first["seconds"], again["seconds"]) >= trained - 0.2  # each is rounded
    assert {"index.html", "01.mid", "01.wav"} <= {
        p.name for p in (tmp_path / "run").iterdir()
    }
