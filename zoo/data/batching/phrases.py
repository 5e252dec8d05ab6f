"""Phrases and excerpts of encoded pieces, and the selection of pieces by style."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from zoo.data.codecs import PhraseCodec
from zoo.data.pieces import InMemoryPieces, Pieces
from zoo.errors import UsageError

PiecesT = TypeVar("PiecesT", bound=Sequence[np.ndarray])


def extract_phrases(
    pieces: Sequence[np.ndarray],
    codec: PhraseCodec,
    stride: int = 1,
    *,
    styles: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> InMemoryPieces:
    """Extracts the phrases of `pieces`, one from every `stride`-th bar.

    Args:
      pieces: arrays of `codec.source`.
      codec: the codec of the phrases.
      stride: distance between the beginnings of successive phrases, in bars.
      styles: keeps only pieces of these styles, as `select_styles` does; () keeps all.
      labels: the style of each piece, if there are `styles`.

    Raises:
      UsageError: no piece is of these styles, or none is long enough.
    """
    phrases = _flatten(
        select_styles(pieces, styles, labels),
        lambda piece: codec.crops(piece)[::stride],
    )
    if phrases is None:
        raise UsageError(
            f"no piece has {codec.bars} full bars of {' or '.join(codec.metres)} in a "
            "row: choose fewer bars, other metres or more music."
        )
    return phrases


def split_excerpts(pieces: Sequence[np.ndarray], length: int) -> InMemoryPieces:
    """Splits each piece into successive excerpts of `length` frames.

    A remainder is dropped, unless the piece is shorter than `length`.
    """

    def split(piece: np.ndarray) -> list[np.ndarray]:
        starts = range(0, max(1, len(piece) - length + 1), length)
        return [piece[start : start + length] for start in starts]

    excerpts = _flatten(pieces, split)
    assert excerpts is not None  # every piece has at least one
    return excerpts


def select_styles(
    pieces: PiecesT, styles: Sequence[str], labels: Sequence[str]
) -> PiecesT | InMemoryPieces:
    """Selects the pieces of `styles`; returns all pieces unchanged if there are none.

    Args:
      labels: the style of each piece.

    Returns:
      The pieces, with a column `style`: the index of each one's style in `styles`.

    Raises:
      UsageError: no piece is of these styles.
    """
    if not styles:
        return pieces
    kept = [i for i, label in enumerate(labels) if label in styles]
    if not kept:
        raise UsageError(
            f"no piece is labelled {' or '.join(styles)}, only {_names(labels)}: "
            "choose a corpus with one of these styles."
        )
    numbers = np.array([styles.index(labels[i]) for i in kept], np.int32)
    return InMemoryPieces([pieces[i] for i in kept], {"style": numbers})


def require_styles(styles: Sequence[str], labels: Sequence[str]) -> None:
    """Raises UsageError if one of `styles` is not among the `labels` of the pieces."""
    if missing := [style for style in styles if style not in labels]:
        raise UsageError(
            f"no training piece is labelled {missing[0]}, only {_names(labels)}: "
            "choose styles from these."
        )


def _names(labels: Sequence[str]) -> str:
    return ", ".join(sorted({*labels} - {""})) or "without a label"


def _flatten(
    pieces: Sequence[np.ndarray],
    split: Callable[[np.ndarray], Sequence[np.ndarray]],
) -> InMemoryPieces | None:
    """Returns the parts of all pieces, with their pieces' columns; None if no parts."""
    parts = [split(piece) for piece in pieces]
    counts = [len(arrays) for arrays in parts]
    if not sum(counts):
        return None
    columns = pieces.columns if isinstance(pieces, Pieces) else {}
    repeated = {
        name: np.repeat(values, counts, axis=0) for name, values in columns.items()
    }
    return InMemoryPieces([array for arrays in parts for array in arrays], repeated)
