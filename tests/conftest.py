"""Fake devices, strict broadcasting, and compiled programs shared between workers."""

import functools
import gc
import os
import pathlib
import random
import tempfile

os.environ["XLA_FLAGS"] = " ".join(
    [
        "--xla_force_host_platform_device_count=8",
        "--xla_backend_optimization_level=0",
        # of 4.5 seconds that the step of a small model takes to compile, these take 3
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    ]
)
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(
    pathlib.Path(tempfile.gettempdir(), "zoo-xla")
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = (
    "0"  # most programs are one operation
)

from jaxtyping import install_import_hook

# before anything of the zoo is imported
install_import_hook(["zoo.nn", "zoo.models"], "shapes.check")

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from zoo.train import sharding  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")

# what tracing makes is mostly kept: to look through it each time costs a twentieth of all
gc.set_threshold(200_000, 20, 50)

MESH = sharding.mesh


@pytest.fixture(scope="session", autouse=True)
def one():
    """Runs take one device, as most have: to compile for eight takes half as long again."""
    with pytest.MonkeyPatch.context() as patch:
        alone = functools.partial(MESH, devices=jax.devices()[:1])
        patch.setattr(sharding, "mesh", alone)
        patch.setenv(
            "XLA_FLAGS", os.environ["XLA_FLAGS"].replace("count=8", "count=1", 1)
        )
        yield


@pytest.fixture
def eight(monkeypatch):
    """Runs take eight devices, and can split what they hold."""
    monkeypatch.setattr(sharding, "mesh", MESH)


@pytest.fixture(scope="session")
def abc_folder(tmp_path_factory) -> pathlib.Path:
    """Forty short tunes in two styles, as ABC: a corpus that builds in a moment."""
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
def judge():
    """A classifier of bars that has learnt to tell those of low notes from those of high ones."""
    import optax

    from zoo.data.codecs import Phrase
    from zoo.inference.model import Model
    from zoo.inference.style_classifier import StyleClassifier
    from zoo.models import LatentClassifier
    from zoo.train.optim import optimizers
    from zoo.train.step import init, make_step

    codec = Phrase(bars=1)
    styles = ("dull", "bright")
    family = LatentClassifier(
        styles, codec.vocab, codec.length, width=8, layers=0, dropout=0.0
    )
    rules = optimizers(family, optax.adam(3e-2))
    step = jax.jit(make_step(family, rules), static_argnames="due")
    rng, of = np.random.default_rng(0), np.arange(32) % 2
    draw = lambda: 3 + 30 * of[:, None] + rng.integers(0, 30, (32, codec.length))
    batch = lambda: {
        "tokens": draw(),
        "style": of,
        "mask": np.ones((32, codec.length), bool),
    }
    state = init(family, rules, jax.random.key(0), batch())
    for _ in range(40):
        state, _ = step(state, batch(), due=("entropy",))
    return StyleClassifier(Model(family, state.params, codec))


def share(nodeid: str) -> str:
    """What a test shares compiled programs with: its file, or the contract's tests of a family."""
    file, test = nodeid.split("::", 1)
    return file + test[test.find("[") :] if file.endswith("test_contract.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker takes all the tests that share programs, in the order they were collected in."""
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return share(nodeid)

    return Shares(config, log)


def pytest_collection_modifyitems(items):
    """What shares programs goes together, and the longest test first, or one worker waits for it
    at the end."""
    first: dict[str, int] = {}
    for at, item in enumerate(items):
        first.setdefault(share(item.nodeid), at)
    order = lambda item: (
        "test_readme.py" not in item.nodeid,
        first[share(item.nodeid)],
    )
    items.sort(key=order)


def pytest_runtest_teardown(item, nextitem):
    """Forgets the programs that no test to come has a share in.

    Each that is kept holds a context of the compiler's, and the more of these there are, the longer
    it takes to write the next program down: half of the time, with thousands.
    """
    if nextitem is None or share(item.nodeid) != share(nextitem.nodeid):
        jax.clear_caches()
