"""Comparison of a model's pieces with real ones of the same length."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.batching.encoded import corpus_pieces
from zoo.evaluation.critic import Verdicts, critic_verdicts, random_rows
from zoo.inference.model import Model
from zoo.inference.sampler import Request
from zoo.metrics.compare import Row, compare

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


def compare_with_real(
    model: Model, *, split: str, corpus: str | None, samples: int, seed: int
) -> tuple[int, list[Row]]:
    """Compares pieces of a model with as many of a split.

    Real pieces go through the model's codec, and are no longer than it writes them.
    Copies are looked for in the train split of the corpus that the model was trained
    on.

    Returns:
      The number of pieces, and a row for each statistic.
    """
    task, codec = model.task, model.codec
    examples = task.examples(split, corpus=corpus, length=model.family.length)
    order = np.random.default_rng(seed).permutation(len(examples))
    real = decoded(codec, (examples[i] for i in order), samples)
    source = codec.source
    trained = decoded(source, corpus_pieces(task.spec(), "train", source))
    written = model.sample(len(real), seed)
    return len(real), compare(written, real, trained, seed)


def decoded(
    codec: Any, arrays: Iterable[np.ndarray], count: int | None = None
) -> "list[NoteSequence]":
    """Returns the music of the first `count` arrays that have notes; of all by
    default."""
    music = (codec.decode(array) for array in arrays)
    return list(itertools.islice((piece for piece in music if piece.notes), count))


def verdicts_on(
    model: Model,
    *,
    split: str,
    corpus: str | None,
    samples: int,
    seed: int,
    batch: int = 32,
) -> Verdicts:
    """Returns the critic's verdicts on real pieces of a split, and on the model's
    own."""
    batches = model.task.eval_batches(split, corpus=corpus, batch=batch)
    real, style = random_rows(batches, model.family.length, samples, seed)
    primer = real if model.sampler.accompanies else None
    request = Request(primer=primer, style=style)
    written = model.sampler.draw(len(real), seed, request)
    return critic_verdicts(model, real, written, style, seed=seed)
