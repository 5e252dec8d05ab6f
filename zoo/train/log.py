"""What a run says while it runs: a bar for a person, lines for a file, events for TensorBoard."""

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
from zoo.train.tensorboard import Board

PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


class Log:
    """Metrics to `metrics.jsonl` and TensorBoard, progress to the terminal.

    A metric's step is the number of steps taken when it was measured, so that what a checkpoint of
    step n knows is every line up to n. Only the first of many processes (`writes`) has a log.
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
        self.workdir, self.writes, self.quiet = workdir, writes, quiet or not writes
        self.steps, self.said = steps, 0.0
        if writes:
            with self.writing():
                rewind(workdir / "metrics.jsonl", start)
                self.file = (workdir / "metrics.jsonl").open("a")
                self.board = Board(workdir / "tensorboard", start + 1)
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=self.quiet or not self.console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task(
            "train", total=steps, completed=start, text="compiling"
        )
        self.bar.start()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line of the curve: `{"step": ..., name: value}`; flushed, for whoever is watching."""
        if not self.writes:
            return
        with self.writing():
            self.file.write(json.dumps({"step": step, **metrics}) + "\n")
            self.file.flush()
            for name, value in metrics.items():
                self.board.add(name, value, step)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ZooError(
                f"cannot write the metrics in {self.workdir} ({error.strerror}): "
                "free space there or mend its permissions, and run the same command again."
            ) from error

    def show(self, step: int, text: str) -> None:
        """Moves the bar to `step`; in a file or a pipe, a line now and then."""
        self.bar.update(self.task, completed=step, text=text)
        now = time.monotonic()
        if (
            self.bar.disable
            and not self.quiet
            and (now - self.said > PLAIN_EVERY or step == self.steps)
        ):
            self.said = now
            print(f"step {step}/{self.steps}  {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()
        if self.writes:
            self.board.close()
            with contextlib.suppress(
                OSError
            ):  # of a line that did not fit, as `write` has said
                self.file.close()


def rewind(path: pathlib.Path, step: int) -> None:
    """Drops the lines after `step`, and a last line that a kill cut short."""
    if not path.exists():
        return
    lines = [line for line in path.read_text().split("\n")[:-1] if until(line, step)]
    # written aside and renamed: a kill leaves the one or the other
    aside = path.with_suffix(".tmp")
    aside.write_text("".join(line + "\n" for line in lines))
    os.replace(aside, path)


def until(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError):
        return False
