"""From pieces to phrases."""

from collections.abc import Sequence

import numpy as np

from zoo.data.codecs import Phrased
from zoo.data.polyphonic import Arrays
from zoo.errors import UsageError


def cut(
    pieces: Sequence[np.ndarray],
    codec: Phrased,
    stride: int = 1,
    styles: Sequence[str] = (),
    of: Sequence[str] = (),
) -> Arrays:
    """The phrases of `pieces`, streams of `codec.whole`, one from every `stride`-th bar on.

    With `styles`, those of these styles alone, labelled `style` by their place among them; `of`
    says which each piece is of.

    Raises UsageError where there are none.
    """
    rows, numbers = [], []
    for piece, style in zip(pieces, of or [""] * len(pieces), strict=True):
        if not styles or style in styles:
            phrases = codec.crops(piece)[::stride]
            rows += phrases
            numbers += [styles.index(style) if styles else 0] * len(phrases)
    if not rows and styles and not set(styles) & set(of):
        raise UsageError(
            f"none of these pieces is {' or '.join(styles)}, but {', '.join(sorted({*of}))}: "
            "give a corpus that has one of the styles."
        )
    if not rows:
        raise UsageError(
            f"no piece has {codec.bars} full bars of {' or '.join(codec.metres)} in a row: "
            "choose fewer bars, other metres or more music."
        )
    return Arrays(rows, {"style": np.array(numbers, np.int32)} if styles else {})
