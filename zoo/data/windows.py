"""From pieces to phrases."""

from collections.abc import Sequence

import numpy as np

from zoo.data.codecs.phrase import Phrase
from zoo.data.polyphonic import Arrays
from zoo.errors import UsageError


def cut(pieces: Sequence[np.ndarray], codec: Phrase, stride: int = 1) -> Arrays:
    """The phrases of `pieces`, streams of `codec.whole`, one from every `stride`-th bar on.

    Raises UsageError where there are none.
    """
    rows = [phrase for piece in pieces for phrase in codec.crops(piece)[::stride]]
    if not rows:
        raise UsageError(
            f"no piece has {codec.bars} full bars of {' or '.join(codec.metres)} in a row: "
            "choose fewer bars, other metres or more music."
        )
    return Arrays(rows)
