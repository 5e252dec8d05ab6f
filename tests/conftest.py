"""Eight fake devices, strict broadcasting, and compiled programs shared between workers."""

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
    ]
)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(tempfile.gettempdir(), "zoo-xla")))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


@pytest.fixture(scope="session")
def abc_folder(tmp_path_factory) -> pathlib.Path:
    """Forty short tunes in two styles, as ABC: a corpus that builds in a moment."""
    folder = tmp_path_factory.mktemp("tunes")
    rng = random.Random(0)
    for style, metre, eighths in (("reels", "4/4", 8), ("jigs", "6/8", 6)):
        (folder / style).mkdir()
        for number in range(20):
            bars = ("".join(rng.choice("DEFGABcdefg") for _ in range(eighths)) for _ in range(8))
            text = f"X:1\nT:{style} {number}\nM:{metre}\nL:1/8\nK:D\n{'|'.join(bars)}|]\n"
            (folder / style / f"{number}.abc").write_text(text)
    return folder
