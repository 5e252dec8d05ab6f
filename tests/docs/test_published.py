"""Published figures: the pages agree with them, and runs are compared with their
curves."""

import json
import pathlib
import runpy

import pytest

from zoo.errors import UsageError
from zoo.runner.results import CURVES, compare, curve, write

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"


TABLES = runpy.run_path(str(ROOT / "docs" / "tables" / "write.py"))


@pytest.mark.parametrize(
    "path", TABLES["pages"](), ids=lambda path: str(path.relative_to(ROOT))
)
def test_generated_blocks_agree_with_the_results(path):
    text = path.read_text()
    assert TABLES["rewrite"](text) == text, "run `make tables`"


def test_every_table_and_number_is_on_a_page():
    text = "".join(path.read_text() for path in TABLES["pages"]())
    for name in (*TABLES["TABLES"], *TABLES["NUMBERS"]):
        assert f"<!-- {name} -->" in text


def test_an_outdated_number_is_replaced():
    outdated = "it takes <!-- minutes of music -->99 minutes<!-- end --> here"
    assert "99" not in TABLES["rewrite"](outdated)
    with pytest.raises(KeyError, match="no such block"):
        TABLES["rewrite"]("<!-- no such block -->1<!-- end -->")


def test_the_readme_can_be_read_in_two_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 180


def test_every_result_records_its_command_device_and_versions():
    for path in RESULTS.glob("*.json"):
        result = json.loads(path.read_text())
        assert {
            "experiment",
            "metrics",
            "seconds",
            "device",
            "versions",
            "command",
        } <= result.keys()
        assert result["experiment"] == path.stem
    for path in RESULTS.glob("tunes_*.json"):
        assert (CURVES / f"{path.stem}.jsonl").exists()
        nll = json.loads(path.read_text())["metrics"]["test_nll"]
        assert nll["mean"] == pytest.approx(sum(nll["seeds"]) / len(nll["seeds"]))


@pytest.fixture
def results(tmp_path):
    lines = [{"step": step, "valid": [2.0, 2.02]} for step in (100, 200)]
    (tmp_path / "known.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    return tmp_path


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((2.01, 2.05), "inside the published band"),
        ((2.01, 2.5), "first at 200: 2.5000 against"),
    ],
)
def test_a_run_lies_inside_or_outside_the_published_band(
    results, tmp_path, values, says
):
    logged = tmp_path / "metrics.jsonl"
    lines = [{"step": 100, "loss": 1.0}]
    lines += [{"step": s, "valid": v} for s, v in zip((100, 200), values, strict=True)]
    logged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert says in compare("known", logged, results)


def test_the_curve_of_a_game_is_the_gap_of_its_critic():
    points = (
        {"step": 5, "valid_critic_gap": 3.0, "valid_critic_loss": 0.1},
        {"step": 6, "loss": 1.0},
    )
    assert curve(map(json.dumps, points)) == {5: 3.0}
    assert curve(map(json.dumps, [{**points[0], "valid": 2.0}])) == {5: 2.0}


def test_comparing_without_a_common_step_is_an_error(results, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 7, "valid": 1.0}\n')
    with pytest.raises(UsageError, match="there are known"):
        compare("other", tmp_path / "metrics.jsonl", results)
    with pytest.raises(UsageError, match="save_every"):
        compare("known", tmp_path / "metrics.jsonl", results)


def test_json_is_written_atomically(tmp_path):
    write(tmp_path / "a.json", {"one": 1})
    with pytest.raises(TypeError):
        write(tmp_path / "a.json", {"two": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"one": 1}
