"""One run: training, the likelihood at its best checkpoint, samples, and the record of it all."""

import dataclasses
import functools
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from zoo.config import record
from zoo.core import Batch, Family, Params
from zoo.data.codecs.base import Codec
from zoo.inference.model import Trained, load
from zoo.listen.gallery import gallery
from zoo.runner.results import compare, provenance, write
from zoo.train import distributed, loop, precision, sharding
from zoo.train.evaluate import evaluator, plain
from zoo.train.optim import Adam
from zoo.train.options import Options
from zoo.train.prefetch import Batches as Steps


@dataclasses.dataclass(frozen=True)
class Task:
    """What a model is trained on and measured by, and what it is told to be named after."""

    name: str
    codec: Codec
    batches: Steps
    whole: Callable[[str], Iterable[Batch]]
    """A split, every piece of it once."""
    real: list[np.ndarray]
    """A few pieces that no model is trained on."""
    music: Any
    """The options it was made from, for the record."""
    listen: "Listen | None" = None
    """How what it makes is heard; by default as music."""


Rules = Adam | Mapping[str, Adam]  # of all objectives, or of each
Listen = Callable[
    [Trained, pathlib.Path, int, int], None
]  # to a folder, so many, by a seed
Finish = Callable[[Trained, Callable[[str], Iterable[Batch]]], dict[str, Any]]


def connected(options: Options, batch: int) -> tuple[int, int]:
    """Joins the hosts of a run and shares out the cores; which process this is, of how many."""
    distributed.connect(options.coordinator, options.processes, options.process)
    distributed.share_cores(batch // (options.processes or 1) // options.accumulate)
    return jax.process_index(), jax.process_count()


def run(
    model: Family,
    task: Task,
    workdir: str | pathlib.Path,
    steps: int,
    adam: Rules,
    options: Options,
    samples: int,
    finish: Finish | None,
    began: float,
    given: Params | None = None,
) -> dict[str, Any]:
    """Trains, measures at the best checkpoint, and leaves the record of it in `workdir`.

    Networks that are `given` come from elsewhere; the others are born here.
    """
    workdir, main = pathlib.Path(workdir), jax.process_index() == 0
    config = {"experiment": task.name, **record({"family": model, "codec": task.codec})}
    config |= record({"music": task.music, "adam": adam, "seed": options.seed})
    if main:
        write(
            workdir / "config.json",
            {**config, "steps": steps, "options": record(options)},
        )
    measure = likelihood(model, task, options)

    def validate(params: Params) -> dict[str, float]:
        metrics = measure(params, "validation")
        # what is descended: a likelihood, or that and what its latents are charged for; a game has
        # no one loss to be best by
        valid = {"valid": metrics["loss"]} if "loss" in metrics else {}
        return valid | {f"valid_{k}": v for k, v in metrics.items()}

    trained = {
        "tx": rules(adam, steps),
        "steps": steps,
        "workdir": workdir,
        "options": options,
        "given": given,
    }
    outcome = loop.fit(model, task.batches, **trained, meta=config, validate=validate)
    done = workdir / "result.json"
    if outcome.first_step == 0 and done.exists():  # there was nothing left to train
        result = json.loads(done.read_text())
    else:
        best = load(workdir, mesh=sharding.mesh(model=options.model))
        test = {
            f"test_{key}": value for key, value in measure(best.params, "test").items()
        }
        valid = {}
        if "test_nll" in test:
            valid["valid_nll"] = measure(best.params, "validation")["nll"]
        more = finish(best, task.whole) if finish else {}
        metrics = {
            **test,
            **valid,
            **more,
            "best_step": best.about["step"],
            **outcome.figures,
        }
        elsewhere = time.perf_counter() - began - outcome.here
        result = {"experiment": task.name, "metrics": metrics}
        result |= provenance(outcome.seconds + elsewhere)
        if main:
            hear = task.listen or functools.partial(listen, task)
            hear(best, workdir / "samples", samples, options.seed)
            write(done, result)
    if main and options.compare:
        print(compare(task.name, workdir / "metrics.jsonl"), file=sys.stderr)
    return result


def rules(adam: Rules, steps: int) -> Any:
    """The update rule of all objectives, or of each."""
    if isinstance(adam, Adam):
        return adam.rule(steps)
    return {name: each.rule(steps) for name, each in adam.items()}


def listen(
    task: Task, model: Trained, folder: pathlib.Path, samples: int, seed: int
) -> None:
    """A gallery of what the model writes, beside a few pieces that it was not trained on."""
    if samples:
        here = dataclasses.replace(model, params=jax.device_get(model.params))
        real = [task.codec.decode(piece) for piece in task.real]
        gallery(here.sample(samples, seed), folder, title=task.name, real=real)


def likelihood(
    model: Family, task: Task, options: Options
) -> Callable[[Params, str], dict[str, float]]:
    """Returns `(params, split) -> metrics` over every piece of a split, whole."""
    mesh = sharding.mesh(model=options.model)
    measure = evaluator(model, mesh=mesh, context=precision.context(options.bf16))

    def over(params: Params, split: str) -> dict[str, float]:
        return plain(measure(params, task.whole(split)))

    return over
