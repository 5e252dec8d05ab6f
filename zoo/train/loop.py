"""From a family and its data to a trained state: the loop that every experiment runs."""

import collections
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from zoo.core import WEIGHT, Family, Metrics, Params
from zoo.errors import UsageError, ZooError
from zoo.train import precision, sharding
from zoo.train.checkpoint import Checkpoints
from zoo.train.collapse import Watch
from zoo.train.initialize import begin
from zoo.train.log import Log
from zoo.train.optim import Optimizers, optimizers
from zoo.train.options import Options
from zoo.train.preemption import Stop
from zoo.train.prefetch import Batches, Feed
from zoo.train.step import TrainState, due, make_step

PATIENCE = 10  # non-finite steps in a row before a run gives up
RECENT = 50  # steps over which items per second are counted
LAG = 2  # steps whose metrics are left on the device


@dataclasses.dataclass(frozen=True)
class Outcome:
    state: TrainState
    seconds: float
    """Spent in all, by the runs this one went on from too."""
    here: float
    """Spent in this call."""
    first_step: float
    """From the call to the end of the first step, compilation included; 0 where none was left."""
    input_wait: float
    """The fraction of the loop's time spent waiting for data."""

    @property
    def figures(self) -> dict[str, float]:
        """What a result records of them."""
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
    validate: Callable[[Params], Mapping[str, float]] | None = None,
    given: Params | None = None,
) -> Outcome:
    """Trains `family` up to step `steps`, going on from whatever `workdir` holds.

    `batches[i]` is the batch of step i. `given` are networks that are not born with the others but
    come from elsewhere, by name. `meta` is written into every checkpoint. `validate(params)`
    runs at each save; its "valid" is what the best checkpoint has least of. SIGTERM saves and exits
    with 0. Raises ZooError after ten non-finite steps in a row, having saved, or if a save fails;
    UsageError where the options, the batch or what `workdir` holds do not go together.
    """
    began = time.perf_counter()
    workdir = pathlib.Path(workdir)
    mesh = sharding.mesh(model=options.model)
    rules = optimizers(family, tx, clip=options.clip)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(Stop())
        checkpoints = stack.enter_context(
            Checkpoints(workdir, keep=options.keep, best=validate is not None)
        )
        begun = begin(
            family, rules, batches, mesh, checkpoints, options, meta or {}, given or {}
        )
        state, where = begun
        step = jax.jit(
            make_step(
                family,
                rules,
                ema=options.ema,
                accumulate=options.accumulate,
                context=precision.context(options.bf16),
            ),
            static_argnames="due",
            donate_argnums=0,
            out_shardings=(where, NamedSharding(mesh, P())),
        )
        start = reached(int(state.step), steps, workdir)
        feed = stack.enter_context(Feed(batches, mesh, start, steps))
        main = jax.process_index() == 0
        log = stack.enter_context(
            Log(workdir, steps, start, quiet=options.quiet, writes=main)
        )
        spent = checkpoints.meta(start).get("seconds", 0.0) if start else 0.0
        clock = lambda: spent + time.perf_counter() - began
        run = Run(
            steps,
            options,
            state,
            checkpoints,
            log,
            Pace(feed),
            meta or {},
            validate,
            clock,
        )
        del state  # donated by the first step
        first = 0.0
        for index, batch in feed:
            run.advance(*step(run.state, batch, due=due(family, index)))
            if index == start:
                jax.block_until_ready(run.state)
                first = time.perf_counter() - began
                run.pace.reset(start + 1)
            done = index + 1
            if done % options.save_every == 0 or done == steps:
                run.save(run.judge())
            if done < steps and stop.asked(done):
                run.save()
                checkpoints.wait()
                back = (
                    "" if options.restore_step is None else ", without --restore-step,"
                )
                log.say(
                    f"SIGTERM: saved at step {done}; the same command{back} goes on."
                )
                raise SystemExit(0)
        checkpoints.wait()
    here = time.perf_counter() - began
    return Outcome(run.state, spent + here, here, first, run.pace.waited())


def reached(step: int, steps: int, workdir: pathlib.Path) -> int:
    if step > steps:
        raise UsageError(
            f"{workdir} is at step {step} already, past --steps {steps}: ask for more steps, "
            "add --restore-step to go back, or give another --workdir."
        )
    return step


@dataclasses.dataclass
class Run:
    """A run under way: its state, and the metrics that are still on the device."""

    steps: int
    options: Options
    state: TrainState
    checkpoints: Checkpoints
    log: Log
    pace: "Pace"
    meta: Mapping[str, Any]
    validate: Callable[[Params], Mapping[str, float]] | None
    clock: Callable[[], float]
    pending: collections.deque[Metrics] = dataclasses.field(
        default_factory=collections.deque
    )

    def __post_init__(self) -> None:
        self.settled, self.watch = int(self.state.step), Watch()

    def advance(self, state: TrainState, metrics: Metrics) -> None:
        self.state = state
        self.pending.append(metrics)
        self.settle(LAG)

    def settle(self, lag: int = 0) -> None:
        """Reads metrics of all but `lag` steps; the host reads none sooner, to stall no device."""
        while len(self.pending) > lag:
            metrics = jax.device_get(self.pending.popleft())
            values = {name: float(value) for name, value in metrics.items()}
            self.settled += 1
            if values["rejected"] >= PATIENCE:
                self.give_up()
            if self.settled % self.options.log_every == 0 or self.settled in (
                1,
                self.steps,
            ):
                self.log.write(self.settled, values)
                for line in self.watch.look(self.settled, values):
                    self.log.say(line)
            self.log.show(self.settled, self.pace.text(self.settled, values))

    def give_up(self) -> None:
        self.pending.clear()
        self.save()
        self.checkpoints.wait()
        raise ZooError(
            f"gradients were not finite for {PATIENCE} steps in a row, the last of them step "
            f"{self.settled}, on batch {self.settled - 1}; the state is saved in "
            f"{self.checkpoints.directory}: look at that batch, or start anew with a lower "
            "learning rate."
        )

    def judge(self) -> float | None:
        """Validates, and returns the loss that decides which checkpoint is best."""
        self.settle()
        values = dict(self.validate(self.state.ema)) if self.validate else {}
        if values:
            self.log.write(self.settled, values)
        return values.get("valid")

    def save(self, valid: float | None = None) -> None:
        # what the state has seen is in the log before the state is on disk
        self.settle()
        self.checkpoints.save(self.state, {**self.meta, "seconds": self.clock()}, valid)


class Pace:
    """Items per second, and the share of the time spent waiting for data."""

    def __init__(self, feed: Feed):
        self.feed = feed
        self.reset(0)

    def reset(self, step: int) -> None:
        """Starts the clock, once compilation is over."""
        self.marks = collections.deque([(step, time.perf_counter())], maxlen=RECENT)
        self.began, self.before = time.perf_counter(), self.feed.waited

    def waited(self) -> float:
        return (self.feed.waited - self.before) / max(
            time.perf_counter() - self.began, 1e-9
        )

    def text(self, step: int, metrics: Mapping[str, float]) -> str:
        """What the bar says: loss, items per second of late, input wait."""
        self.marks.append((step, time.perf_counter()))
        (first, then), (last, now) = self.marks[0], self.marks[-1]
        rate = (last - first) / max(now - then, 1e-9)
        losses = [f"loss {v:.4f}  " for k, v in metrics.items() if k.endswith("/loss")]
        events = next((v for k, v in metrics.items() if k.endswith(f"/{WEIGHT}")), None)
        speed = f"{rate * events:,.0f} events/s" if events else f"{rate:.2f} steps/s"
        return f"{''.join(losses[:1])}{speed}  input wait {self.waited():.1%}"
