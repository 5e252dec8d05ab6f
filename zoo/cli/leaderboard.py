"""`zoo leaderboard` and `zoo gallery`: all families beside one another."""

import pathlib
from typing import Literal

from tyro.conf import Positional

from zoo.ranges import Bars, Count, Pieces, Seed, StepsPerQuarter


def leaderboard(
    runs: Positional[tuple[str, ...]],
    /,
    arena: Literal["tunes", "chorales"] = "tunes",
    bars: Bars = 8,
    grid: StepsPerQuarter = 4,
    pieces: Pieces = 1000,
    seeds: Count = 3,
    seed: Seed = 0,
    out: pathlib.Path = pathlib.Path("leaderboard"),
) -> None:
    """Measure what models write beside real music, and each other, in one table.

    The same command continues one that was interrupted.

    Args:
        runs: directories that training has written, and names of shipped weights; by
            default all that ship.
        arena: the music: tunes, or chorales of up to four parts.
        bars: bars of 4/4 of a piece.
        grid: steps in a quarter note.
        pieces: the most pieces of each model; no more are used than there are held-out
            real ones.
        seeds: random halvings of the two-sample test.
        seed: seed of the sampling and of the test.
        out: the directory to write.
    """
    import time

    from rich.console import Console
    from rich.table import Table

    from zoo.config import write
    from zoo.errors import as_cell
    from zoo.evaluation.arena import ARENAS
    from zoo.evaluation.leaderboard import Leaderboard
    from zoo.evaluation.leaderboard_table import COST, LIKENESS, cells, left_out, page
    from zoo.evaluation.two_sample import TwoSampleTest
    from zoo.inference.loading import resolve
    from zoo.runner.results import provenance

    console, began = Console(), time.perf_counter()
    names = runs or shipped()
    for name in names:
        resolve(name)
    note = Console(stderr=True)
    board = Leaderboard(
        ARENAS[arena](bars, grid),
        pieces,
        seed,
        test=TwoSampleTest(seeds),
        cache=out / "measured",
        progress=lambda text: note.print(text, markup=False, highlight=False),
    )
    entries = [*board.entries(names)]
    for title, columns in (("beside real music", LIKENESS), ("variety, cost", COST)):
        heads, rows = cells(entries, columns)
        table = Table(*heads, title=as_cell(f"{arena}, {bars} bars: {title}"))
        for row in rows:
            table.add_row(*map(as_cell, row))
        console.print(table)
    for name, family, reason in left_out(entries):
        console.print(f"{name} ({family}) is left out: {reason}", markup=False)
    result = {
        "experiment": f"leaderboard_{arena}",
        "metrics": {
            f"two_sample {x.name}": x.metrics["two_sample"].value
            for x in entries
            if not x.reason
        },
        "arena": {"bars": bars, "steps_per_quarter": grid, "seeds": seeds},
        "entries": [entry.plain() for entry in entries],
        **provenance(time.perf_counter() - began),
    }
    write(out / "result.json", result)
    (out / "leaderboard.md").write_text(page(entries) + "\n", "utf-8")
    print(f"{out / 'result.json'} and {out / 'leaderboard.md'}")


def shipped() -> tuple[str, ...]:
    """Returns the names of the shipped weights that are no classifiers."""
    from zoo.core import Classifier, supports
    from zoo.inference.loading import load, weights

    return tuple(x for x in weights() if not supports(load(x).family, Classifier))
