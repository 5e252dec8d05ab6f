"""From pieces to phrases and excerpts, and to those of the styles that a model is told of."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from zoo.data.codecs import PhraseCodec
from zoo.data.pieces import Arrays, Pieces
from zoo.errors import UsageError

Some = TypeVar("Some", bound=Sequence[np.ndarray])


def cut(
    pieces: Sequence[np.ndarray],
    codec: PhraseCodec,
    stride: int = 1,
    styles: Sequence[str] = (),
    of: Sequence[str] = (),
) -> Arrays:
    """The phrases of `pieces`, streams of `codec.source`, one from every `stride`-th bar on.

    With `styles`, those of these styles alone; `of` says which each piece is of, as `told` has it.

    Raises UsageError where there are none.
    """
    phrases = lambda piece: codec.crops(piece)[::stride]
    if found := _parts(told(pieces, styles, of), phrases):
        return found
    raise UsageError(
        f"no piece has {codec.bars} full bars of {' or '.join(codec.metres)} in a row: "
        "choose fewer bars, other metres or more music."
    )


def excerpts(pieces: Sequence[np.ndarray], length: int) -> Arrays:
    """Excerpts of `length` rows, one after the other; what is left over only where it is all."""
    every = lambda piece: range(0, max(1, len(piece) - length + 1), length)
    found = _parts(pieces, lambda piece: [piece[i : i + length] for i in every(piece)])
    assert found  # of every piece there is one
    return found


def told(pieces: Some, styles: Sequence[str], of: Sequence[str]) -> Some | Arrays:
    """The pieces of these styles, labelled `style` by their place among them; `of` says which each
    is of. All as they are, where there are no `styles`.

    Raises UsageError where there are none.
    """
    if not styles:
        return pieces
    kept = [i for i, style in enumerate(of) if style in styles]
    if not kept:
        raise UsageError(
            f"none of these pieces is {' or '.join(styles)}, but {_known(of)}: "
            "give a corpus that has one of the styles."
        )
    numbers = np.array([styles.index(of[i]) for i in kept], np.int32)
    return Arrays([pieces[i] for i in kept], {"style": numbers})


def there(styles: Sequence[str], of: Sequence[str]) -> None:
    """Raises UsageError where one of `styles` is not among those `of` the pieces to train on."""
    if missing := [style for style in styles if style not in of]:
        raise UsageError(
            f"no piece to train on is {missing[0]}, but {_known(of)}: choose styles from these."
        )


def _known(of: Sequence[str]) -> str:
    return ", ".join(sorted({*of} - {""})) or "of no known style"


def _parts(
    pieces: Sequence[np.ndarray], of: Callable[[np.ndarray], Sequence[np.ndarray]]
) -> Arrays | None:
    """All parts of all pieces, labelled as these are; None where there are none."""
    rows = [of(piece) for piece in pieces]
    counts = [len(row) for row in rows]
    columns = pieces.columns if isinstance(pieces, Pieces) else {}
    repeated = {
        name: np.repeat(values, counts, axis=0) for name, values in columns.items()
    }
    return (
        Arrays([part for row in rows for part in row], repeated)
        if sum(counts)
        else None
    )
