"""The rooms of zoo/: what each may import, how large files are, how docstrings
begin."""

import ast
import pathlib
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SIBLINGS = {  # room: the rooms that it may import, besides itself
    "core": set(),
    "errors": set(),
    "ranges": {"errors"},
    "files": {"errors"},
    "memory": {"errors"},
    "upgrades": set(),
    "config": {"errors", "files", "upgrades"},
    "nn": {"core", "errors", "ranges"},
    "models": {"core", "errors", "ranges", "nn"},
    "train": {"config", "core", "errors", "ranges", "memory"},
    "soundfont": {"errors"},
    "data": {"errors", "files", "ranges", "memory", "soundfont"},
    "listen": {"errors", "files", "ranges", "data", "soundfont"},
    "metrics": {"errors", "data"},
    "tasks": {"core", "errors", "ranges", "memory", "config", "data", "listen"},
    "inference": {
        *("core", "errors", "files", "ranges", "config", "nn", "models", "train"),
        *("data", "listen", "metrics", "tasks"),
    },
    "runner": {
        *("core", "errors", "files", "ranges", "config", "nn", "train"),
        *("data", "listen", "metrics", "tasks", "inference", "evaluation"),
    },
    "evaluation": {
        *("core", "errors", "files", "ranges", "config", "nn", "models", "train"),
        *("data", "listen", "metrics", "tasks", "inference"),
    },
    "cli": {"*"},
    "weights": set(),
}
PACKAGE = {"errors", "inference"}  # what zoo/__init__.py imports
WITHOUT_JAX = {"soundfont", "data", "listen", "metrics"}
KNOW_PROTOS = WITHOUT_JAX
HEAVY = (
    *("grain", "librosa", "music21", "note_seq", "soundfile", "tensorflow"),
    *("tensorflow_datasets", "orbax", "matplotlib"),
)
MAX_LINES, MANY_LINES, MAX_TOP_MODULES, MAX_PROBES = 450, 300, 8, 3
PROBE = re.compile(
    r"isinstance\([^)]*(codec|family)|hasattr\([^)]*(codec|family)"
    r"|getattr\((codec|family)"
)
MAX_POSITIONAL, MAX_POSITIONAL_FIELDS = 4, 3
POSITIONAL = {
    # of other packages
    *("reshape", "transpose", "variable", "uniform", "dot_product_attention"),
    *("ResampleStream", "SoundFile", "spectrogram"),
    # functions with gradients of their own
    *("unroll", "_unroll_forward", "nade_logits"),
}
CLAUSE = re.compile(r"(What|How|Of|Where|Which|Whether|That|Those)\b")


def python_files(*folders: str) -> list[pathlib.Path]:
    return sorted(path for name in folders for path in (ROOT / name).rglob("*.py"))


FILES = python_files("zoo")


def named(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")


def imports(path: pathlib.Path) -> Iterator[str]:
    """Yields the dotted name of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{named(path)} has a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(room: str) -> set[str]:
    if room == "__init__":
        return PACKAGE
    return {*SIBLINGS} if SIBLINGS[room] == {"*"} else SIBLINGS[room] | {room}


def test_every_file_stands_in_a_room():
    rooms = {*SIBLINGS, "__init__"}
    assert [named(path) for path in FILES if room_of(path) not in rooms] == []


def test_every_room_exists():
    places = (ROOT / "zoo").iterdir()
    assert SIBLINGS.keys() <= {path.name.removesuffix(".py") for path in places}


def test_imports_flow_one_way():
    forbidden = [
        f"{named(path)} imports {name}"
        for path in FILES
        for name in imports(path)
        if name.startswith("zoo.")
        and name.split(".")[1] not in allowed(room_of(path)) | {"__version__"}
    ]
    assert forbidden == []


def test_no_room_is_imported_in_a_circle():
    """Orders the rooms so that each comes after all that it may import."""
    waiting = {room: allowed(room) - {room} for room in SIBLINGS}
    placed: set[str] = set()
    while ready := {room for room, rooms in waiting.items() if rooms <= placed}:
        placed |= ready
        waiting = {room: x for room, x in waiting.items() if room not in ready}
    assert waiting == {}


def test_packages_stay_in_their_rooms():
    for path in FILES:
        room = room_of(path)
        roots = {name.partition(".")[0] for name in imports(path)}
        assert not roots & {"tensorflow", "music21"}, named(path)
        assert room in KNOW_PROTOS or "note_seq" not in roots, named(path)
        assert room not in WITHOUT_JAX or "jax" not in roots, named(path)


def test_few_modules_stand_outside_packages():
    names = sorted(path.name for path in (ROOT / "zoo").glob("*.py"))
    assert len(names) <= MAX_TOP_MODULES, names


@pytest.mark.filterwarnings("default:files of over")
def test_no_file_is_long():
    paths = python_files("zoo", "experiments", "benchmarks", "docs", "tests")
    lines = {named(path): len(path.read_text().splitlines()) for path in paths}
    long = {name: count for name, count in lines.items() if count > MANY_LINES}
    assert {name: count for name, count in long.items() if count > MAX_LINES} == {}
    if long:
        listed = ", ".join(f"{name} ({count})" for name, count in long.items())
        warnings.warn(f"files of over {MANY_LINES} lines: {listed}", stacklevel=1)


def clauses(path: pathlib.Path) -> Iterator[str]:
    """Yields the file and line of each docstring that begins with a relative clause."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, kinds) and CLAUSE.match(ast.get_docstring(node) or ""):
            yield f"{named(path)}:{node.body[0].lineno}"


def test_docstrings_begin_with_a_verb_or_a_noun():
    paths = python_files("zoo", "experiments", "benchmarks", "docs/tables")
    assert [line for path in paths for line in clauses(path)] == []


def test_codecs_and_families_are_not_asked_for_their_class():
    probes = [
        f"{named(path)}: {line.strip()}"
        for path in FILES
        for line in path.read_text().splitlines()
        if PROBE.search(line)
    ]
    assert len(probes) <= MAX_PROBES, probes


NARROWING = re.compile(r"assert (isinstance\([\w.\[\]]+, [\w.]+\)|[\w.]+ is not None)")


def test_python_o_removes_nothing():
    """`python -O` drops assertions and unsets __debug__: the zoo asserts for type
    checkers alone."""
    dropped = [
        f"{named(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Assert) and not NARROWING.fullmatch(ast.unparse(node)))
        or (isinstance(node, ast.Name) and node.id == "__debug__")
    ]
    assert dropped == []


def called(node: ast.Call) -> str:
    """Returns the last part of the name of what is called, or "" if it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def has_many_positional(node: ast.Call) -> bool:
    arguments = [x for x in node.args if not isinstance(x, ast.Starred)]
    return len(arguments) > MAX_POSITIONAL and called(node) not in POSITIONAL


def positional_fields(node: ast.ClassDef) -> int:
    """Returns the number of fields that a dataclass takes by position."""
    decorators = [ast.unparse(x) for x in node.decorator_list]
    if not any(re.match(r"(dataclasses\.)?dataclass\b", x) for x in decorators):
        return 0
    if any("kw_only=True" in x for x in decorators):
        return 0
    count = 0
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            annotation = ast.unparse(statement.annotation)
            if annotation.endswith("KW_ONLY"):
                break
            count += "ClassVar" not in annotation
    return count


def test_long_lists_of_arguments_are_passed_by_keyword():
    found = []
    for path in python_files("zoo", "experiments", "docs/tables"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and has_many_positional(node):
                found.append(f"{named(path)}:{node.lineno} calls {called(node)}")
            elif (
                isinstance(node, ast.ClassDef)
                and positional_fields(node) > MAX_POSITIONAL_FIELDS
            ):
                found.append(f"{named(path)}:{node.lineno} defines {node.name}")
    assert found == []


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_models_import_little_and_run_without_heavy_packages():
    """Each heavy package is None in sys.modules, so that importing it raises."""
    run(f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))
import inspect, jax, flax.linen, optax
before = {{name.partition(".")[0] for name in sys.modules}}
import zoo.models
families = zoo.models.families()
added = {{name.partition(".")[0] for name in sys.modules}} - before
assert added <= {{"zoo", *sys.stdlib_module_names}}, added
from jax._src import xla_bridge
assert not xla_bridge._backends, "importing a model computes something"
for module in families.values():
    family = module.TINY
    batch = family.example(2)
    params = jax.eval_shape(family.init, jax.random.key(0), batch)
    values = {{"batch": batch, **batch}}
    conditioning = {{
        p.name: values[p.name]
        for p in inspect.signature(family.sample).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    }}
    sample = lambda params: family.sample(params, jax.random.key(1), 2, **conditioning)
    assert len(jax.eval_shape(sample, params)) == 2
""")


def test_importing_data_imports_neither_jax_nor_all_of_note_seq():
    run("""
import sys, zoo.data.corpora.registry, zoo.data.codecs, zoo.data.text.syllables
assert not {"jax", "note_seq", "bokeh", "pandas"} & {*sys.modules}
import note_seq
from zoo.data.proto import NoteSequence
assert note_seq.NoteSequence is NoteSequence
""")
