"""`zoo leaderboard` and `zoo gallery`: all families beside one another."""

import pathlib
import shlex
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
    accept_licence: bool = False,
    out: pathlib.Path = pathlib.Path("leaderboard"),
) -> None:
    """Measure what models write beside real music, and each other, in one table.

    The same command continues one that was interrupted.

    Args:
        runs: directories that training has written, and names of shipped weights; by
            default all that ship and do not ask before use.
        arena: the music: tunes, or chorales of up to four parts.
        bars: bars of 4/4 of a piece.
        grid: steps in a quarter note.
        pieces: the most pieces of each model; no more are used than there are held-out
            real ones.
        seeds: random halvings of the two-sample test.
        seed: seed of the sampling and of the test.
        accept_licence: agree to the terms of weights for non-commercial use.
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
    from zoo.files import written_aside
    from zoo.runner.results import provenance

    console, began = Console(), time.perf_counter()
    names = named(runs)
    note = Console(stderr=True)
    board = Leaderboard(
        ARENAS[arena](bars, grid),
        pieces,
        seed,
        test=TwoSampleTest(seeds),
        accept_licence=accept_licence,
        cache=out / "measured",
        progress=lambda text: note.print(text, markup=False, highlight=False),
    )
    entries = [*board.entries(names)]
    for title, columns in (("beside real music", LIKENESS), ("variety, cost", COST)):
        heads, rows = cells(entries, columns)
        table = Table(title=as_cell(f"{arena}, {bars} bars: {title}"))
        for line in zip(heads, *rows, strict=True):  # a column for each model
            if not table.columns:
                for name in line:
                    table.add_column(as_cell(name))
            else:
                table.add_row(*map(as_cell, line))
        console.print(table)
    for name, family, reason in left_out(entries):
        console.print(f"{name} ({family}) is left out: {reason}", markup=False)
    result = {
        "experiment": f"leaderboard_{arena}",
        "metrics": {
            f"two_sample {x.name}, {x.corpus}": x.metrics["two_sample"].value
            for x in entries
            if not x.reason
        },
        "arena": {"bars": bars, "steps_per_quarter": grid, "seeds": seeds},
        "entries": [entry.plain() for entry in entries],
        **provenance(time.perf_counter() - began),
        "command": shlex.join(
            (
                *("zoo", "leaderboard", *(pathlib.Path(x).name for x in names)),
                *("--arena", arena, "--bars", str(bars), "--grid", str(grid)),
                *("--pieces", str(pieces), "--seeds", str(seeds), "--seed", str(seed)),
                *(["--accept-licence"] if accept_licence else []),
            )
        ),
    }
    write(out / "result.json", result)
    with written_aside(out / "leaderboard.md") as path:
        path.write_text(page(entries) + "\n", "utf-8")
    print(f"{out / 'result.json'} and {out / 'leaderboard.md'}")


def gallery(
    runs: Positional[tuple[str, ...]],
    /,
    arena: Literal["tunes", "chorales"] = "tunes",
    bars: Bars = 8,
    grid: StepsPerQuarter = 4,
    n: Pieces = 8,
    seed: Seed = 0,
    accept_licence: bool = False,
    out: pathlib.Path = pathlib.Path("gallery.html"),
) -> None:
    """Write one page on which all models are heard beside real music, also blind.

    In blind listening, real and written pieces are shuffled without their names, and
    the page counts what the listener guesses right.

    Args:
        runs: directories that training has written, and names of shipped weights; by
            default all that ship and do not ask before use.
        arena: the music: tunes, or chorales of up to four parts.
        bars: bars of 4/4 of a piece.
        grid: steps in a quarter note.
        n: pieces of each model, and real ones.
        seed: seed of the sampling, the same for all models.
        accept_licence: agree to the terms of weights for non-commercial use.
        out: the page to write.
    """
    from zoo.errors import ZooError
    from zoo.evaluation.arena import ARENAS
    from zoo.evaluation.beside import heard
    from zoo.files import written_aside
    from zoo.listen.page import write_page

    names = named(runs)
    kind = ARENAS[arena](bars, grid)
    sections, reasons = heard(kind, names, n, seed, accept_licence=accept_licence)
    for name, reason in reasons.items():
        print(f"{name} is left out: {reason}")
    if len(sections) < 2:
        raise ZooError(
            f"no model writes {arena} of {bars} bars: name another run, or choose "
            "fewer bars or a coarser grid."
        )
    models = ", ".join(section.heading for section in sections if not section.real)
    with written_aside(out) as path:
        write_page(
            sections,
            path,
            title=f"{arena.capitalize()} by {len(sections) - 1} models",
            intro=f"{bars} bars of 4/4 each, at one tempo, on one instrument, by "
            f"{models}, under seed {seed}, and real music that none of them was "
            "trained on.",
            blind=True,
        )
    print(f"open {out}")


def named(runs: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the runs of a command, by default the shipped models that write music.

    Raises:
      UsageError: there is no such run.
    """
    from zoo.inference.shipped import resolve, usable

    for run in runs:
        resolve(run)
    return runs or tuple(entry.name for entry in usable("sample"))
