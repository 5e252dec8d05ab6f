"""The training loop."""

import collections
import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from zoo.config import record
from zoo.core import WEIGHT, Family, Metrics, Params, Tree
from zoo.errors import UsageError, ZooError
from zoo.train import precision, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.collapse import CollapseMonitor
from zoo.train.initialize import Plan, initial_state, plan
from zoo.train.lock import sole_writer
from zoo.train.log import Log
from zoo.train.memory import require_memory
from zoo.train.optim import Optimizers, optimizers
from zoo.train.options import Options
from zoo.train.peers import together
from zoo.train.preemption import PreemptionGuard
from zoo.train.prefetch import Batches, Prefetcher
from zoo.train.step import Step, TrainState, due, make_step

# consecutive steps with bad gradients, or a bad loss, after which a run stops
MAX_NONFINITE = 10
SPEED_WINDOW = 50  # steps over which the speed is averaged
LAG = 2  # steps whose metrics stay on the device, so that the host never blocks it
EPS = 1e-9

Validate = Callable[[Params], Mapping[str, float]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of `fit`.

    Attributes:
      state: the final state.
      seconds: training time, including the runs that this one resumed.
      here: training time of this call, in seconds.
      first_step: seconds until the end of the first step, including compilation; 0 if
        no step was left.
      input_wait: fraction of the time spent waiting for data.
    """

    state: TrainState
    seconds: float
    here: float
    _: dataclasses.KW_ONLY
    first_step: float
    input_wait: float

    @property
    def figures(self) -> dict[str, float]:
        """The speed metrics that a result records."""
        return {"first_step_seconds": self.first_step, "input_wait": self.input_wait}


def fit(
    family: Family,
    batches: Batches,
    *,
    tx: optax.GradientTransformation | Optimizers,
    steps: int,
    workdir: str | pathlib.Path,
    options: Options = Options(),
    meta: Mapping[str, Any] | None = None,
    validate: Validate | None = None,
    pretrained: Params | None = None,
) -> Outcome:
    """Trains `family` up to step `steps`, resuming from the checkpoints in `workdir`.

    SIGTERM saves a checkpoint and exits with code 0.

    Args:
      family: the model.
      batches: `batches[i]` is the batch of step i.
      tx: the optimizer, or one for each objective.
      steps: total number of steps.
      workdir: directory of checkpoints and logs.
      options: options of the run.
      meta: JSON written to every checkpoint. The record of `family` is added.
      validate: `params -> metrics`, called at each save; the best checkpoint is the
        one with the lowest "valid".
      pretrained: networks to start from instead of a random initialisation, by name.

    Raises:
      ZooError: gradients or a loss were not finite for ten steps in a row, or a save
        failed. In the first case the state is saved.
      UsageError: the options, the batch size or the checkpoints do not fit, or another
        process writes to `workdir`.
    """
    began = time.perf_counter()
    workdir = pathlib.Path(workdir)
    meta = with_family(meta or {}, family)
    mesh = sharding.mesh(model=options.model)
    tx = optimizers(family, tx, clip=options.clip)
    with together(), contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            stack.enter_context(sole_writer(workdir))
        guard = stack.enter_context(PreemptionGuard())
        checkpoints = stack.enter_context(
            Checkpoints(workdir, keep=options.keep, best=validate is not None)
        )
        planned = plan(family, tx, batches, mesh=mesh, options=options)
        step = compiled_step(
            family, tx, options, mesh=mesh, placement=planned.placement
        )
        require_memory(
            planned.shapes,
            lambda: traced(step, planned, family, steps=steps, mesh=mesh),
            mesh=mesh,
        )
        state = initial_state(
            planned,
            checkpoints=checkpoints,
            options=options,
            meta=meta,
            pretrained=pretrained or {},
        )
        start = int(state.step)
        check_steps_left(start, steps, workdir)
        prefetcher = stack.enter_context(Prefetcher(batches, mesh, start, steps))
        log = stack.enter_context(
            Log(
                workdir,
                steps,
                start,
                quiet=options.quiet,
                writes=jax.process_index() == 0,
            )
        )
        before = checkpoints.meta(start).get("seconds", 0.0) if start else 0.0
        run = Run(
            steps,
            options,
            state,
            checkpoints=checkpoints,
            log=log,
            speed=Speedometer(prefetcher),
            meta=meta,
            validation=validate,
            began=began - before,
        )
        del state  # donated by the first step
        first_step = 0.0
        for index, batch in prefetcher:
            run.advance(*step(run.state, batch, due=due(family, index)))
            if index == start:
                jax.block_until_ready(run.state)
                first_step = time.perf_counter() - began
                run.speed.reset(start + 1)
            done = index + 1
            if done % options.save_every == 0 or done == steps:
                run.save(run.validate())
            if done < steps and guard.requested(done):
                run.stop(done)
        checkpoints.wait()
    here = time.perf_counter() - began
    return Outcome(
        run.state,
        before + here,
        here,
        first_step=first_step,
        input_wait=run.speed.input_wait(),
    )


def with_family(meta: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Returns `meta` with the record of `family`, if it has one.

    Only a dataclass of plain values can be recorded. A checkpoint of any other family
    can be resumed but not loaded by itself.
    """
    meta = dict(meta)
    if "family" not in meta:
        with contextlib.suppress(TypeError):
            meta["family"] = record(family)
    return meta


def compiled_step(
    family: Family, tx: Optimizers, options: Options, *, mesh: Mesh, placement: Tree
) -> Step:
    """Returns the jitted train step, which donates its state."""
    step = make_step(
        family,
        tx,
        ema=options.ema,
        accumulate=options.accumulate,
        context=precision.context(options.bf16),
    )
    return jax.jit(
        step,
        static_argnames="due",
        donate_argnums=0,
        out_shardings=(placement, NamedSharding(mesh, P())),
    )


def traced(
    step: Any, planned: Plan, family: Family, *, steps: int, mesh: Mesh
) -> Iterator[Any]:
    """Yields the step as a program, once for each set of objectives that will be due.

    JAX keeps what it traces, so that the first step need not be traced again.
    """
    split = NamedSharding(mesh, P("data"))

    def whole(rows: Any) -> jax.ShapeDtypeStruct:
        count = len(rows) * jax.process_count()
        shape = (count, *rows.shape[1:])
        dtype = jax.dtypes.canonicalize_dtype(rows.dtype)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=split)

    batch = jax.tree.map(whole, planned.batch)
    starts = sorted({0, *(x.when.start for x in family.objectives().values())})
    phases = dict.fromkeys(due(family, start) for start in starts if start < steps)
    for phase in filter(None, phases):
        yield step.trace(planned.shapes, batch, due=phase).jaxpr


def check_steps_left(step: int, steps: int, workdir: pathlib.Path) -> None:
    """Raises UsageError if a run is past its last step."""
    if step > steps:
        raise UsageError(
            f"{workdir} is at step {step} already, and `steps` is {steps}: set more "
            "`steps`, or `restore_step` to go back, or another `workdir`."
        )


@dataclasses.dataclass
class Run:
    """A run in progress.

    Attributes:
      steps: total number of steps.
      options: options of the run.
      state: the current state.
      checkpoints: the checkpoints to write to.
      log: the log to write to.
      speed: meter of the speed.
      meta: JSON written to every checkpoint.
      validation: `params -> metrics`.
      began: time at which training would have begun without interruptions.
      pending: metrics that are still on the device.
    """

    steps: int
    options: Options
    state: TrainState
    _: dataclasses.KW_ONLY
    checkpoints: Checkpoints
    log: Log
    speed: "Speedometer"
    meta: Mapping[str, Any]
    validation: Validate | None
    began: float
    pending: collections.deque[Metrics] = dataclasses.field(
        default_factory=collections.deque
    )

    def __post_init__(self) -> None:
        self.logged, self.collapse = int(self.state.step), CollapseMonitor()
        self.bad_losses = 0

    def advance(self, state: TrainState, metrics: Metrics) -> None:
        """Takes over the result of a step."""
        self.state = state
        self.pending.append(metrics)
        self.drain(LAG)

    def drain(self, lag: int = 0) -> None:
        """Logs the pending metrics of all but the last `lag` steps."""
        while len(self.pending) > lag:
            metrics = jax.device_get(self.pending.popleft())
            self.log_step({name: float(value) for name, value in metrics.items()})

    def log_step(self, metrics: Mapping[str, float]) -> None:
        self.logged += 1
        step = self.logged
        if metrics["rejected"] >= MAX_NONFINITE:
            self.give_up("gradients were")
        losses = [value for name, value in metrics.items() if name.endswith("/loss")]
        finite = all(map(math.isfinite, losses))
        self.bad_losses = 0 if finite else self.bad_losses + 1
        if self.bad_losses >= MAX_NONFINITE:
            self.give_up("the loss was")
        if step % self.options.log_every == 0 or step in (1, self.steps):
            self.log.write(step, metrics)
            for warning in self.collapse.check(step, metrics):
                self.log.message(warning)
        self.log.show(step, self.speed.text(step, metrics))

    def give_up(self, bad: str) -> None:
        """Saves the state and raises ZooError; `bad` was not finite for too long."""
        self.pending.clear()
        self.save()
        self.checkpoints.wait()
        raise ZooError(
            f"{bad} not finite for {MAX_NONFINITE} steps in a row, the last "
            f"of them step {self.logged}, on batch {self.logged - 1}; the state is "
            f"saved in {self.checkpoints.directory}: examine that batch, or start "
            "again with a lower learning rate."
        )

    def stop(self, step: int) -> None:
        """Saves the state and exits with code 0."""
        self.save()
        self.checkpoints.wait()
        command = "the same command"
        if self.options.restore_step is not None:
            command = "the same command without `restore_step`"
        self.log.message(f"SIGTERM: saved at step {step}; {command} resumes.")
        raise SystemExit(0)

    def validate(self) -> float | None:
        """Validates, and returns the loss that decides which checkpoint is best."""
        self.drain()
        if self.validation is None:
            return None
        metrics = dict(self.validation(self.state.ema))
        if metrics:
            self.log.write(self.logged, metrics)
        return metrics.get("valid")

    def save(self, valid: float | None = None) -> None:
        """Starts to write a checkpoint."""
        # the log must be complete up to this step before the checkpoint exists
        self.drain()
        seconds = time.perf_counter() - self.began
        self.checkpoints.save(self.state, {**self.meta, "seconds": seconds}, valid)


class Speedometer:
    """Measures items per second and the fraction of time spent waiting for data."""

    def __init__(self, prefetcher: Prefetcher):
        self.prefetcher = prefetcher
        self.reset(0)

    def reset(self, step: int) -> None:
        """Restarts the clock at `step`, e.g. after compilation."""
        self.times = collections.deque(
            [(step, time.perf_counter())], maxlen=SPEED_WINDOW
        )
        self.began, self.waited_before = time.perf_counter(), self.prefetcher.waited

    def input_wait(self) -> float:
        """Returns the fraction of the time spent waiting for data."""
        waited = self.prefetcher.waited - self.waited_before
        return waited / max(time.perf_counter() - self.began, EPS)

    def text(self, step: int, metrics: Mapping[str, float]) -> str:
        """Returns the text of the progress bar: loss, speed and input wait."""
        self.times.append((step, time.perf_counter()))
        (first, then), (last, now) = self.times[0], self.times[-1]
        rate = (last - first) / max(now - then, EPS)
        losses = [f"loss {v:.4f}  " for k, v in metrics.items() if k.endswith("/loss")]
        events = next((v for k, v in metrics.items() if k.endswith(f"/{WEIGHT}")), None)
        speed = f"{rate * events:,.0f} events/s" if events else f"{rate:.2f} steps/s"
        return f"{''.join(losses[:1])}{speed}  input wait {self.input_wait():.1%}"
