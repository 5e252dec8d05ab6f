"""One training run: batches, checkpoints, evaluation, samples, and the record of it."""

import contextlib
import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax

from zoo.config import record
from zoo.core import Family, Params
from zoo.errors import UsageError
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.inference.shipped import names, resolve
from zoo.ranges import Examples, TrainingSteps, checked
from zoo.runner.results import compare, provenance, write
from zoo.runner.terms import inherited
from zoo.tasks.base import Process, Task
from zoo.train import distributed, loop, precision, sharding
from zoo.train.evaluate import evaluator, plain
from zoo.train.lock import sole_writer
from zoo.train.measuring import affordable, bounded, followed, quiet, say
from zoo.train.optim import Adam
from zoo.train.options import Options
from zoo.train.peers import together

Optimizer = Adam | Mapping[str, Adam]  # one for all objectives, or one for each
Evaluate = Callable[[Model, Any], Mapping[str, float]]
F = TypeVar("F", bound=Family)


@checked
def train(
    family: Family,
    task: Task,
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: TrainingSteps,
    optimizer: Optimizer = Adam(),
    options: Options = Options(),
    samples: Examples = 8,
    evaluate: Evaluate | None = None,
    pretrained: Params | None = None,
    origins: Sequence[str | pathlib.Path] = (),
) -> dict[str, Any]:
    """Trains a family on a task, evaluates its best checkpoint and writes samples.

    Leaves config.json, metrics.jsonl, tensorboard/, checkpoints/, samples/ and
    result.json in `workdir`. The same call continues from the last checkpoint.

    Args:
      family: the model; fields that the data decide, such as `vocab`, are filled in.
      task: what it is trained and evaluated on.
      name: the name of the experiment.
      workdir: the directory of the run.
      steps: batches to train on.
      optimizer: the update rule of all objectives, or one for each by its name.
      options: how the run is executed.
      samples: pieces, or reconstructions, to write at the end.
      evaluate: `(model, task) -> metrics`, called once at the best checkpoint.
      pretrained: parameters of networks that are not initialised here, by name.
      origins: the runs or files of weights that these are from. The run inherits their
        licences, as it does those of `init_from`.

    Returns:
      The contents of result.json.

    Raises:
      UsageError: family, task, options or `workdir` do not fit together, or another
        process writes to `workdir`.
      ZooError: the loss is not finite for too long, or a checkpoint cannot be saved.
    """
    began = time.perf_counter()
    options = dataclasses.replace(options, init_from=source(options.init_from))
    process = connect(options, task.batch)
    family, workdir = sized(family, task), pathlib.Path(workdir)
    with together(), quiet(options.quiet), contextlib.ExitStack() as stack:
        if main := jax.process_index() == 0:
            stack.enter_context(sole_writer(workdir))
        batches = task.train_batches(options.seed, process)
        begins = [*origins, *([options.init_from] if options.init_from else [])]
        config = {
            "experiment": name,
            "family": record(family),
            "codec": record(task.coder),
            "task": record(task),
            "data": task.data_digest(),
            "optimizer": record(optimizer),
            "seed": options.seed,
            "licences": inherited(workdir, map(pathlib.Path, begins)),
        }
        if main:
            more = {"steps": steps, "options": record(options)}
            write(workdir / "config.json", {**config, **more})
        rows = affordable(steps * task.batch)
        measure = metrics_of(family, task, options, process=process, rows=rows)
        outcome = loop.fit(
            family,
            batches,
            tx=rule(optimizer, steps),
            steps=steps,
            workdir=workdir,
            options=options,
            meta=config,
            validate=lambda params: validation(measure(params, "validation")),
            pretrained=pretrained,
        )
        done = workdir / "result.json"
        if outcome.first_step == 0 and done.exists():  # nothing was left to train
            result = json.loads(done.read_text())
        else:
            say("evaluating the best checkpoint")
            model = load(workdir, mesh=sharding.mesh(model=options.model))
            model = dataclasses.replace(model, task=task)
            metrics = final_metrics(model, measure)
            if evaluate:
                metrics |= evaluate(model, task)
            metrics |= {"best_step": model.about["step"], **outcome.figures}
            elsewhere = time.perf_counter() - began - outcome.here
            result = {"experiment": name, "metrics": metrics}
            result |= provenance(outcome.seconds + elsewhere)
            if main:
                local = dataclasses.replace(model, params=jax.device_get(model.params))
                page = workdir / "samples"
                task.write_page(local, page, samples, seed=options.seed, title=name)
                write(done, result)
        if main and options.compare:
            print(compare(name, workdir / "metrics.jsonl"), file=sys.stderr)
        return result


def source(init_from: str | None) -> str | None:
    """Returns the path of the initial parameters, given as a path or a name."""
    if init_from in names() and not pathlib.Path(init_from).exists():
        return str(resolve(init_from))
    return init_from


def connect(options: Options, batch: int) -> Process:
    """Joins the hosts of a run and shares out the cores.

    Returns:
      The index of this process, and how many there are.
    """
    distributed.connect(options.coordinator, options.processes, options.process)
    rows = batch // (options.processes or 1) // options.accumulate
    distributed.share_cores(rows)
    return jax.process_index(), jax.process_count()


def sized(family: F, task: Task) -> F:
    """Returns the family with the fields that the task's data decide.

    Raises:
      UsageError: a field was chosen, and the data decide otherwise.
    """
    fields = {field.name: field for field in dataclasses.fields(family)}  # type: ignore[arg-type]
    minima = task.minima()
    known = {**task.sizes, **minima}
    sizes = {name: size for name, size in known.items() if name in fields}
    for name, size in sizes.items():
        chosen = getattr(family, name)
        if name in minima and chosen > size:
            sizes[name] = chosen
        elif chosen not in (size, fields[name].default):
            raise UsageError(
                f"{name} is {chosen} and the data have {size}: leave {name} out."
            )
    return dataclasses.replace(family, **sizes)  # type: ignore[type-var]


def rule(optimizer: Optimizer, steps: int) -> Any:
    """Returns the update rule of all objectives, or a dictionary of each one's."""
    if isinstance(optimizer, Adam):
        return optimizer.optimizer(steps)
    return {name: adam.optimizer(steps) for name, adam in optimizer.items()}


def metrics_of(
    family: Family, task: Task, options: Options, *, process: Process, rows: int
) -> Callable[[Params, str], dict[str, float]]:
    """Returns `(params, split) -> metrics`, the means over the pieces of a split.

    They are all pieces, unless that took longer than training: `rows` of them then.
    """
    mesh = sharding.mesh(model=options.model)
    measure = evaluator(family, mesh=mesh, context=precision.context(options.bf16))

    def over(params: Params, split: str) -> dict[str, float]:
        batches = task.eval_batches(split, process=process)
        batches = bounded(batches, rows, task.batch)
        return plain(measure(params, followed(batches, f"measuring {split}")))

    return over


def validation(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns metrics by the names they are logged under.

    "valid" selects the best checkpoint; a game has no single loss that could.
    """
    logged = {f"valid_{name}": value for name, value in metrics.items()}
    return {"valid": metrics["loss"], **logged} if "loss" in metrics else logged


def final_metrics(
    model: Model, measure: Callable[[Params, str], dict[str, float]]
) -> dict[str, Any]:
    """Returns the metrics of the test split, and the likelihood of the validation
    split."""
    test = measure(model.params, "test")
    metrics: dict[str, Any] = {f"test_{name}": value for name, value in test.items()}
    if "nll" in test:
        metrics["valid_nll"] = measure(model.params, "validation")["nll"]
    return metrics
