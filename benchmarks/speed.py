"""Times training and sampling of every family on this machine.

    python benchmarks/speed.py --families lstm-anchor --reference torch --out speed.json

Each round times a large matmul, one training step of each case, and the same step of
the PyTorch reference, one after another, so that other work on the machine affects all
of them. Ratios are taken within a round, and their medians are reported. Training is
the shared step with its guards, in float32 unless a case is named bf16: matrices are
then multiplied in bfloat16, and the reference runs under autocast. Sampling is in
float32.
"""

import functools
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import pkgutil
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from rich.console import Console
from rich.table import Table

import zoo.models
from zoo.core import WEIGHT, Family, Metrics
from zoo.errors import UsageError
from zoo.models import (
    LSTM,
    AttentionRNN,
    LatentDiffusion,
    MuseGAN,
    MusicVAE,
    SeqGAN,
    Transformer,
)
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.train import distributed, precision, sharding
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

SIDE = 2048  # of the matmul that a step is measured against
ENOUGH = (
    60.0  # seconds for which the drawing of many rows is timed, whatever the rounds
)
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # or PyTorch's threads spin while ours are timed


class Case(NamedTuple):
    family: Family
    batch: int
    bf16: bool = False
    steps: int = (
        1  # that are timed as one, from the first: a game may take several moves
    )


PRESETS = {
    # the sizes that published figures exist for
    "lstm-anchor": Case(
        LSTM(vocab=130, embed=128, width=512, layers=2, length=128), 64
    ),
    "lstm-melody": Case(
        LSTM(vocab=130, embed=128, width=128, layers=2, length=511), 128
    ),
    "attention-rnn-magenta": Case(AttentionRNN(vocab=38, length=511), 128),
    "lookback-magenta": Case(AttentionRNN(vocab=38, memory=0, length=511), 128),
    "performance-magenta": Case(
        AttentionRNN(vocab=389, width=512, layers=3, memory=0, lookback=(), length=461),
        64,
    ),
    "music-vae-2bar": Case(MusicVAE(vocab=90, kl_anneal=0.0), 512),
    "latent-diffusion-anchor": Case(
        LatentDiffusion(MusicVAE(latent=512), axes=512), 64
    ),
    # five moves of the critic and one of the generator
    "musegan-anchor": Case(MuseGAN(critic_steps=5), 64, steps=5),
    # 16 roll-outs of 20 tokens out of 5,000, a move of the critic and of the policy
    # besides
    "seqgan-anchor": Case(
        SeqGAN((5000,), warmup=0, critic_warmup=0, critic_steps=1, ends=False), 64
    ),
    "transformer-1024": Case(
        Transformer(vocab=130, width=256, layers=6, heads=8, length=1024), 8
    ),
}
BF16 = {f"{name}-bf16": case._replace(bf16=True) for name, case in PRESETS.items()}


def cases() -> Mapping[str, Case]:
    """Returns the presets in both precisions, and every family at batch 32."""
    names = [module.name for module in pkgutil.iter_modules(zoo.models.__path__)]
    tiny = {name: importlib.import_module(f"zoo.models.{name}").TINY for name in names}
    writes = lambda family: "batch" not in inspect.signature(family.sample).parameters
    plain = {
        name: Case(type(family)(), 32)
        for name, family in tiny.items()
        if writes(family)
    }
    return plain | PRESETS | BF16


def flops(jaxpr: Any) -> int:
    """Returns the multiplications and additions of a program's matmuls.

    Those in a loop count as often as it runs.

    XLA's own count takes the body of a loop once. Loops of unknown length count once
    here too.
    """
    total = 0
    for eqn in jaxpr.eqns:
        inner = [flops(sub) for sub in jax.extend.core.jaxprs_in_params(eqn.params)]
        if eqn.primitive.name == "dot_general":
            (over, _), _ = eqn.params["dimension_numbers"]
            shape = eqn.invars[0].aval.shape
            depth = functools.reduce(lambda n, axis: n * shape[axis], over, 1)
            total += 2 * depth * eqn.outvars[0].aval.size
        elif eqn.primitive.name == "cond":
            total += max(inner)
        else:
            total += eqn.params.get("length", 1) * sum(inner)
    return total


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - begin


def matmul() -> Callable[[], object]:
    return functools.partial(jax.jit(jnp.matmul), *2 * [jnp.ones((SIDE, SIDE))])


class Trainer:
    """A family, its state and its compiled steps; calling it takes a step."""

    def __init__(self, case: Case) -> None:
        begin = time.perf_counter()
        family, n, bf16, steps = case
        mesh, tx = sharding.mesh(), optimizers(family, optax.adam(1e-3))
        self.batch = sharding.shard_batch(mesh, family.example(n))
        start = functools.partial(
            init, family, tx, jax.random.key(0), family.example(n)
        )
        where = sharding.place(mesh, jax.eval_shape(start))
        self.state = jax.jit(start, out_shardings=where)()
        step = make_step(family, tx, context=precision.context(bf16))
        placed: Any = {
            "donate_argnums": 0,
            "out_shardings": (where, NamedSharding(mesh, P())),
        }
        jitted = jax.jit(step, static_argnames="due", **placed)
        cadence = [due(family, i) for i in range(steps)]
        programs = {
            now: jitted.trace(self.state, self.batch, due=now) for now in {*cadence}
        }
        self.flops = sum(flops(programs[now].jaxpr.jaxpr) for now in cadence)
        compiled = {now: program.lower().compile() for now, program in programs.items()}
        self.steps = [compiled[now] for now in cadence]
        jax.block_until_ready(self())
        self.first = time.perf_counter() - begin

    def __call__(self) -> Metrics:
        metrics: Metrics = {}
        for step in self.steps:
            self.state, metrics = step(self.state, self.batch)
        return metrics

    @property
    def memory(self) -> int:
        """Returns the peak memory on all devices, in bytes."""

        def held(step: Any) -> int:
            need = step.memory_analysis()
            kept = need.argument_size_in_bytes + need.output_size_in_bytes
            return kept - need.alias_size_in_bytes + need.temp_size_in_bytes

        return max(map(held, self.steps)) * jax.device_count()


def sampler(family: Family, params: Any, n: int) -> tuple[Callable[[], object], int]:
    """Returns what samples `n` rows, and the number of their events or frames.

    A primer holds off the end of rows of events, so that all of them are drawn; pieces
    of latents have no end to hold off.
    """
    args, given = (params, jax.random.key(0)), {}
    shape = jax.eval_shape(functools.partial(family.sample, n=n), *args).shape
    primed = "primer" in inspect.signature(family.sample).parameters
    if len(shape) == 2 and primed and not hasattr(family, "vae"):
        given = {"primer": jnp.ones(shape, jnp.int32)}
    sample = (
        jax.jit(family.sample, static_argnames="n").lower(*args, n=n, **given).compile()
    )
    return functools.partial(sample, *args, **given), n * shape[1]


def sampling(
    family: Family, params: Any, reference: str | None, rounds: int
) -> dict[str, Any]:
    """Returns events per second of 1 row and of 64, and the reference's of 1 row."""
    (one, events), (many, all_events) = (sampler(family, params, n) for n in (1, 64))
    loop = (
        importlib.import_module("torch_sequence").torch_loop(family)
        if reference
        else None
    )
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(one))
        theirs.append(seconds(loop) if loop else float("nan"))
    return {
        "samples_1": events / statistics.median(ours),
        "samples_64": all_events / statistics.median(repeated(many, rounds)),
        "peer_samples_1": events / statistics.median(theirs) if loop else None,
        "peer_samples_ratio": (
            statistics.median(map(float.__truediv__, theirs, ours)) if loop else None
        ),
    }


def repeated(run: Callable[[], object], rounds: int) -> list[float]:
    """Returns the seconds of `rounds` runs, or of as many as take ENOUGH seconds."""
    taken = [seconds(run)]
    while len(taken) < rounds and sum(taken) < ENOUGH:
        taken.append(seconds(run))
    return taken


def measure(
    name: str, case: Case, reference: str | None, rounds: int
) -> dict[str, Any]:
    trainer, product = Trainer(case), matmul()
    other = (
        importlib.import_module("torch_sequence").torch_step(*case[:3])
        if reference
        else None
    )
    jax.block_until_ready(product())
    limits, steps, others = [], [], []
    for _ in range(rounds):
        limits.append(trainer.flops * seconds(product) / (2 * SIDE**3))
        steps.append(seconds(trainer))
        others.append(seconds(other) if other else float("nan"))
    middle = statistics.median(steps)
    items = (
        sum(int(v) for k, v in trainer().items() if k.endswith(f"/{WEIGHT}"))
        or case.batch
    )
    params = jax.device_put(trainer.state.params, jax.devices()[0])
    return {
        "name": name,
        "family": repr(case.family),
        "batch": case.batch,
        "step_seconds": middle,
        "fastest_step_seconds": min(steps),
        "items_per_second": items / middle,
        "first_step_seconds": trainer.first,
        "peak_bytes": trainer.memory,
        "matmul_flops": trainer.flops,
        "fraction_of_matmul_rate": statistics.median(
            map(float.__truediv__, limits, steps)
        ),
        **sampling(case.family, params, reference, rounds),
        "peer_seconds": statistics.median(others) if other else None,
        "peer_fastest_seconds": min(others) if other else None,
        "peer_ratio": statistics.median(map(float.__truediv__, others, steps))
        if other
        else None,
    }


def times(ratio: float | None) -> str:
    return f"{ratio:.2f} x" if ratio else "-"


Cell = Callable[[dict[str, Any]], str]
COLUMNS: dict[str, Cell] = {
    "case": lambda row: row["name"],
    "step": lambda row: f"{row['step_seconds'] * 1e3:,.1f} ms",
    "events/s": lambda row: f"{row['items_per_second']:,.0f}",
    "of matmul": lambda row: f"{row['fraction_of_matmul_rate']:.2f}",
    "first step": lambda row: f"{row['first_step_seconds']:.1f} s",
    "memory": lambda row: f"{row['peak_bytes'] / 2**20:,.0f} MiB",
    "drawn/s by 1": lambda row: f"{row['samples_1']:,.0f}",
    "by 64": lambda row: f"{row['samples_64']:,.0f}",
    "PyTorch/ours": lambda row: times(row["peer_ratio"]),
    "drawn": lambda row: times(row.get("peer_samples_ratio")),
}


def table(rows: list[dict[str, Any]]) -> Table:
    view = Table(
        title=f"{jax.devices()[0].device_kind}, {jax.device_count()} device(s)"
    )
    for heading in COLUMNS:
        view.add_column(heading, justify="left" if heading == "case" else "right")
    for row in rows:
        view.add_row(*(cell(row) for cell in COLUMNS.values()))
    return view


def benchmark(
    families: tuple[str, ...] = (),
    reference: Literal["torch"] | None = None,
    out: pathlib.Path | None = None,
    rounds: int = 7,
) -> None:
    """Times families (all of them by default), and prints a table.

    Args:
        families: names of cases; `lstm-anchor` and `lstm-melody` have published times.
        reference: library in which the same model is trained and sampled in turns, too.
        out: JSON file to write.
        rounds: times that each is timed.
    """
    jax.config.update("jax_enable_compilation_cache", False)  # a first step compiles
    distributed.share_cores(32)
    began = time.perf_counter()
    known = cases()
    chosen = families or tuple(known)
    if unknown := set(chosen) - set(known):
        raise UsageError(
            f"no family is called {min(unknown)}: choose from {', '.join(known)}."
        )
    rows = [measure(name, known[name], reference, rounds) for name in chosen]
    Console(width=120).print(table(rows))
    if out is not None:
        record(out, "benchmark", {row["name"]: row for row in rows}, reference, began)


def record(
    out: pathlib.Path,
    name: str,
    metrics: dict[str, Any],
    reference: str | None,
    began: float,
) -> None:
    """Writes the measured times, with the load and the versions of the machine."""
    figures = provenance(time.perf_counter() - began)
    if reference:
        figures["versions"][reference] = importlib.metadata.version(reference)
    figures["load"] = os.getloadavg()[0]
    write(out, {"experiment": name, "metrics": metrics, "peer": reference, **figures})


if __name__ == "__main__":
    launch(benchmark)
