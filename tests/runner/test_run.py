"""A training run on arrays of one's own."""

import json

import numpy as np

import zoo
from zoo.models import LSTM
from zoo.runner import train
from zoo.tasks import Arrays
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
