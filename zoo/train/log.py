"""Logging of a run: a progress bar, `metrics.jsonl`, and TensorBoard events."""

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.errors import ZooError
from zoo.train.tensorboard import EventWriter

LINE_INTERVAL = 10.0  # seconds between progress lines without a terminal


class Log:
    """Writes metrics to `metrics.jsonl` and TensorBoard, and progress to stderr.

    The step of a metric is the number of steps taken when it was computed. A checkpoint
    of step n therefore corresponds to all lines up to n.
    """

    def __init__(
        self,
        workdir: pathlib.Path,
        steps: int,
        start: int,
        *,
        quiet: bool = False,
        writes: bool = True,
    ):
        """Opens the files and starts the progress bar.

        Args:
          workdir: the directory of the run.
          steps: total number of steps.
          start: number of steps taken already; later lines are removed.
          quiet: print nothing.
          writes: whether this process logs; only the first one of a run does.
        """
        self.workdir, self.writes, self.quiet = workdir, writes, quiet or not writes
        self.steps, self.last_line = steps, 0.0
        if writes:
            with self.explain_write_errors():
                truncate(workdir / "metrics.jsonl", start)
                self.file = (workdir / "metrics.jsonl").open("a")
                self.events = EventWriter(workdir / "tensorboard", start + 1)
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=self.quiet or not self.console.is_terminal,
            transient=True,
        )
        self.task = self.progress.add_task(
            "train", total=steps, completed=start, text="compiling"
        )
        self.progress.start()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends `{"step": step, name: value, ...}` and flushes it."""
        if not self.writes:
            return
        with self.explain_write_errors():
            self.file.write(json.dumps({"step": step, **metrics}) + "\n")
            self.file.flush()
            for name, value in metrics.items():
                self.events.add(name, value, step)

    @contextlib.contextmanager
    def explain_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ZooError(
                f"cannot write the metrics in {self.workdir} ({error.strerror}): free "
                "space or correct the permissions there, and run the same command "
                "again."
            ) from error

    def show(self, step: int, text: str) -> None:
        """Moves the bar to `step`. Without a terminal, prints a line at intervals."""
        self.progress.update(self.task, completed=step, text=text)
        if self.quiet or not self.progress.disable:
            return
        now = time.monotonic()
        if now - self.last_line > LINE_INTERVAL or step == self.steps:
            self.last_line = now
            print(f"step {step}/{self.steps}  {text}", file=sys.stderr, flush=True)

    def message(self, text: str) -> None:
        """Prints a line of its own."""
        if not self.quiet:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self.progress.stop()
        if self.writes:
            self.events.close()
            # closing retries a failed write, whose error `write` has raised already
            with contextlib.suppress(OSError):
                self.file.close()


def truncate(path: pathlib.Path, step: int) -> None:
    """Removes the lines after `step`, and an incomplete last line."""
    if not path.exists():
        return
    complete = path.read_text().split("\n")[:-1]
    lines = [line for line in complete if is_within(line, step)]
    # renamed into place, so that a kill leaves either the old file or the new one
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(line + "\n" for line in lines))
    os.replace(temporary, path)


def is_within(line: str, step: int) -> bool:
    """Returns whether a line is valid and not later than `step`."""
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError):
        return False
