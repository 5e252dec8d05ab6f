"""What `zoo evaluate` says of music: a model's pieces beside real ones of the same size."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.table import Table

from zoo.data.batching.encoded import corpus_pieces
from zoo.data.corpora.benchmark_files import read
from zoo.evaluation.critic import judged, some
from zoo.inference.model import Trained
from zoo.metrics.compare import ConfidenceInterval, Row, compare
from zoo.runner.experiment import as_read, held_out
from zoo.runner.latent_pieces import played_round

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


def beside(
    model: Trained, spec: str, split: str, samples: int, seed: int, training: str
) -> tuple[int, list[Row]]:
    """Compares pieces of `model` with as many of a split; how many that is, and the figures.

    Real pieces come through the model's codec, no longer than it writes them: phrases, pieces
    played round until they have as many phrases, or whole pieces up to as many events. `training`
    is the corpus or file whose train split copies are looked for in, all of it.
    """
    pieces = played(model, spec, split)
    chosen = np.random.default_rng(seed).permutation(len(pieces))
    real = heard(model.codec, (pieces[i] for i in chosen), samples)
    codec = getattr(model.codec, "whole", model.codec)
    trained = heard(codec, arrays(training, "train", codec))
    return len(real), compare(model.sample(len(real), seed), real, trained, seed)


def played(model: Trained, spec: str, split: str) -> Sequence[np.ndarray]:
    """The pieces of a split as `model` would have written them."""
    family: Any = model.family
    codec: Any = model.codec
    styles = getattr(family, "styles", ())
    if not hasattr(family, "vae"):
        return [piece[: family.length] for piece in as_read(model, spec, split)]
    lines = corpus_pieces(spec, split, codec.whole)
    label = model.about["music"].get("label", "style")
    part: Any = dataclasses.replace(codec, bars=family.vae.bars)
    told = zip(lines, lines.labels(label), strict=True)
    phrases = (
        part.crops(line, part.bars)
        for line, style in told
        if style in (styles or {style})
    )
    return [played_round(np.stack(rows), family.parts) for rows in phrases if rows]


def arrays(spec: str, split: str, codec: Any) -> Sequence[np.ndarray]:
    """A split of a corpus or of a .mat or .json file."""
    file = pathlib.Path(spec).suffix in (".mat", ".json")
    return read(spec)[split] if file else corpus_pieces(spec, split, codec)


def heard(
    codec: Any, pieces: Iterable[np.ndarray], most: int | None = None
) -> "list[NoteSequence]":
    """The music of the first `most` arrays that are not silent, or of all of these."""
    music = (codec.decode(piece) for piece in pieces)
    return list(itertools.islice((piece for piece in music if piece.notes), most))


def tabulated(rows: Iterable[Row], title: str) -> Group:
    """The figures that there are, for a person: of pieces, with 95 % intervals, and of all."""
    pieces = Table("of a piece", "generated", "real", "overlap", title=title)
    pooled = Table("of all pieces", "divergence", "by chance")
    for name, generated, real, overlap, divergence, chance in rows:
        if span(generated) or span(real):
            pieces.add_row(name, span(generated), span(real), digits(overlap))
        if digits(divergence):
            pooled.add_row(name, digits(divergence), digits(chance))
    return Group(pieces, pooled)


def asked(
    model: Trained, spec: str, split: str, batch: int, samples: int, seed: int
) -> Group:
    """What a model's critic holds of as many real pieces, of its own, and of real ones spoilt."""
    family: Any = model.family
    real, style = some(
        held_out(model, spec, split, batch), family.length, samples, seed
    )
    heard = real if getattr(family, "given", ()) else None
    written = model.sampler.draw(len(real), seed, style=style, primer=heard)
    found = judged(model, real, written, style, seed)
    kinds = Table(
        "of a piece",
        "its critic's verdict: deviations below the real",
        "log-likelihood, nats per event",
    )
    for kind, below in found.below.items():
        likely = found.likelihood.get(kind)
        kinds.add_row(
            kind.replace("_", " "), span(below), span(likely) if likely else ""
        )
    related = Table("of all these pieces", "rank correlation with the verdict")
    for name, value in found.related.items():
        related.add_row(name, digits(value))
    return Group(kinds, related)


def span(found: ConfidenceInterval) -> str:
    """Such as `0.52 (0.48–0.55)`."""
    value, low, high = map(digits, found)
    return f"{value} ({low}–{high})" if low else value


def digits(figure: float) -> str:
    """Three of them, all of a whole number; nothing for NaN."""
    if np.isnan(figure):
        return ""
    return f"{figure:,.0f}" if figure >= 100 else f"{round(figure, 4):.3g}"
