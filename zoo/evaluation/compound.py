"""Metrics of models of note rows: what adversarial training changes after
likelihood."""

import numpy as np

from zoo.evaluation.critic import critic_verdicts, random_rows
from zoo.inference.model import Model
from zoo.inference.sampler import Request
from zoo.metrics.compare import Row, compare
from zoo.tasks.base import Task

STATISTICS = ("in_real_4", "scale_consistency", "used_pitch_classes", "self_bleu")
POOLED = ("pitch_classes", "intervals", "word_pairs")
BEST_OF = 16


def note_row_metrics(
    model: Model, pretrained: Model, task: Task, count: int, seed: int = 0
) -> dict[str, float]:
    """Returns metrics of `count` generated pieces beside as many of the test split.

    Those without a prefix are of the model, `judged_` of the best of 16 by its critic,
    `likelihood_` of the model before adversarial training, `real_` of real pieces, and
    `verdict_` of its critic.
    """
    batches = task.eval_batches("test")
    real, style = random_rows(batches, model.family.length, count, seed)
    decoded = lambda rows: [model.codec.decode(row) for row in rows]
    real_pieces = decoded(real)
    plain = Request(style=style)
    judged = Request(style=style, best_of=BEST_OF, judge="critic")
    written = {
        "": model.sampler.draw(len(real), seed, plain),
        "judged_": model.sampler.draw(len(real), seed, judged),
        "likelihood_": pretrained.sampler.draw(len(real), seed, plain),
    }
    metrics: dict[str, float] = {}
    for prefix, rows in written.items():
        pieces = [piece for piece in decoded(rows) if piece.notes]
        by_name = {row.name: row for row in compare(pieces, real_pieces, seed=seed)}
        values = summary(by_name)
        metrics |= {f"{prefix}{name}": value for name, value in values.items()}
    for name in (*STATISTICS, "distinct_4"):
        metrics[f"real_{name}"] = by_name[name].real.value
    verdicts = critic_verdicts(model, real, written[""], style, seed=seed)
    for kind, below in verdicts.below.items():
        if kind != "real":
            metrics[f"verdict_{kind}"] = below.value
    for name, value in verdicts.related.items():
        metrics[f"verdict_by_{name}"] = value
    return metrics


def summary(rows: dict[str, Row]) -> dict[str, float]:
    """Returns the finite values by name; statistics have the ends of their
    intervals."""
    values = {name: rows[name].divergence for name in POOLED}
    values["distinct_4"] = rows["distinct_4"].generated.value
    for name in STATISTICS:
        value, low, high = rows[name].generated
        values |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return {name: value for name, value in values.items() if np.isfinite(value)}
