"""Damaged and crafted checkpoints: the same model, or a sentence, and soon.

The suite runs a short slice. The full run, which also prints what became of them:

    python tests/inference/test_hostile_checkpoints.py --n 500 --seed 0
"""

import argparse
import collections
import copy
import dataclasses
import json
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))

import jax
import pytest
from small_models import trained

import zoo
from zoo.config import record
from zoo.errors import ZooError
from zoo.train.checkpoint import Checkpoints
from zoo.train.digests import digests

SECONDS = 5.0  # of CPU, for an answer
INTERNALS = re.compile(
    r"orbax|tensorstore|ocdbt|jax|flax|Traceback|Error|\.py|\n", re.I
)
Meta = dict[str, Any]

NAN, INFINITY = float("nan"), float("inf")
VALUES = [
    *(None, True, False, -1, 0, 1, 7, 2**31, 10**12, 10**400),
    *(0.5, -0.0, 1e12, 1e-300, NAN, INFINITY, -INFINITY),
    *("", "x", "\0", "é" * 50, "../../../etc/passwd", "/", "file:///etc", "x" * 10**6),
    *([], {}, [[]], [1, "a", None], [NAN], [-1], [10**12], [2**20] * 4),
    {"class": "LSTM"},
    {"class": "LSTM", "width": "wide"},
    {"class": "LSTM", "colour": 3},
    {"class": "Melody"},
    {"class": "Events"},
    {"class": "LatentDiffusion"},
    {"class": "os.system"},
    {"class": "../../evil"},
    {"class": "families"},
    {"class": "annotations"},
    {"class": None},
    {"class": ["LSTM"]},
]


def nested(depth: int) -> Any:
    value: Any = 0
    for i in range(depth):
        value = [value] if i % 2 else {"class": value}
    return value


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yields the path of every field and item of a record."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def copied(meta: Meta, path: tuple) -> tuple[Meta, Any]:
    """Returns a copy of a record, and what holds the field at `path` in the copy."""
    meta = copy.deepcopy(meta)
    inner: Any = meta
    for key in path[:-1]:
        inner = inner[key]
    return meta, inner


def replaced(meta: Meta, path: tuple, value: Any) -> Meta:
    meta, inner = copied(meta, path)
    inner[path[-1]] = value
    return meta


def without(meta: Meta, path: tuple) -> Meta:
    meta, inner = copied(meta, path)
    del inner[path[-1]]
    return meta


def chosen(meta: Meta) -> Iterator[str]:
    """Yields the texts that every run tries."""
    yield from ("", "{", "null", "[]", "3", '"x"', "NaN", "{}", '{"format": 1}')
    yield "[" * 100_000
    yield '{"format": 1, "tensors": {}, "family": ' + '{"a": ' * 100_000
    yield '{"format": 1, "tensors": {}, "seed": ' + "9" * 10_000 + "}"
    for depth in (30, 33, 500):
        yield json.dumps(replaced(meta, ("codec",), nested(depth)))
    for value in (None, NAN, "1", -1, 10**12, True, [1]):
        yield json.dumps(replaced(meta, ("format",), value))
    for name in ("family", "tensors", "digests", "versions", "codec", "seconds"):
        for value in (None, [], "../x", NAN, {"a": None}, {"class": "Nothing"}):
            yield json.dumps(replaced(meta, (name,), value))
    for name in ("width", "layers", "vocab", "length", "embed", "dropout"):
        for value in (None, 0, -1, 10**7, 10**12, 1e12, NAN, "8", [8], {}):
            yield json.dumps(replaced(meta, ("family", name), value))
    for path in (("family", "class"), ("codec", "class"), ("versions", "music-zoo")):
        yield json.dumps(replaced(meta, path, "x" * 10_000))
    yield json.dumps(replaced(meta, ("family", "x" * 10_000), 1))
    yield json.dumps(replaced(meta, ("codec", "metres"), ["x" * 10_000]))
    kernel = next(name for name in meta["tensors"] if name.endswith("kernel"))
    for shape in ([10**12, 10**12], [-1], [1] * 10_000, "8", [NAN], [8.5], [], None):
        yield json.dumps(replaced(meta, ("tensors", kernel), shape))


def crafted(meta: Meta, n: int, seed: int) -> Iterator[str]:
    """Yields `n` metas with one or two fields changed, a function of `seed`."""
    rng = random.Random(seed)
    for _ in range(n):
        other = meta
        for _ in range(rng.choice((1, 1, 2))):
            path = rng.choice([*places(other)])
            change = rng.random()
            if change < 0.1:
                other = without(other, path)
            elif change < 0.2:
                other = replaced(other, path, nested(rng.choice((5, 50))))
            else:
                other = replaced(other, path, rng.choice(VALUES))
        yield json.dumps(other)


def outcome(run: pathlib.Path) -> str:
    """Loads a checkpoint, and checks that it answers in one sentence and in time."""
    begun = time.process_time()
    try:
        model = zoo.load(run)
    except ZooError as error:
        said = str(error)
        assert said.endswith("."), said
        assert len(said) < 600, said
        assert not INTERNALS.search(said.replace(str(run), "")), said
        return said.replace(str(run), "RUN")
    finally:
        assert time.process_time() - begun < SECONDS
    return json.dumps(
        [record(model.family), record(model.codec), digests(model.params)]
    )


def flips(step: pathlib.Path, n: int, seed: int) -> Iterator[tuple[pathlib.Path, int]]:
    """Yields files and positions, those of every file first."""
    rng = random.Random(seed)
    files = sorted(x for x in step.rglob("*") if x.is_file() and x.stat().st_size)
    for i in range(n):
        file = files[i] if i < len(files) else rng.choice(files)
        yield file, rng.randrange(file.stat().st_size)


def check_flips(run: pathlib.Path, n: int, seed: int) -> collections.Counter:
    """Flips a bit of a file at a time; the model must be the same or be refused."""
    (step,) = (run / "checkpoints").iterdir()
    whole, rng = outcome(run), random.Random(seed)
    became: collections.Counter = collections.Counter()
    for file, at in flips(step, n, seed):
        data = file.read_bytes()
        flipped = data[at] ^ 1 << rng.randrange(8)
        file.write_bytes(data[:at] + bytes([flipped]) + data[at + 1 :])
        got = outcome(run)
        file.write_bytes(data)
        assert got == whole or got.endswith("."), f"byte {at} of {file}"
        became["the same" if got == whole else got] += 1
    return became


def check_metas(run: pathlib.Path, texts: Iterator[str]) -> collections.Counter:
    (file,) = (run / "checkpoints").glob("*/meta/metadata")
    became: collections.Counter = collections.Counter()
    whole = file.read_text()
    for text in texts:
        file.write_text(text)
        try:
            got = outcome(run)
        except BaseException:
            print("the meta was", text[:2000])
            raise
        became["a model" if got.startswith("[") else got] += 1
    file.write_text(whole)
    return became


def without_digest(run: pathlib.Path) -> Meta:
    """Returns the meta of a checkpoint without its digest, as somebody may forge it."""
    (file,) = (run / "checkpoints").glob("*/meta/metadata")
    meta = json.loads(file.read_text())
    del meta["digest"]
    return meta


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    return trained("lstm").save(tmp_path_factory.mktemp("model"))


def test_a_flipped_bit_is_seen_or_carries_nothing(run):
    became = check_flips(run, 40, seed=0)
    assert became["the same"] < 30


def test_arrays_of_another_model_are_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    model = trained("lstm")
    params = jax.tree.map(lambda x: x.at[(0,) * x.ndim].add(1e-3), model.params)
    other = dataclasses.replace(model, params=params).save(tmp_path / "other")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "0" / "ema")
    (other / "checkpoints/0/ema").rename(tmp_path / "run/checkpoints/0/ema")
    with pytest.raises(
        ZooError, match=r"\(ema/net/head/bias is not what was written\)"
    ):
        zoo.load(tmp_path / "run")


def test_a_checkpoint_without_digests_is_read(run):
    (file,) = (run / "checkpoints").glob("*/meta/metadata")
    whole, meta = file.read_text(), without_digest(run)
    before = outcome(run)
    del meta["digests"]
    file.write_text(json.dumps(meta))
    assert outcome(run) == before
    file.write_text(whole)


def test_a_changed_meta_is_seen(run):
    (file,) = (run / "checkpoints").glob("*/meta/metadata")
    whole = file.read_text()
    file.write_text(whole.replace('"experiment": "lstm"', '"experiment": "lsta"'))
    with pytest.raises(ZooError, match="its meta is not what was written"):
        Checkpoints(run, read_only=True).meta(0)
    file.write_text(whole)


def test_chosen_metas_are_answered(run):
    check_metas(run, chosen(without_digest(run)))


def test_crafted_metas_are_answered(run):
    check_metas(run, crafted(without_digest(run), 40, seed=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    total: collections.Counter = collections.Counter()
    for name in ("lstm", "musegan", "latent_mdn", "coconet"):
        with tempfile.TemporaryDirectory() as folder:
            run = trained(name).save(pathlib.Path(folder) / "model")
            total += check_flips(run, arguments.n, arguments.seed)
            meta = without_digest(run)
            total += check_metas(run, crafted(meta, arguments.n, arguments.seed))
    for text, count in total.most_common():
        print(count, text)


if __name__ == "__main__":
    main()
