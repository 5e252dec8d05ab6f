"""Pieces of several models beside real ones, to listen to."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.errors import ZooError
from zoo.evaluation.arena import Arena, Excerpts
from zoo.evaluation.leaderboard import Leaderboard, cannot_write
from zoo.inference.loading import load
from zoo.listen.page import Section, Track


def heard(
    arena: Arena,
    runs: Sequence[str],
    n: int,
    seed: int = 0,
    *,
    accept_licence: bool = False,
) -> tuple[list[Section], dict[str, str]]:
    """Returns a section of each model and one of real music, and who is left out.

    Real pieces are of the held-out splits of the first model's corpus.

    Args:
      arena: the kind of music.
      runs: directories of runs, and names of shipped weights.
      n: pieces of each.
      seed: seed of the sampling, the same for all.
      accept_licence: agrees to the terms of weights for non-commercial use.

    Returns:
      The sections, real music last, and the reason for each model without one.
    """
    sections: list[Section] = []
    reasons: dict[str, str] = {}
    spec = ""
    for run in runs:
        model, name = load(run, accept_licence=accept_licence), Path(run).name
        if reason := cannot_write(model, arena):
            reasons[name] = reason
            continue
        try:
            # one excerpt of a piece, and a piece may have two
            board = Leaderboard(arena, seed=seed)
            written, _ = board.written(model, name, 2 * n, timed=False)
        except ZooError as error:
            reasons[name] = str(error)
            continue
        spec = spec or model.task.spec()
        shown = tracks(arena, written, n, name=name)
        sections.append(Section(f"{name} ({model.name})", shown))
    real = arena.real(spec or arena.corpus)
    order = np.random.default_rng(seed).permutation(len(real))
    shown = tracks(arena, real.take(order), n, name="real")
    return [*sections, Section("Real music", shown, real=True)], reasons


def tracks(arena: Arena, excerpts: Excerpts, n: int, *, name: str) -> list[Track]:
    """Returns the first `n` excerpts of different groups."""
    _, first = np.unique(excerpts.groups, return_index=True)
    chosen = excerpts.arrays[np.sort(first)[:n]]
    return [Track(f"{name} {i}", arena.decode(x)) for i, x in enumerate(chosen, 1)]
