"""The budget of compiled programs per test file."""

import json
import pathlib
import types

import jax
import pytest
from compile_report import BUDGET, CompileReport, new_budget, over_budget

ROOT = pathlib.Path(__file__).parents[1]


def test_a_file_over_its_budget_is_named():
    budget = {"*": 10, "tests/large.py": 100}
    programs = {"tests/large.py": 100, "tests/other.py": 10}
    assert over_budget(programs, budget) == []
    (sentence,) = over_budget(programs | {"tests/other.py": 11}, budget)
    assert "tests/other.py compiles 11 programs" in sentence


def test_a_new_budget_has_slack_and_keeps_files_that_did_not_run():
    budget = {"*": 100, "tests/large.py": 900, "tests/old.py": 300}
    new = new_budget({"tests/large.py": 401, "tests/small.py": 80}, budget)
    assert new == {"*": 100, "tests/large.py": 490, "tests/old.py": 300}


def test_every_file_in_the_budget_exists():
    budget = json.loads(BUDGET.read_text())
    assert all((ROOT / file).exists() for file in budget.keys() - {"*"})


@pytest.fixture
def report(monkeypatch):
    """A report that listens until the test ends."""
    report = CompileReport()
    yield report
    jax.monitoring.unregister_event_duration_listener(report._compiled)


def session(**config):
    option = types.SimpleNamespace(write_budget=False)
    config = types.SimpleNamespace(option=option, **config)
    return types.SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)


def test_programs_are_counted_by_file_and_fail_the_run(report, monkeypatch):
    """As on a worker, whose counts are added to those of the controller."""
    report.pytest_runtest_logstart("tests/some.py::test_it", None)
    jax.jit(lambda x: x * 3.25 + 1.5)(7.5)
    assert report.programs["tests/some.py"] >= 1
    worker = session(workeroutput={})
    report.pytest_sessionfinish(worker)
    assert worker.exitstatus == pytest.ExitCode.OK
    counted = report.programs["tests/some.py"]
    report.pytest_testnodedown(worker.config, None)
    assert report.programs["tests/some.py"] == 2 * counted
    for allowed, status in ((2 * counted, "OK"), (2 * counted - 1, "TESTS_FAILED")):
        monkeypatch.setattr(json, "loads", lambda text, n=allowed: {"*": n})
        controller = session()
        report.pytest_sessionfinish(controller)
        assert controller.exitstatus == pytest.ExitCode[status]
