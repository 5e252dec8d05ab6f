"""The leaderboard of a small untrained model, and who is left out of it."""

import dataclasses
import json
import random

import jax
import numpy as np
import pytest
from small_models import FAMILIES, trained

import zoo
from zoo.data.codecs import (
    Chorale,
    Compound,
    Melody,
    Performance,
    Phrase,
    Pianoroll,
    Quartet,
    Voices,
)
from zoo.errors import UsageError
from zoo.evaluation.arena import Chorales, Tunes
from zoo.evaluation.beside import heard
from zoo.evaluation.excerpt_classifier import ExcerptTraining
from zoo.evaluation.leaderboard import (
    OTHER_REAL,
    SHUFFLED,
    Entry,
    Leaderboard,
    cannot_write,
)
from zoo.evaluation.leaderboard_table import LIKENESS, cells, left_out, page
from zoo.evaluation.two_sample import TwoSampleTest
from zoo.inference.model import Model
from zoo.tasks import Events, bound

TEST = TwoSampleTest(1, ExcerptTraining(5, 8, 8, dilations=(1,)))
ARENA = Tunes(bars=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An untrained LSTM of tunes, and its corpus of 150 tunes."""
    home = tmp_path_factory.mktemp("board")
    rng = random.Random(0)
    (home / "music").mkdir()
    for number in range(150):
        bars = "|".join("".join(rng.choices("DEFGABcde", k=8)) for _ in range(4))
        text = f"X:1\nT:{number}\nM:4/4\nL:1/8\nK:D\n{bars}|]\n"
        (home / "music" / f"{number}.abc").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(home / "data"))
        task = Events(corpus=f"folder:{home / 'music'}", batch=4, length=64)
        codec = Melody(metres=("4/4",))
        task = bound(task, coder=codec)
        family = FAMILIES["lstm"].TINY
        family = dataclasses.replace(family, vocab=codec.vocab, length=64)
        params = family.init(jax.random.key(0), family.example(2))
        about = {"experiment": "small", "step": 1, "seed": 0}
        Model(family, params, codec, task=task, about=about).save(home / "small")
        (home / "small" / "result.json").write_text(json.dumps({"seconds": 90.0}))
        yield home / "small"


@pytest.fixture(scope="module")
def board(run):
    return Leaderboard(ARENA, 12, test=TEST, cache=run.parent / "measured")


@pytest.fixture(scope="module")
def entries(board, run):
    return [*board.entries([str(run), str(run)])]


def test_a_model_is_measured_beside_real_music(entries):
    model, _, floor, shuffled = entries
    assert (model.name, model.family, floor.name) == ("small", "LSTM", OTHER_REAL)
    assert shuffled.name == SHUFFLED
    assert model.excerpts == floor.excerpts == shuffled.excerpts >= 4
    for name in ("two_sample", "recurrence", "keys", "rhythms", "ngrams", "distinct"):
        value, low, high = model.metrics[name]
        assert low <= value <= high or name == "recurrence", name
    assert model.metrics["training_minutes"].value == 1.5
    assert model.metrics["pieces_per_second"].value > 0
    assert model.metrics["keys"].value > floor.metrics["keys"].value
    assert np.isnan(model.metrics["frechet"].value)  # for excerpts of other lengths


def test_the_nats_are_those_of_the_evaluation(entries, run):
    expected = zoo.load(run).evaluate("test")["nll"]
    assert entries[0].metrics["nats"].value == pytest.approx(expected, rel=1e-3)


def test_what_was_measured_is_kept(entries, board, run, monkeypatch):
    def fail(*args, **options):
        raise AssertionError("it samples again")

    monkeypatch.setattr(Model, "sample", fail)
    again = [*board.entries([str(run)])]
    assert str(again) == str([entries[0], *entries[2:]])
    with pytest.raises(AssertionError, match="again"):
        [*dataclasses.replace(board, seed=1).entries([str(run)])]


def test_an_interrupted_measurement_keeps_what_was_written(board, run, monkeypatch):
    """The excerpts are kept before they are measured."""
    model = zoo.load(run)
    first, _ = board.written(model, "small", 12, "key")
    monkeypatch.setattr(Model, "sample", None)
    again, _ = board.written(model, "small", 12, "key")
    assert np.array_equal(first.arrays, again.arrays)


def test_runs_of_one_name_are_not_confused(entries, board, run, monkeypatch):
    """One of other parameters is measured, wherever it is."""
    twin, model = run.parent / "other" / "small", zoo.load(run)
    params = jax.tree.map(lambda x: 2 * x, model.params)
    dataclasses.replace(model, params=params).save(twin)
    monkeypatch.setattr(Model, "sample", None)
    board.entry(str(run))
    with pytest.raises(TypeError):  # it would sample
        board.entry(str(twin))
    test = dataclasses.replace(TEST, seeds=2)
    more = dataclasses.replace(board, test=test).entry(str(run))  # of the same excerpts
    assert more.metrics["keys"] == entries[0].metrics["keys"]


def test_the_tables_name_everyone(entries):
    absent = Entry("vocoder", "MelVocoder", reason="It writes no music.")
    heads, rows = cells([*entries, absent], LIKENESS)
    assert rows[0][0] == OTHER_REAL
    assert {row[0] for row in rows[1:]} == {SHUFFLED, "small (LSTM)"}
    assert all(len(row) == len(heads) for row in rows)
    assert left_out([absent]) == [["vocoder", "MelVocoder", "It writes no music."]]
    text = page([*entries, absent])
    assert text.count("small (LSTM)") == 4
    assert "| vocoder | MelVocoder: It writes no music. |" in text


def test_entries_survive_json(entries):
    again = Entry.from_plain(json.loads(json.dumps(entries[0].plain())))
    assert str(again) == str(entries[0])


def test_pieces_are_heard_under_one_seed(run):
    sections, reasons = heard(ARENA, [str(run)], 2)
    assert [section.real for section in sections] == [False, True]
    assert [len(section.tracks) for section in sections] == [2, 2]
    assert reasons == {}
    again, _ = heard(ARENA, [str(run)], 2)
    assert sections[0].tracks[1].sequence == again[0].tracks[1].sequence


@pytest.mark.parametrize(
    ("name", "arena", "says"),
    [
        ("latent_classifier", ARENA, "classifies"),
        ("lstm", ARENA, "no codec or task"),
        ("latent_mdn", Chorales(), "one voice"),
        ("latent_mdn", ARENA, ""),
    ],
)
def test_some_cannot_write_music(name, arena, says):
    why = cannot_write(trained(name), arena)
    assert says in why if says else not why


@pytest.mark.parametrize(
    ("codec", "one", "several"),
    [
        (Melody(), True, False),
        (Phrase(), True, False),
        (Quartet(), False, True),
        (Voices(), False, True),
        (Chorale(), False, True),
        (Pianoroll(), False, True),
        (Performance(), True, True),
        (Compound(), True, True),
    ],
    ids=lambda x: type(x).__name__,
)
def test_models_are_in_the_arenas_of_their_voices(codec, one, several):
    """Events of any number of voices may be either."""
    task = bound(Events(), coder=codec)
    model = dataclasses.replace(trained("lstm"), codec=codec, task=task)
    for voices, arena in ((one, Tunes(1, 1)), (several, Chorales(1, 1))):
        assert bool(cannot_write(model, arena)) != voices


def test_a_model_that_was_left_out_is_tried_again(run, tmp_path, monkeypatch):
    board = Leaderboard(ARENA, 12, test=TEST, cache=tmp_path)
    fail = Entry("small", "LSTM", reason="The disk is full.")
    monkeypatch.setattr(Leaderboard, "measured", lambda *args, **options: fail)
    assert board.entry(str(run)) == fail
    good = Entry("small", "LSTM", excerpts=12)
    monkeypatch.setattr(Leaderboard, "measured", lambda *args, **options: good)
    assert board.entry(str(run)) == board.entry(str(run)) == good


def test_a_corpus_of_few_pieces_leaves_its_model_out(board, run, monkeypatch):
    few = board.real(f"folder:{run.parent / 'music'}").take([0, 1])
    monkeypatch.setattr(Leaderboard, "real", lambda *_: few)
    monkeypatch.setattr(Model, "sample", None)
    assert "two-sample test needs 4" in board.entry(str(run)).reason


def test_any_seed_can_be_sampled(run):
    board = Leaderboard(ARENA, 2, seed=2**32 - 1, test=TEST)
    assert len(board.written(zoo.load(run), "small", 2, timed=False)[0]) == 2


def test_a_vocoder_writes_no_music():
    assert "vocoder" in cannot_write(Model(FAMILIES["mel_vocoder"].TINY, {}), ARENA)


def test_a_coarser_grid_is_left_out():
    model = trained("polyphonic_rnn")
    codec = dataclasses.replace(model.codec, steps_per_quarter=1)
    model = dataclasses.replace(model, codec=codec, task=bound(Events(), coder=codec))
    assert "divides a quarter by 1" in cannot_write(model, Chorales())
    assert cannot_write(model, Chorales(steps_per_quarter=1)) == ""


def test_too_few_real_pieces_are_an_error(board, run):
    few = board.real(f"folder:{run.parent / 'music'}").take([0, 1])
    with pytest.raises(UsageError, match="two-sample test needs 4"):
        TEST(few, few, 4)
