"""What a run says while it runs: a bar for a person, lines for a file, events for TensorBoard."""

import json
import pathlib
import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


class Log:
    """Metrics to `metrics.jsonl` and TensorBoard, progress to the terminal."""

    def __init__(self, workdir: pathlib.Path, steps: int, start: int, *, quiet: bool = False):
        self.path = workdir / "metrics.jsonl"
        rewind(self.path, start)
        self.file = self.path.open("a")
        self.board = SummaryWriter(str(workdir / "tensorboard"), purge_step=start)
        self.steps, self.quiet, self.said = steps, quiet, 0.0
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not self.console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task("train", total=steps, completed=start, text="compiling")
        self.bar.start()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """One line of the curve: `{"step": ..., name: value}`; flushed, for whoever is watching."""
        self.file.write(json.dumps({"step": step, **metrics}) + "\n")
        self.file.flush()
        for name, value in metrics.items():
            self.board.add_scalar(name, value, step)

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
            self.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        self.bar.stop()
        self.file.close()
        self.board.close()


def rewind(path: pathlib.Path, step: int) -> None:
    """Drops the lines at or after `step`, and a last line that a kill cut short."""
    if not path.exists():
        return
    lines = [line for line in path.read_text().split("\n")[:-1] if before(line, step)]
    path.write_text("".join(line + "\n" for line in lines))


def before(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] < step
    except (ValueError, KeyError):
        return False
