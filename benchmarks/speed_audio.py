"""Times the vocoder and its signal processing on this machine.

    python benchmarks/speed_audio.py --reference torch --out speed.json

Each round times a case and then the same work in PyTorch, so that other work on the
machine affects both. Ratios are taken within a round, and medians are reported.
`decode` decodes one signal of two seconds, `block` streams the next 2,048 samples
through encoder and decoder, `train` is a step of reconstruction, and `feed` makes its
batch from crops of recordings. The others process 16 signals of a second: `resample` to
44,100 Hz, `convolve` with one of them. All is in float32.
"""

import functools
import importlib
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import soundfile
from rich.console import Console
from rich.table import Table
from speed import record, seconds

from zoo.data.audio.batches import AudioBatches
from zoo.data.audio.datasets import audio_dataset, open_split
from zoo.models import VariationalVocoder
from zoo.nn.audio.ddsp import fft_convolve
from zoo.nn.audio.resample import Resample
from zoo.nn.audio.stft import magnitude
from zoo.runner import launch
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

BLOCK = 2048  # samples
OTHER = 44_100  # Hz
RECORDINGS = 40  # of four seconds, of which some are to train on
FAMILIES = {
    "": VariationalVocoder(),  # of RAVE v2's size, at 48 kHz
    "small ": VariationalVocoder(factors=(4, 4, 4), width=32),
    "notes ": VariationalVocoder(16_000, factors=(4, 4), width=48, latent=192),
}
PROCESSING = "stft", "stft back", "mel", "bank", "bank back", "resample", "convolve"
SIGNALS = {
    **dict.fromkeys(PROCESSING, 16),
    "decode": 1,
    "block": 1,
    "train": 8,
    "feed": 8,
}


def samples(name: str, family: VariationalVocoder) -> int:
    """Returns the number of samples of each signal of a case."""
    whole = lambda length: -(-length // family.hop) * family.hop
    if name == "block":
        return whole(BLOCK)
    return whole(2 * family.rate if name == "decode" else family.rate)


def case(name: str, family: VariationalVocoder, x: np.ndarray) -> Callable[[], Any]:
    """Returns the compiled function of a case, to be timed."""
    if name == "feed":
        return Feeding(family.rate, *x.shape)
    params = jax.jit(lambda rng: family.init(rng, family.example(1)))(jax.random.key(0))
    key, mel = jax.random.key(0), family.reconstruction.mel
    if name == "train":
        rules, batch = optimizers(family, optax.adam(1e-3)), {"audio": jnp.asarray(x)}
        state = jax.jit(lambda rng: init(family, rules, rng, batch))(key)
        step = jax.jit(
            make_step(family, rules), static_argnames="due", donate_argnums=0
        )
        return Moving(lambda state: step(state, batch, due=("reconstruct",)), state)
    if name == "block":
        step, block = jax.jit(family.step, donate_argnums=1), jnp.asarray(x)
        return Moving(
            lambda state: step(params, state, block), family.begin(params, key, 1)
        )
    if name == "decode":
        z = jnp.zeros((1, family.frames(x.shape[1]), family.latent))
        return functools.partial(jax.jit(family.decode), params, z, key)
    runs: dict[str, tuple[Callable[..., Any], Any]] = {
        "stft": (lambda x: magnitude(mel.stft(x)), x),
        "stft back": (
            lambda y: mel.stft.inverse(y, x.shape[1]),
            mel.stft(jnp.asarray(x)),
        ),
        "mel": (mel, x),
        "bank": (family.pqmf, x),
        "bank back": (family.pqmf.inverse, family.pqmf(jnp.asarray(x))),
        "resample": (Resample(family.rate, OTHER), x),
        "convolve": (lambda x: fft_convolve(x, x[:1]), x),
    }
    run, of = runs[name]
    return functools.partial(jax.jit(run), jnp.asarray(of))


class Moving:
    """A step that goes on from where it was."""

    def __init__(self, step: Callable[[Any], tuple[Any, Any]], state: Any) -> None:
        self.step, self.state = step, state

    def __call__(self) -> Any:
        self.state, out = self.step(self.state)
        return out


class Feeding:
    """The next batch of crops, from files of noise."""

    def __init__(self, rate: int, batch: int, length: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        played, rng = (
            pathlib.Path(self.folder.name) / "played",
            np.random.default_rng(0),
        )
        played.mkdir()
        for i in range(RECORDINGS):
            soundfile.write(played / f"{i}.wav", 0.1 * rng.normal(size=4 * rate), rate)
        of = audio_dataset(f"audio_folder:{played}", rate)
        excerpts = open_split(of, "train", pathlib.Path(self.folder.name) / "built")
        self.batches, self.steps = (
            AudioBatches(excerpts, batch, length),
            itertools.count(),
        )

    def __call__(self) -> Any:
        return self.batches[next(self.steps)]


def measure(name: str, of: str, reference: str | None, rounds: int) -> dict[str, Any]:
    family, rng = FAMILIES[of], np.random.default_rng(0)
    count = samples(name, family)
    x = 0.1 * rng.normal(size=(SIGNALS[name], count)).astype(np.float32)
    run = case(name, family, x)
    theirs_too = reference is not None and name != "feed"
    other = (
        importlib.import_module("torch_vocoder").reference(name, family, x)
        if theirs_too
        else None
    )
    seconds(run)
    if other:
        other()
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(run))
        theirs.append(seconds(other) if other else float("nan"))
    middle = statistics.median(ours)
    params = jax.eval_shape(family.init, jax.random.key(0), family.example(1))
    sizes = {
        key: sum(w.size for w in jax.tree.leaves(net)) for key, net in params.items()
    }
    ratios = map(float.__truediv__, theirs, ours)
    return {
        "seconds": middle,
        "times_real": x.size / family.rate / middle,
        "parameters": sum(sizes.values()),
        "decoder_parameters": sizes["decoder"],
        "peer_seconds": statistics.median(theirs) if other else None,
        "peer_ratio": statistics.median(ratios) if other else None,
    }


def table(rows: dict[str, dict[str, Any]]) -> Table:
    view = Table(
        title=f"{jax.devices()[0].device_kind}, {jax.device_count()} device(s)"
    )
    for heading in ("case", "time", "x real time", "parameters", "PyTorch/ours"):
        view.add_column(heading, justify="left" if heading == "case" else "right")
    for name, row in rows.items():
        ratio = f"{row['peer_ratio']:.2f} x" if row["peer_ratio"] else "-"
        cells = f"{1e3 * row['seconds']:,.1f} ms", f"{row['times_real']:,.0f}"
        view.add_row(name, *cells, f"{row['parameters']:,}", ratio)
    return view


def benchmark_sound(
    cases: tuple[str, ...] = tuple(SIGNALS),
    families: tuple[str, ...] = tuple(FAMILIES),
    reference: Literal["torch"] | None = None,
    out: pathlib.Path | None = None,
    rounds: int = 15,
) -> None:
    """Times cases of families (all of them by default), and prints a table.

    Args:
        cases: stft, "stft back", mel, bank, "bank back", resample, convolve, decode,
            block, train, feed.
        families: "" for the default size, "small " and "notes " for smaller ones.
        reference: library in which the same is done in turns, too.
        out: JSON file to write.
        rounds: times that each is timed.
    """
    began = time.perf_counter()
    rows = {
        f"{of}{name}": measure(name, of, reference, rounds)
        for of in families
        for name in cases
        if of != "small "
        or name not in PROCESSING  # which is no other than that of the first
    }
    Console(width=120).print(table(rows))
    if out is not None:
        record(out, "benchmark_sound", rows, reference, began)


if __name__ == "__main__":
    launch(benchmark_sound)
