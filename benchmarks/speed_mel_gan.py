"""Times the decoding of mel spectra by MelGAN on this machine.

    python benchmarks/speed_mel_gan.py --reference torch

Each round decodes with our model, and then with the same network in PyTorch, so that
other work on the machine affects both. Medians are reported, and the median of the
ratios within a round. On one core: `taskset -c 0`, with OMP_NUM_THREADS=1.
"""

import functools
import importlib
import statistics
from typing import Literal

import jax
import numpy as np
from rich.console import Console
from rich.table import Table
from speed import seconds

from zoo.models import MelGAN
from zoo.runner import launch

FAMILIES = {"istft": MelGAN(), "upsampling": MelGAN(generator="upsampling", width=256)}


def benchmark_mel_gan(
    families: tuple[str, ...] = tuple(FAMILIES),
    lengths: tuple[float, ...] = (2.0, 8.0),
    reference: Literal["torch"] | None = None,
    rounds: int = 15,
) -> None:
    """Times decoding, and prints a table.

    Args:
        families: generators, istft and upsampling.
        lengths: of the audio, in seconds.
        reference: library in which istft is done in turns, too.
        rounds: times that each is timed.
    """
    view = Table("generator", "audio", "time", "x real time", "PyTorch/ours")
    for name in families:
        family, key = FAMILIES[name], jax.random.key(0)
        spectra = np.zeros((1, 1, family.mel_bands), np.float32)
        init = jax.jit(lambda rng, f=family, x=spectra: f.network.init(rng, x))
        params = {"generator": init(key)["params"]}
        for length in lengths:
            frames = round(length * family.rate / family.hop)
            shape = 1, frames, family.mel_bands
            mel = np.random.default_rng(0).normal(size=shape).astype(np.float32) - 5
            decode = functools.partial(jax.jit(family.decode), params, mel, key)
            other = None
            if reference and name == "istft":
                other = importlib.import_module("torch_mel_gan").reference(family, mel)
            ours, theirs = times(decode, other, rounds)
            middle = statistics.median(ours)
            ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
            view.add_row(
                name,
                f"{length:g} s",
                f"{1e3 * middle:,.1f} ms",
                f"{length / middle:,.0f}",
                f"{statistics.median(ratios):.2f} x",
            )
    Console(width=100).print(view)


def times(run, other, rounds: int) -> tuple[list[float], list[float]]:
    """Returns the seconds of each round, of our function and of another, if any."""
    seconds(run)
    if other:
        other()
    pairs = [
        (seconds(run), seconds(other) if other else float("nan")) for _ in range(rounds)
    ]
    ours, theirs = zip(*pairs, strict=True)
    return list(ours), list(theirs)


if __name__ == "__main__":
    launch(benchmark_mel_gan)
