"""A training run on arrays of one's own."""

import json

import numpy as np
import optax
import pytest
import scipy.io

import zoo
from zoo.data.codecs import Voices
from zoo.errors import UsageError
from zoo.inference.model import Model
from zoo.models import LSTM, NoteTransformer
from zoo.runner import train
from zoo.runner.run import sized
from zoo.tasks import Arrays, Frames
from zoo.train.loop import fit
from zoo.train.options import Options


def test_a_run_on_arrays_is_loaded(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(1, 9, rng.integers(10, 30)) for _ in range(12)]
    task = Arrays(arrays[:8], arrays[8:10], arrays[10:], batch=4, length=16)
    result = train(
        LSTM(vocab=9, embed=4, width=4, layers=1),
        task,
        name="own",
        workdir=tmp_path,
        steps=2,
        options=Options(quiet=True),
        samples=2,
        evaluate=lambda model, task: {"pieces": len(task.examples("test"))},
    )
    assert result["metrics"]["pieces"] == 2
    assert 0 < result["metrics"]["test_nll"] < 4
    assert json.loads((tmp_path / "result.json").read_text()) == result
    model = zoo.load(tmp_path)
    assert model.family == LSTM(vocab=9, embed=4, width=4, layers=1, length=16)
    assert model.tokens(3, seed=1).shape == (3, 16)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_any_seed_of_32_bits_gives_batches_that_it_determines(seed):
    task = Arrays([np.arange(i, i + 8) for i in range(1, 9)], batch=2, length=8)
    tokens = [task.train_batches(seed)[3]["tokens"] for _ in range(2)]
    assert tokens[0].shape == (2, 8)
    assert (tokens[0] == tokens[1]).all()


@pytest.mark.parametrize("seed", [-1, 2**32, 2**70, 1.5, "a"])
def test_other_seeds_are_refused(seed, own):
    with pytest.raises(UsageError, match=r"`seed` is .*from 0 to 4,294,967,295"):
        Options(seed=seed)
    with pytest.raises(UsageError, match="`seed` is "):
        own.tokens(2, seed)
    with pytest.raises(UsageError, match="`seed` is "):
        own.sample(2, seed)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A model that `fit` trained without a record of codec and task."""
    family = LSTM(vocab=9, embed=4, width=4, layers=1, length=6)

    class Same:
        def __getitem__(self, step):
            return family.example(2)

    workdir = tmp_path_factory.mktemp("own")
    options = Options(quiet=True)
    fit(family, Same(), tx=optax.sgd(0.1), steps=1, workdir=workdir, options=options)
    return zoo.load(workdir)


def test_a_model_without_a_record_draws_arrays_and_says_what_it_lacks(own):
    assert own.tokens(2, seed=1).shape == (2, 6)
    with pytest.raises(UsageError, match=r"writes no music: draw arrays by `tokens`"):
        own.sample(2)
    with pytest.raises(UsageError, match="recorded no task"):
        own.evaluate()


def rolls(path, most):
    """Writes piano rolls whose fullest frame, of the test split, has `most` notes."""
    splits = {}
    for key, notes in (("traindata", 2), ("validdata", 1), ("testdata", most)):
        cell = np.empty((1, 2), object)
        for i in range(2):
            cell[0, i] = np.zeros((6, 88))
            cell[0, i][3, 20 : 20 + notes] = 1
        splits[key] = cell
    scipy.io.savemat(path, splits)
    return str(path)


@pytest.mark.parametrize(("chosen", "slots"), [(4, 7), (7, 7), (9, 9)])
def test_slots_hold_the_most_notes_of_any_split(tmp_path, chosen, slots):
    task = Frames(rolls(tmp_path / "a.mat", 7))
    assert sized(NoteTransformer(slots=chosen), task).slots == slots


def test_too_few_slots_are_refused_with_both_numbers(tmp_path):
    task = Frames(rolls(tmp_path / "a.mat", 15))
    with pytest.raises(UsageError, match="slots is 9 and the data have 15: leave"):
        sized(NoteTransformer(slots=9), task)


def test_a_model_is_not_evaluated_on_more_notes_than_it_has_slots(tmp_path):
    task = Frames(rolls(tmp_path / "a.mat", 3))
    family = NoteTransformer(keys=task.coder.dimensions["keys"], slots=3)
    model = Model(family, {}, task.coder, task=task)
    more = rolls(tmp_path / "b.mat", 5)
    with pytest.raises(UsageError, match=r"slots of the model is 3 and .* needs 5"):
        model.evaluate(corpus=more)


def test_voices_have_a_slot_each(tmp_path):
    chorales = {key: [[[72, 67, 64, 48]]] for key in ("train", "valid", "test")}
    (tmp_path / "a.json").write_text(json.dumps(chorales))
    family = sized(NoteTransformer(roll=False), Frames(str(tmp_path / "a.json")))
    assert (family.slots, family.keys) == (4, Voices().dimensions["keys"])


def test_a_run_knows_its_corpus(tmp_path):
    def run(steps, **options):
        arrays = [np.arange(1, 9)] * 6
        arrays[0] = arrays[0] + steps // 4  # another piece at step 4
        return train(
            LSTM(vocab=11, embed=4, width=4, layers=1),
            Arrays(arrays, arrays, arrays, batch=4, length=8),
            name="own",
            workdir=tmp_path,
            steps=steps,
            options=Options(quiet=True, **options),
            samples=0,
        )

    run(2)
    run(3)
    with pytest.raises(UsageError, match="the corpus has changed since checkpoint 3"):
        run(4)
    run(4, accept_new_data=True)
