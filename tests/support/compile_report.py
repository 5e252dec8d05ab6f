"""Programs compiled per test file: a table after the run, and a budget for each file.

A program is one executable that XLA builds, or fetches from the persistent cache, so
the number of programs does not depend on what the cache holds; the seconds do. The
table has the files that take longest, or all of them with `-vv`; `--write-budget`
writes the budget of the files that ran.
"""

import collections
import json
import math
import pathlib

import jax
import pytest

EVENT = "/jax/core/compile/backend_compile_duration"
BUDGET = pathlib.Path(__file__).parents[1] / "budget.json"
HEAVIEST = 15
SLACK = 1.2


def over_budget(programs: dict[str, int], budget: dict[str, int]) -> list[str]:
    """Returns a sentence for each file that compiles more programs than it may."""
    return [
        f"{file} compiles {count} programs, and its budget is {allowed}: compile less, "
        "or raise the budget in tests/budget.json"
        for file, count in sorted(programs.items())
        if count > (allowed := budget.get(file, budget["*"]))
    ]


def new_budget(programs: dict[str, int], budget: dict[str, int]) -> dict[str, int]:
    """Returns the budget with some slack for each file that ran, in tens."""
    allowed = {file: 10 * math.ceil(SLACK * n / 10) for file, n in programs.items()}
    listed = {file: n for file, n in allowed.items() if n > budget["*"]}
    kept = {file: n for file, n in budget.items() if file not in programs}
    return dict(sorted({**kept, **listed}.items()))


class CompileReport:
    """A pytest plugin that counts programs per file, with or without xdist."""

    def __init__(self):
        self.file = "collection"
        self.programs: collections.Counter[str] = collections.Counter()
        self.compiling: collections.Counter[str] = collections.Counter()
        self.running: collections.Counter[str] = collections.Counter()
        jax.monitoring.register_event_duration_secs_listener(self._compiled)

    def _compiled(self, event: str, seconds: float, **_) -> None:
        if event == EVENT:
            self.programs[self.file] += 1
            self.compiling[self.file] += seconds

    def pytest_runtest_logstart(self, nodeid, location):
        self.file = nodeid.partition("::")[0]

    def pytest_runtest_logreport(self, report):
        self.running[report.nodeid.partition("::")[0]] += report.duration

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        """Adds the counts of a worker to those of the controller."""
        counts = getattr(node, "workeroutput", {}).get("programs", ({}, {}))
        self.programs.update(counts[0])
        self.compiling.update(counts[1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if hasattr(session.config, "workeroutput"):
            counts = dict(self.programs), dict(self.compiling)
            session.config.workeroutput["programs"] = counts
            return
        if session.config.option.write_budget:
            budget = new_budget(self.programs, json.loads(BUDGET.read_text()))
            BUDGET.write_text(json.dumps(budget, indent=2) + "\n")
        if self._over() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if not self.programs:
            return
        terminalreporter.section("compiled programs")
        row = "{:>8} {:>10} {:>9}  {}".format
        terminalreporter.line(row("programs", "compile s", "total s", "file"))
        rows = None if terminalreporter.config.option.verbose > 0 else HEAVIEST
        for file, running in self.running.most_common(rows):
            seconds = f"{self.compiling[file]:.1f}", f"{running:.1f}"
            terminalreporter.line(row(self.programs[file], *seconds, file))
        seconds = f"{self.compiling.total():.1f}", f"{self.running.total():.1f}"
        terminalreporter.line(row(self.programs.total(), *seconds, "all files"))
        for sentence in self._over():
            terminalreporter.line(sentence, red=True)

    def _over(self) -> list[str]:
        return over_budget(self.programs, json.loads(BUDGET.read_text()))
