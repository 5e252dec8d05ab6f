"""The lines of a text that is to be sung, as syllables."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from zoo.data.refusal import Refused
from zoo.data.text.reading import ENGINES, Word, read
from zoo.data.text.syllables import SpokenSyllable, syllables_of

LONGEST = 16  # syllables of a line; longer ones are divided
MOST = 32  # lines
PAUSE = 4.0  # syllables: how far from the middle a line is divided after a pause


class Lines(NamedTuple):
    """Lines of syllables, and remarks: one `code: sentence` for each guessed word."""

    lines: tuple[tuple[SpokenSyllable, ...], ...]
    remarks: tuple[str, ...]


def sung_lines(text: str, engine: str = ENGINES[0]) -> Lines:
    """Returns the lines of an English text.

    Lines of more than LONGEST syllables are divided between words, near their middle
    and preferably after a pause. Lines without a letter or a number are left out.

    Raises:
      Refused: `long`: there are more than MOST lines. Others as `read`.
      ZooError, UsageError: as `read`.
    """
    rows = [row for row in text.splitlines() if any(map(str.isalnum, row))]
    lines: list[tuple[SpokenSyllable, ...]] = []
    remarks: dict[str, None] = {}
    for row in rows or [text]:
        words, found = read(row, engine)
        remarks.update(dict.fromkeys(found))
        for part in _divided([(word, syllables_of(word)) for word in words]):
            lines.append(tuple(syllable for _, held in part for syllable in held))
        if len(lines) > MOST:
            raise Refused(
                "long",
                f"The text has more than {MOST} lines of up to {LONGEST} syllables; "
                "give one song at a time.",
            )
    return Lines(tuple(lines), tuple(remarks))


Sung = tuple[Word, list[SpokenSyllable]]


def _divided(words: Sequence[Sung]) -> list[Sequence[Sung]]:
    """Divides a line until no part is longer than LONGEST, or is one word."""
    sizes = [len(syllables) for _, syllables in words]
    if sum(sizes) <= LONGEST or len(words) == 1:
        return [words]
    ends = list(itertools.accumulate(sizes))

    def cost(index: int) -> float:
        pause = PAUSE if words[index][0].pause else 0.0
        return abs(2 * ends[index] - ends[-1]) - 2 * pause

    cut = 1 + min(range(len(words) - 1), key=cost)
    return [*_divided(words[:cut]), *_divided(words[cut:])]
