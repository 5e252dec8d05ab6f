"""Who may import whom, and what a newcomer's import costs."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SIBLINGS = {  # room: what it may import from the house
    "errors": set(),
    "core": set(),
    "upgrades": set(),
    "config": {"errors", "upgrades"},
    "nn": {"core", "errors", "nn"},
    "models": {"core", "errors", "nn", "models"},
    "train": {"config", "core", "errors", "train"},
    "soundfont": {"errors", "soundfont"},
    "data": {"errors", "data", "soundfont"},
    "listen": {"errors", "data", "listen", "soundfont"},
    "metrics": {"errors", "data", "metrics"},
}
KNOW_PROTOS = {"data", "listen", "metrics", "soundfont"}
HEAVY = (
    "note_seq",
    "tensorflow",
    "tensorflow_datasets",
    "librosa",
    "music21",
    "soundfile",
    "grain",
)


def imports(path: pathlib.Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted((ROOT / "zoo").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_flow_one_way(path):
    room = path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")
    for name in imports(path):
        root, *rest = name.split(".")
        if room in SIBLINGS:
            if root == "zoo" and rest:
                assert rest[0] in SIBLINGS[room], f"{path.name} imports {name}"
            assert root != "note_seq" or room in KNOW_PROTOS, (
                f"{path.name} knows about protos"
            )
        assert root not in ("tensorflow", "music21"), f"{path.name} imports {root}"
        if room in KNOW_PROTOS:
            assert root != "jax", f"{path.name} is numpy's, and imports jax"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_at_most_450_lines(path):
    """From 300 on it is worth a thought whether there are two things in it."""
    assert len(path.read_text().splitlines()) <= 450


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_models_import_and_run_where_heavy_packages_cannot():
    """Each is replaced by None in sys.modules, so that importing it raises."""
    run(f"""
import sys
sys.modules.update(dict.fromkeys({(*HEAVY, "orbax", "matplotlib")!r}))
import inspect, jax, zoo.models
for module in zoo.models.families().values():
    family = module.TINY
    params = jax.eval_shape(family.init, jax.random.key(0), family.example(2))
    batch = family.example(2)
    inputs = {{"batch": batch, **batch}}
    required = {{
        p.name: inputs[p.name]
        for p in inspect.signature(family.sample).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    }}
    sample = lambda params: family.sample(params, jax.random.key(1), 2, **required)
    assert len(jax.eval_shape(sample, params)) == 2
""")


def test_importing_models_adds_under_half_a_second():
    """CPU seconds, since the wall clock of a busy machine proves nothing."""
    seconds = [
        float(
            run("""
import time
import jax, flax.linen, optax
began = time.process_time()
import zoo.models
print(time.process_time() - began)
""")
        )
        for _ in range(3)
    ]
    assert min(seconds) < 0.5


def test_importing_data_does_not_start_jax():
    out = run(
        "import sys, zoo.data.corpora.registry, zoo.data.codecs; print('jax' in sys.modules)"
    )
    assert out.strip() == "False"
