"""Models as checkpoints of their own."""

import numpy as np
import pytest
from small_models import trained

import zoo
from zoo.errors import UsageError


def test_a_saved_model_writes_the_same_music(tmp_path):
    model = trained("lstm")
    model.save(tmp_path / "model")
    again = zoo.load(tmp_path / "model")
    assert (again.family, again.codec) == (model.family, model.codec)
    rows = [x.tokens(2, seed=1, length=16) for x in (model, again)]
    np.testing.assert_array_equal(*rows)


def test_a_model_may_be_saved_in_half_precision(tmp_path):
    model = trained("lstm")
    for path in (tmp_path / "half", tmp_path / "half.safetensors"):
        model.save(path, precision="float16")
        kernel, again = (
            np.asarray(x.params["net"]["head"]["kernel"])
            for x in (model, zoo.load(path))
        )
        half = kernel.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(again, half)


def test_a_run_is_not_overwritten(tmp_path):
    model = trained("lstm")
    model.save(tmp_path)
    with pytest.raises(UsageError, match="holds checkpoints already"):
        model.save(tmp_path)
