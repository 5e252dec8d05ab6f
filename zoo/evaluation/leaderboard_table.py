"""The leaderboard as tables of text, for a terminal and for Markdown."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zoo.errors import markdown
from zoo.evaluation.leaderboard import OTHER_REAL, Entry
from zoo.evaluation.tables import digits, with_interval


class Column(NamedTuple):
    """A column: its heading, and the metric in it."""

    heading: str
    metric: str


LIKENESS = (
    Column("two-sample test", "two_sample"),
    Column("Fréchet distance", "frechet"),
    Column("recurrence", "recurrence"),
    Column("keys", "keys"),
    Column("rhythms", "rhythms"),
    Column("n-grams", "ngrams"),
)
COST = (
    Column("nats per event", "nats"),
    Column("distinct-4", "distinct"),
    Column("copied notes", "copy"),
    Column("longest", "copy_longest"),
    Column("in any key", "copy_any_key"),
    Column("longest", "copy_any_key_longest"),
    Column("excerpts a second", "pieces_per_second"),
    Column("parameters", "parameters"),
    Column("minutes of training", "training_minutes"),
)


def ranked(entries: Iterable[Entry]) -> list[Entry]:
    """Returns the entries that were measured, real music first, then the best."""
    found = [entry for entry in entries if not entry.reason]
    return sorted(
        found,
        key=lambda x: (x.name != OTHER_REAL, x.metrics["two_sample"].value),
    )


def cells(
    entries: Iterable[Entry], columns: Sequence[Column]
) -> tuple[list[str], list[list[str]]]:
    """Returns the heads and the rows of a table of the measured entries."""
    rows = []
    for entry in ranked(entries):
        kind = f"{entry.name} ({entry.family})" if entry.family else entry.name
        values = [entry.metrics.get(column.metric) for column in columns]
        texts = ["" if x is None else with_interval(x) for x in values]
        rows.append([kind, entry.corpus, digits(entry.excerpts), *texts])
    heads = ["model", "corpus", "excerpts", *(column.heading for column in columns)]
    return heads, rows


def left_out(entries: Iterable[Entry]) -> list[list[str]]:
    """Returns name, family and reason of each model that was left out."""
    return [[x.name, x.family, x.reason] for x in entries if x.reason]


def page(entries: Sequence[Entry]) -> str:
    """Returns all tables of a leaderboard as Markdown."""
    parts = [
        markdown(*cells(entries, columns), texts=2) for columns in (LIKENESS, COST)
    ]
    if absent := left_out(entries):
        rows = [[name, f"{family}: {reason}"] for name, family, reason in absent]
        parts.append(markdown(["left out", "reason"], rows, texts=2))
    return "\n\n".join(parts)
