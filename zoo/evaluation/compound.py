"""Figures of models of rows of notes: what a critic has made of one that likelihood taught."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from zoo.core import Batch
from zoo.evaluation.critic import judged, some
from zoo.inference.model import Trained
from zoo.metrics.compare import Row, compare

FIGURES = ("in_real_4", "scale_consistency", "used_pitch_classes", "self_bleu")
POOLED = ("pitch_classes", "intervals", "word_pairs")
BEST_OF = 16


def figures(
    model: Trained,
    first: Trained,
    whole: Callable[[str], Iterable[Batch]],
    many: int,
    seed: int = 0,
) -> dict[str, float]:
    """What is published of a model of rows: figures of `many` pieces of its own, of the best of 16
    each by its critic, and of those of the `first` that it began as, beside as many of the
    test split; and its critic's verdicts."""
    family: Any = model.family
    real, style = some(whole("test"), family.length, many, seed)
    pieces = lambda rows: [model.codec.decode(row) for row in rows]
    theirs = pieces(real)
    draw = lambda model, **how: model.sampler.draw(len(real), seed, style=style, **how)
    written = {
        "": draw(model),
        "judged_": draw(model, best_of=BEST_OF, judge="critic"),
        "likelihood_": draw(first),
    }
    found: dict[str, float] = {}
    for tag, rows in written.items():
        ours = [piece for piece in pieces(rows) if piece.notes]
        by_name = {row.name: row for row in compare(ours, theirs, seed=seed)}
        found |= {f"{tag}{name}": value for name, value in summed(by_name).items()}
    found |= {
        f"real_{name}": by_name[name].real.value for name in (*FIGURES, "distinct_4")
    }
    verdicts = judged(model, real, written[""], style, seed)
    found |= {
        f"verdict_{kind}": x.value
        for kind, x in verdicts.below.items()
        if kind != "real"
    }
    return found | {
        f"verdict_by_{name}": value for name, value in verdicts.related.items()
    }


def summed(rows: dict[str, Row]) -> dict[str, float]:
    """The figures by name, those of single pieces with the ends of their intervals."""
    found = {name: rows[name].divergence for name in POOLED}
    found["distinct_4"] = rows["distinct_4"].generated.value
    for name in FIGURES:
        value, low, high = rows[name].generated
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return {name: value for name, value in found.items() if np.isfinite(value)}
