"""Metrics as tables for a terminal."""

from collections.abc import Iterable

import numpy as np
from rich.console import Group
from rich.table import Table

from zoo.errors import as_cell
from zoo.evaluation.critic import Verdicts
from zoo.metrics.bootstrap import ConfidenceInterval
from zoo.metrics.compare import Row


def comparison_table(rows: Iterable[Row], title: str) -> Group:
    """Returns statistics of single pieces, with 95 % intervals, and of all together."""
    pieces = Table("of a piece", "generated", "real", "overlap", title=as_cell(title))
    pooled = Table("of all pieces", "divergence", "by chance")
    for name, generated, real, overlap, divergence, chance in rows:
        if with_interval(generated) or with_interval(real):
            values = with_interval(generated), with_interval(real), digits(overlap)
            pieces.add_row(name, *values)
        if digits(divergence):
            pooled.add_row(name, digits(divergence), digits(chance))
    return Group(pieces, pooled)


def verdict_table(verdicts: Verdicts) -> Group:
    """Returns a critic's verdicts by kind of piece, and what they correlate with."""
    kinds = Table(
        "of a piece",
        "critic's verdict: standard deviations below real pieces",
        "log-likelihood, nats per event",
    )
    for kind, below in verdicts.below.items():
        likelihood = verdicts.likelihood.get(kind)
        nats = with_interval(likelihood) if likelihood else ""
        kinds.add_row(kind.replace("_", " "), with_interval(below), nats)
    related = Table("of all these pieces", "rank correlation with the verdict")
    for name, value in verdicts.related.items():
        related.add_row(name, digits(value))
    return Group(kinds, related)


def with_interval(interval: ConfidenceInterval) -> str:
    """Returns a value with its interval, such as `0.52 (0.48–0.55)`."""
    value, low, high = map(digits, interval)
    return f"{value} ({low}–{high})" if low else value


def digits(value: float) -> str:
    """Returns three significant digits, all of an integer above 100; "" for NaN."""
    if np.isnan(value):
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{round(value, 4):.3g}"
