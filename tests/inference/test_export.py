"""The exported step against the family's own, and in a process that has no zoo."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as stablehlo

import zoo.models
from zoo.data.codecs import Melody, Pianoroll
from zoo.errors import UsageError
from zoo.inference.export import export
from zoo.inference.model import Model

CODEC = Melody(low=60, high=63, metres=("4/4",))
FAMILIES = zoo.models.families()
EVENTS = [  # those that write event by event
    name
    for name, module in FAMILIES.items()
    if hasattr(module.TINY, "vocab") and hasattr(module.TINY, "stepper")
]
STREAM = jnp.array([[0, 3, 5, 1, 6, 2, 0, 3, 4], [0, 3, 4, 4, 0, 3, 7, 1, 1]])


def trained(name) -> Model:
    """The family of that module, untrained."""
    family = dataclasses.replace(FAMILIES[name].TINY, vocab=CODEC.vocab)
    params = jax.jit(family.init)(jax.random.key(0), family.example(2))
    return Model(family, params, CODEC, about={"experiment": name})


def read(folder, name):
    return stablehlo.deserialize(bytearray((folder / name).read_bytes())).call


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("name", EVENTS)
def test_what_is_exported_streams_as_the_family_does(name, batch, tmp_path):
    model = trained(name)
    folder = export(model, tmp_path / "out", batch=batch)
    start, step = (jax.jit(read(folder, f"{name}.jax")) for name in ("start", "step"))
    advance, state = jax.jit(model.family.stepper(model.params)), model.family.start(2)
    exported = start(STREAM[:, 0])
    for token in STREAM.T:
        state, logits = advance(state, token)
        exported, again = step(exported, token)
        np.testing.assert_allclose(again, logits, atol=1e-5)
    for a, b in zip(jax.tree.leaves(state), exported, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_files_say_what_they_are(tmp_path):
    model = trained("lstm")
    folder = export(model, tmp_path, platform="tpu")
    about = json.loads((folder / "about.json").read_text())
    assert about["family"]["class"] == "LSTM"
    assert about["codec"]["low"] == 60
    assert about["tokens"] == [
        "boundary",
        "hold",
        "rest",
        "4/4",
        "C4",
        "C#4",
        "D4",
        "D#4",
    ]
    width = model.family.width
    assert about["state"][0] == {
        "name": "[0].h",
        "shape": ["n", width],
        "dtype": "float32",
    }
    assert (about["batch"], about["platform"], about["boundary"]) == ("n", "tpu", 0)
    assert "stablehlo.dot_general" in (folder / "step.mlir").read_text()
    assert {x.name for x in folder.iterdir()} == {
        *("about.json", "start.jax", "start.mlir", "step.jax", "step.mlir")
    }


def test_it_is_loaded_where_there_is_no_zoo(tmp_path):
    """As the module's docstring has it."""
    model = trained("lstm")
    export(model, tmp_path / "lstm")
    lines = sys.modules["zoo.inference.export"].__doc__.partition("\n\n    ")[2]
    code = "import sys\nsys.modules['zoo'] = None\n" + "\n".join(
        line.removeprefix("    ")
        for line in f"{lines}\nprint(logits.tolist())".splitlines()
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    _, logits = model.family.step(
        model.params, model.family.start(4), jnp.zeros(4, jnp.int32)
    )
    np.testing.assert_allclose(json.loads(done.stdout), logits, atol=1e-5)


def test_families_that_do_not_write_event_by_event_have_no_step(tmp_path):
    codec = Pianoroll(low=60, high=65, onsets=False)
    model = Model(zoo.models.PolyphonicRNN(keys=6, width=8), {}, codec)
    with pytest.raises(UsageError, match="PolyphonicRNN does not write event by event"):
        export(model, pathlib.Path(tmp_path))
