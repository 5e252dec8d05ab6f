"""`zoo evaluate`: a model's likelihood, its pieces beside real ones, its critic."""

from typing import Any, Literal

from zoo.cli.models import Chosen
from zoo.ranges import BatchSize, Examples, Seed


def evaluate(
    run: Chosen,
    /,
    corpus: str | None = None,
    split: Literal["train", "validation", "test"] = "test",
    batch: BatchSize = 32,
    samples: Examples = 64,
    seed: Seed = 0,
) -> None:
    """Measure a model on music it was not trained on, and compare its pieces with that.

    Args:
        run: the model.
        corpus: the corpus or file to measure on; by default the one it was trained on.
        split: the part of it to measure on.
        batch: rows evaluated at a time.
        samples: pieces to draw and compare with as many real ones; 0 for none.
        seed: seed of the sampling; the same seed draws the same pieces.
    """
    from rich.console import Console
    from rich.table import Table

    from zoo.core import AudioAutoencoder, Classifier, supports
    from zoo.errors import as_cell
    from zoo.evaluation.compare import compare_with_real, verdicts_on
    from zoo.evaluation.tables import comparison_table, verdict_table

    model, console = run.load(), Console()
    metrics = model.evaluate(split, corpus=corpus, batch=batch)
    spec = corpus or model.task.corpus
    table = Table("metric", "value", title=as_cell(f"{run} on {spec}, {split}"))
    for name, value in metrics.items():
        table.add_row(name, f"{value:,.4f}")
    console.print(table)
    writes = not any(supports(model.family, x) for x in (AudioAutoencoder, Classifier))
    if not samples or not writes:
        return
    options: dict[str, Any] = {
        "split": split,
        "corpus": corpus,
        "samples": samples,
        "seed": seed,
    }
    count, rows = compare_with_real(model, **options)
    title = f"{count} pieces of {run}, and as many of {spec}, {split}"
    console.print(comparison_table(rows, title))
    if model.sampler.has_critic:
        console.print(verdict_table(verdicts_on(model, batch=batch, **options)))
