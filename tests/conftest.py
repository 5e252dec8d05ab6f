"""Fixtures of all tests: virtual devices, compilation cache, examples, scheduling."""

import functools
import gc
import json
import os
import pathlib
import random
import tempfile
from importlib import metadata

flags = [
    "--xla_force_host_platform_device_count=8",
    "--xla_backend_optimization_level=0",
    # with the next flag, a small model's step compiles in 1.5 seconds and not in 4.5
    "--xla_cpu_parallel_codegen_split_count=1",
]
# XLA ends a process that has flags it does not know, and 0.12 does not know this one
if tuple(map(int, metadata.version("jaxlib").split(".")[:2])) < (0, 12):
    flags.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join(flags)
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(
    pathlib.Path(tempfile.gettempdir(), "zoo-xla")
)
# most programs are one operation, and are written to the cache too
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

from jaxtyping import install_import_hook  # noqa: E402

# before anything of the zoo is imported: it checks the shapes that signatures state
install_import_hook(["zoo.nn", "zoo.models"], "shapes.check")

import compile_report  # noqa: E402
import hypothesis  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from zoo.train import sharding  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")

# `make test` tries the same examples every time; `make fuzz` tries new ones
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    print_blob=True,
)
hypothesis.settings.register_profile(
    "fuzz",
    database=None,
    deadline=None,
    max_examples=300,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")

# most objects that tracing creates stay alive: with the default thresholds the garbage
# collector takes 5 % of the time
gc.set_threshold(200_000, 20, 50)

MESH = sharding.mesh


@pytest.fixture(scope="session", autouse=True)
def one():
    """Runs use one device, as most users have; compiling for eight takes half as long
    again."""
    with pytest.MonkeyPatch.context() as patch:
        alone = functools.partial(MESH, devices=jax.devices()[:1])
        patch.setattr(sharding, "mesh", alone)
        patch.setenv(
            "XLA_FLAGS", os.environ["XLA_FLAGS"].replace("count=8", "count=1", 1)
        )
        yield


@pytest.fixture
def eight(monkeypatch):
    """Runs use all eight virtual devices."""
    monkeypatch.setattr(sharding, "mesh", MESH)


@pytest.fixture(scope="session")
def abc_folder(tmp_path_factory) -> pathlib.Path:
    """Forty short tunes in two styles, as ABC files: a corpus that is quick to
    build."""
    folder = tmp_path_factory.mktemp("tunes")
    rng = random.Random(0)
    for style, metre, eighths in (("reels", "4/4", 8), ("jigs", "6/8", 6)):
        (folder / style).mkdir()
        for number in range(20):
            bars = (
                "".join(rng.choice("DEFGABcdefg") for _ in range(eighths))
                for _ in range(8)
            )
            text = (
                f"X:1\nT:{style} {number}\nM:{metre}\nL:1/8\nK:D\n{'|'.join(bars)}|]\n"
            )
            (folder / style / f"{number}.abc").write_text(text)
    return folder


@pytest.fixture(scope="session")
def corpora(tmp_path_factory) -> pathlib.Path:
    """The ZOO_DATA of tests that share corpora, which are then built once."""
    return tmp_path_factory.mktemp("corpora")


@pytest.fixture(scope="session")
def judge():
    """A trained classifier that tells bars of low notes from bars of high ones."""
    import optax

    from zoo.data.codecs import Phrase
    from zoo.inference.model import Model
    from zoo.inference.style_classifier import StyleClassifier
    from zoo.models import LatentClassifier
    from zoo.train.optim import optimizers
    from zoo.train.step import init, make_step

    codec = Phrase(bars=1)
    family = LatentClassifier(
        ("dull", "bright"), codec.vocab, codec.length, width=8, layers=0, dropout=0.0
    )
    tx = optimizers(family, optax.adam(3e-2))
    step = jax.jit(make_step(family, tx), static_argnames="due")
    rng, style = np.random.default_rng(0), np.arange(32) % 2

    def batch():
        notes = rng.integers(0, 30, (32, codec.length))
        tokens = 3 + 30 * style[:, None] + notes
        return {"tokens": tokens, "style": style, "mask": np.ones(notes.shape, bool)}

    state = init(family, tx, jax.random.key(0), batch())
    for _ in range(40):
        state, _ = step(state, batch(), due=("entropy",))
    return StyleClassifier(Model(family, state.params, codec))


def pytest_addoption(parser):
    parser.addoption(
        "--write-budget", action="store_true", help="see compile_report.py"
    )


def pytest_configure(config):
    config.pluginmanager.register(compile_report.CompileReport())


# Files whose parametrised tests compile different programs: families, chains of
# commands.
SPLIT = ("test_contract.py", "test_commands.py")


def share(nodeid: str) -> str:
    """Returns what the tests that share compiled programs have in common.

    It is the file, and in the files of SPLIT the parameter too.
    """
    file, test = nodeid.split("::", 1)
    return file + test[test.find("[") :] if file.endswith(SPLIT) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Sends the tests that share programs to one worker, in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling

    class SharedPrograms(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return share(nodeid)

    return SharedPrograms(config, log)


def pytest_collection_modifyitems(items):
    """Orders tests by what they share, those that compile most first.

    Otherwise one worker ends with a long file while the other is idle.
    """
    budget = json.loads(compile_report.BUDGET.read_text())
    first: dict[str, int] = {}
    for position, item in enumerate(items):
        first.setdefault(share(item.nodeid), position)

    def order(item):
        file = item.nodeid.partition("::")[0]
        return -budget.get(file, budget["*"]), first[share(item.nodeid)]

    items.sort(key=order)


def pytest_runtest_teardown(item, nextitem):
    """Clears JAX's caches after the last test that shares their programs.

    Each program that stays alive slows down the serialisation of the next one into the
    persistent cache: with thousands of them, it takes half of the time.
    """
    if nextitem is None or share(item.nodeid) != share(nextitem.nodeid):
        jax.clear_caches()
