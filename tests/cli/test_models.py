"""Models by name: shipping, listing, the best for a verb, and what cannot be done."""

import dataclasses
import functools
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from commands import command
from small_models import FAMILIES, PHRASE, VOICES, score, trained

import zoo
from zoo.cli.leaderboard import named
from zoo.config import record
from zoo.data.codecs import Quartet
from zoo.data.codecs.waveform import Waveform
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.evaluation.arena import Arena, Excerpts
from zoo.evaluation.checks import agree
from zoo.evaluation.leaderboard import Entry, Leaderboard
from zoo.inference import shipped
from zoo.inference.abilities import abilities
from zoo.inference.shipped import Shipped, able, best, who_can
from zoo.listen.synth import write_midi
from zoo.models import LSTM
from zoo.runner import train
from zoo.runner.card import COMMANDS, INSTEAD, samples, use
from zoo.runner.ship import narrowest, renew
from zoo.tasks import Events
from zoo.train.options import Options
from zoo.train.weights import WeightFile, write_arrays

# the sizes of tests/docs/test_commands.py, whose programs are then in the cache
FAMILY = LSTM(embed=8, width=8, layers=1)
NO_EXCERPTS = Excerpts(np.zeros((0, 128), np.int32), np.zeros(0, int))


@pytest.fixture(scope="module")
def run(tmp_path_factory, abc_folder, corpora):
    """The directory of a run, eight steps long."""
    home = tmp_path_factory.mktemp("ship") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(corpora))
        train(
            FAMILY,
            Events(f"folder:{abc_folder}", batch=8, length=64),
            name="little",
            workdir=home,
            steps=8,
            options=Options(save_every=4),
            samples=0,
        )
        yield home


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """What shipping the run writes: weights/little.safetensors, and cards."""
    home = tmp_path_factory.mktemp("made")
    words = f"ship {run} --out {home / 'weights'} --cards {home / 'cards'}"
    with pytest.MonkeyPatch.context() as patch:
        assert command(words, patch) == 0
    return home


@pytest.fixture
def folder(tmp_path, made, monkeypatch):
    """A folder of shipped weights with the run in it."""
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


small = functools.cache(trained)


def add(folder: pathlib.Path, family: str, name: str, **card) -> None:
    """Adds a small model to a folder of shipped weights."""
    model = small(family)
    metrics = card.pop("metrics", {})
    card = {
        **{"name": name, "corpus": "tunes", "licences": {}, "non_commercial": False},
        **{"headline": next(iter(metrics), None), "check": {}, "curve": []},
        **{"result": {"experiment": name, "metrics": metrics}, "precision": "float32"},
        **card,
    }
    about = {**model.about, "card": card}
    saved = dataclasses.replace(model, about=about)
    saved.save(folder / "weights" / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("scale", "precision"), [(0.1, "int8"), (1.0, "float16"), (40.0, "float32")]
)
def test_a_run_is_stored_in_the_least_precision(scale, precision, monkeypatch):
    """The figure is the sum of the rounding errors, for parameters up to `scale`."""
    model = trained("lstm")
    exact = np.random.default_rng(0).uniform(0, scale, (64, 32)).astype(np.float32)
    model = dataclasses.replace(model, params={"net": exact})
    error = lambda model: np.abs(np.asarray(model.params["net"]) - exact).sum()
    monkeypatch.setattr(
        "zoo.runner.ship.checked_metrics", lambda model: {"loss": 1e3 + error(model)}
    )
    assert narrowest(model, {"loss": 1e3}) == precision


def test_a_model_of_counts_is_stored_as_it_is():
    model = trained("markov")
    counts = np.zeros((64, 64), np.float32)
    counts[0] = 3
    model = dataclasses.replace(model, params={"net": {"counts": counts}})
    assert narrowest(model, {"loss": 1.0}) == "float32"


def test_a_shipped_run_is_the_run_in_eight_bits(folder, run):
    path = folder / "weights" / "little.safetensors"
    model, original = zoo.load(path), zoo.load(run)
    assert model.family == original.family
    card = model.about["card"]
    result = json.loads((run / "result.json").read_text())
    assert card["result"]["metrics"] == result["metrics"]
    assert card["precision"] == "int8"
    assert agree(card["check"], card["exact"], 1e-3)
    assert card["headline"] == "test_nll"
    kernel = np.asarray(original.params["net"]["head"]["kernel"])
    far = np.abs(np.asarray(model.params["net"]["head"]["kernel"]) - kernel)
    assert (far <= 0.501 * np.abs(kernel).max(axis=0) / 127).all()
    assert card["check"]["nll"] == pytest.approx(result["metrics"]["test_nll"], rel=0.2)
    assert zoo.load("little").about["experiment"] == "little"


def test_a_card_says_how_and_names_no_folder(folder, run):
    page = (folder / "cards" / "little.md").read_text()
    for words in ("## Data", "your own files", "## Training", "## Curve"):
        assert words in page
    assert "`zoo sample little --n 2 --seed 0` writes a page" in page
    for name in ("little", "little-samples"):
        assert f"]({name}.png)" in page
        assert (folder / "cards" / f"{name}.png").stat().st_size
    about = json.dumps(zoo.load("little").about)
    for text in (page, about):
        assert str(run.parent) not in text
        assert "/pytest-" not in text


def test_the_samples_of_a_card_are_those_of_its_command(folder, monkeypatch):
    drawn = []

    def keep(pieces, path):
        drawn.extend(pieces)
        path.touch()

    monkeypatch.setattr("zoo.runner.card.plot_beginnings", keep)
    renew(folder / "weights" / "little.safetensors", folder / "cards")
    pieces = zoo.load("little").sample(2, seed=0)
    assert [x.notes for x in drawn] == [x.notes for x in pieces]


def test_a_card_is_written_anew_by_the_name_of_its_weights(folder, monkeypatch, capsys):
    weights, cards = folder / "weights" / "little.safetensors", folder / "cards"
    before = weights.read_bytes(), (cards / "little.md").read_text()
    shutil.rmtree(cards)
    assert command(f"ship little --cards {cards}", monkeypatch) == 0
    assert (weights.read_bytes(), (cards / "little.md").read_text()) == before
    assert len(list(cards.iterdir())) == 3
    assert command("ship little --precision float32", monkeypatch) == 2
    assert "little ships already" in capsys.readouterr().err
    bare = trained("lstm").save(folder / "bare.safetensors")
    assert command(f"ship {bare}", monkeypatch) == 2
    assert "ship the run that it is of" in capsys.readouterr().err


def test_figures_that_are_measured_anew_leave_parameters_as_they_are(folder):
    path = folder / "weights" / "little.safetensors"
    model, arrays = zoo.load(path), WeightFile(path).arrays("")
    card = model.about["card"]
    other = {**card, "check": {"nll": 99.0}}
    about = {**WeightFile(path).about, "card": other}
    write_arrays(path, arrays, about)
    renew(path, folder / "cards")
    again = WeightFile(path)
    assert again.about["card"]["check"] == pytest.approx(card["check"])
    for name, array in again.arrays("").items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("family", "codec", "verb"),
    [
        ("latent_classifier", PHRASE, "classify"),
        ("variational_vocoder", Waveform(16_000), "reconstruct"),
        ("musegan", None, "accompany"),
    ],
)
def test_a_card_of_a_model_that_writes_nothing_alone_says_what_it_does(
    family, codec, verb
):
    model = trained("musegan") if codec is None else None
    tiny = FAMILIES[family].TINY if model is None else model.family
    if model is not None:
        tiny = dataclasses.replace(tiny, conditioning=tiny.tracks[:1])
    about = {
        "family": record(tiny),
        "codec": record(codec or model.codec),
        "card": {"non_commercial": True},
    }
    entry = Shipped("a_nc", about, 0)
    assert "sample" not in entry.verbs
    assert samples(entry) == ""
    first, _, rest = use(entry).partition("\n\n")
    assert COMMANDS[verb].format("a_nc") + " --accept-licence" in first
    assert first.startswith(INSTEAD[verb])
    assert rest.startswith("|")


def test_a_run_that_has_not_ended_is_not_shipped(run, tmp_path, monkeypatch, capsys):
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    (unfinished / "checkpoints").symlink_to(run / "checkpoints")
    assert command(f"ship {unfinished} --out {tmp_path}", monkeypatch) == 2
    assert "let its training end first" in capsys.readouterr().err


def test_list_has_a_row_for_each_model(folder, monkeypatch, capsys):
    add(folder, "music_vae", "vae_nc", metrics={"accuracy_sampled": 0.9})
    assert command("list", monkeypatch) == 0
    said = capsys.readouterr().out
    assert re.search(r"little +LSTM, melodies, [\d.]+ MB, [\d.]+ nats per event", said)
    assert command("list --json", monkeypatch) == 0
    listed = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in listed["models"]}
    verbs = ["sample", "continue", "compose", "evaluate", "export"]
    assert rows["little"]["verbs"] == verbs
    assert {"sample", "interpolate", "mix", "vary"} <= {*rows["vae_nc"]["verbs"]}
    assert rows["vae_nc"]["figure"] == "0.900 sampled accuracy, test"
    assert rows["little"]["bytes"] > 0
    assert "lstm" in listed["families"]


@pytest.mark.parametrize(
    ("family", "verbs"),
    [
        ("lstm", "sample continue evaluate export"),
        ("coconet", "sample continue rewrite harmonise evaluate"),
        ("music_vae", "sample interpolate mix vary transfer evaluate"),
        ("latent_diffusion", "sample continue rewrite evaluate"),
        ("polyphonic_rnn", "sample continue evaluate"),
        ("seqgan", "sample continue evaluate"),
        ("variational_vocoder", "reconstruct blend evaluate"),
        ("mel_vocoder", "reconstruct blend evaluate"),
        ("mel_gan", "reconstruct blend evaluate"),
        ("tacotron", "speak evaluate"),
        ("latent_classifier", "classify evaluate"),
    ],
)
def test_verbs_are_those_that_a_model_can_do(family, verbs):
    codec = VOICES if family == "coconet" else PHRASE
    assert " ".join(abilities(FAMILIES[family].TINY, codec)) == verbs


def test_the_best_is_that_of_the_best_figure(folder):
    assert best("sample") == "little"
    add(folder, "lstm", "good", metrics={"test_nll": 1.2})
    add(folder, "lstm", "better", metrics={"test_nll": 1.1})
    add(folder, "lstm", "elsewhere", metrics={"test_nll": 0.5}, corpus="essen")
    add(folder, "lstm", "a_nc", metrics={"test_nll": 0.1}, non_commercial=True)
    add(folder, "latent_diffusion", "of_latents", metrics={"test_nll": -50.0})
    shipped.entries.cache_clear()
    assert best("sample") == "better"
    assert best("continue") == "better"


def test_the_best_of_shares_is_the_greatest(folder):
    add(folder, "music_vae", "a", metrics={"accuracy_sampled": 0.6})
    add(folder, "music_vae", "b", metrics={"accuracy_sampled": 0.9})
    shipped.entries.cache_clear()
    assert best("interpolate") == "b"
    assert who_can("mix") == "of the shipped models, a, b can mix"
    assert who_can("classify").startswith("no shipped model can classify, so train a")


def test_the_best_for_files_reads_the_first(folder, monkeypatch, capsys):
    """A better model of four voices cannot read a melody."""
    add(folder, "music_vae", "phrases", metrics={"accuracy_sampled": 0.6})
    codec = Quartet(bars=1)
    voices = dataclasses.replace(small("music_vae"), codec=codec)
    card = {"name": "voices", "non_commercial": False, "licences": {}, "corpus": "a"}
    card |= {"result": {"metrics": {"accuracy_sampled": 0.9}}, "headline": None}
    voices = dataclasses.replace(voices, about={"experiment": "voices", "card": card})
    voices.save(folder / "weights" / "voices.safetensors")
    shipped.entries.cache_clear()
    assert best("vary") == "voices"
    melody = score("60 62 64 65", beats=1)
    assert best("vary", piece=melody) == "phrases"
    assert best("vary", piece=NoteSequence()) == "voices"  # no model reads it
    write_midi(melody, folder / "one.mid")
    words = f"vary {folder / 'one.mid'} --n 1 --out {folder / 'out'}"
    command(words, monkeypatch)
    assert "model: phrases, the best" in capsys.readouterr().err


def test_nothing_to_classify_is_an_error(folder, monkeypatch, capsys):
    add(folder, "latent_classifier", "judge")
    shipped.entries.cache_clear()
    assert command("classify", monkeypatch) == 2
    assert "nothing to classify" in capsys.readouterr().err


def test_a_model_for_non_commercial_use_is_the_best_after_consent(folder):
    add(folder, "music_vae", "a_nc", non_commercial=True)
    shipped.entries.cache_clear()
    with pytest.raises(UsageError, match="a_nc can mix; give `accept_licence` to"):
        best("mix")
    assert best("mix", accept_licence=True) == "a_nc"


def test_a_command_without_a_model_takes_the_best_and_says_so(
    folder, monkeypatch, capsys
):
    out = folder / "out"
    words = f"sample --n 1 --format mid --length 64 --out {out}"
    assert command(words, monkeypatch) == 0
    assert "model: little, the best shipped one to sample" in capsys.readouterr().err
    assert list(out.glob("*.mid"))


def test_files_are_told_from_the_name_of_a_model(folder, monkeypatch, capsys):
    add(folder, "music_vae", "vae", metrics={"accuracy_sampled": 0.9})
    shipped.entries.cache_clear()
    monkeypatch.chdir(folder)
    for name in ("one.abc", "two.abc"):
        (folder / name).write_text("X:1\nT:a\nM:1/4\nL:1/4\nK:C\nC|D|E|F|G|F|E|D|]\n")
    for words in ("one.abc two.abc", "vae one.abc two.abc"):
        line = f"interpolate {words} --steps 2 --format mid --out path"
        assert command(line, monkeypatch) == 0
        said = capsys.readouterr().err
        named = "model: vae, the best shipped one to interpolate" in said
        assert named == (not words.startswith("vae"))
    assert command("interpolate vae one.abc", monkeypatch) == 2
    assert "takes 2 files of music (ONE and OTHER)" in capsys.readouterr().err
    assert command("mix little one.abc", monkeypatch) == 2
    said = capsys.readouterr().err
    assert "LSTM has no latent space" in said
    assert "of the shipped models, vae can interpolate" in said


def test_the_nearest_name_is_offered(folder, monkeypatch, capsys):
    assert command("sample litle", monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "did you mean little?" in said


def test_models_for_non_commercial_use_ask_first(folder, monkeypatch, capsys):
    add(folder, "lstm", "a_nc", non_commercial=True, corpus="essen")
    line = f"sample a_nc --n 1 --length 64 --format mid --out {folder / 'out'}"
    assert command(line, monkeypatch) == 2
    said = capsys.readouterr().err
    assert "a_nc is for non-commercial use only" in said
    assert "give --accept-licence to agree." in said
    assert command(f"{line} --accept-licence", monkeypatch) == 0


@pytest.mark.parametrize("verb", ["leaderboard", "gallery"])
def test_comparisons_ask_too(verb, folder, monkeypatch, capsys):
    """A classifier is left out without being measured, once its terms are agreed to."""
    monkeypatch.chdir(folder)
    add(folder, "latent_classifier", "a_nc", non_commercial=True, corpus="essen")
    assert command(f"{verb} a_nc", monkeypatch) == 2
    assert "give --accept-licence to agree." in capsys.readouterr().err
    monkeypatch.setattr(Leaderboard, "floor", lambda *_: Entry("real", reason="None."))
    monkeypatch.setattr(Arena, "real", lambda *_: NO_EXCERPTS)
    command(f"{verb} a_nc --accept-licence", monkeypatch)
    assert "is left out: It classifies music" in capsys.readouterr().out


def test_without_names_models_that_ask_are_not_compared(folder):
    add(folder, "lstm", "a_nc", non_commercial=True)
    assert "a_nc" in able("sample")
    assert "a_nc" not in named(())


def test_a_run_on_music_for_non_commercial_use_is_named_so(
    run, folder, monkeypatch, capsys
):
    monkeypatch.setattr(
        "zoo.runner.ship.licences", lambda spec: {"essen": "Non-commercial use only."}
    )
    words = f"ship {run} --out {folder / 'weights'} --cards {folder / 'cards'}"
    assert command(words, monkeypatch) == 0
    assert "little_nc.safetensors" in capsys.readouterr().out
    assert "`--accept-licence`" in (folder / "cards" / "little_nc.md").read_text()
