"""Phonemes of words that are in no dictionary, by their letters.

A joint-sequence model (Bisani and Ney 2008): an n-gram model of graphones, smoothed as
by Kneser and Ney with three discounts (Chen and Goodman 1999), counted from the
dictionary. The likeliest graphones of a word's letters are found by beam search.

Of 2,000 words of the dictionary that it was not counted from, it pronounces 73.3 %
right, with their stress 68.6 %; 6.9 % of phonemes are wrong, 9.2 % with stress.
"""

import contextlib
import functools
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.text import dictionary
from zoo.data.text.graphones import Graphones, align
from zoo.errors import ZooError
from zoo.files import data_root, written_aside

VERSION = 1  # of the files in which models are kept
ORDER = 8
BEAM = 32
END = 0  # the token before and after a word; graphone i is token i + 1


class Level(NamedTuple):
    """The n-grams of one length n.

    Attributes:
      keys: int64 [k], in order: the number of the n-gram without its last token, times
        the number of tokens, plus the last token.
      held: float32 [k], the discounted probability of the last token.
      left: float32 [c], the probability that each context, an n-gram of n - 1 tokens,
        leaves to the next shorter one.
    """

    keys: np.ndarray
    held: np.ndarray
    left: np.ndarray


@dataclass(frozen=True, eq=False)
class LetterToSound:
    """A model of the phonemes of words.

    Attributes:
      names: the letter and phonemes of each graphone.
      levels: the n-grams of 1 to `ORDER` tokens.
    """

    names: Sequence[tuple[str, tuple[str, ...]]]
    levels: Sequence[Level]

    def __post_init__(self):
        options: dict[str, list[int]] = {}
        for token, (letter, _) in enumerate(self.names, 1):
            options.setdefault(letter, []).append(token)
        arrays = {letter: np.array(tokens) for letter, tokens in options.items()}
        object.__setattr__(self, "_options", arrays)

    @functools.cached_property
    def log_probs(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """The log-probability of each graphone, whatever is beside it."""
        level = self.levels[0]
        held = dict(zip(level.keys.tolist(), level.held.tolist(), strict=True))
        log_probs = {}
        for token, name in enumerate(self.names, 1):
            log_probs[name] = math.log(max(held[token], 1e-9))
        return log_probs

    def guess(self, word: str, beam: int = BEAM) -> tuple[str, ...]:
        """Returns the likeliest phonemes of a word of the letters a to z.

        They have a primary stress, once, unless no hypothesis has.
        """
        states = np.full((1, len(self.levels)), -1)
        states[0, 0] = np.searchsorted(self.levels[0].keys, END)
        scores, paths = np.zeros(1), np.zeros((1, 0), int)
        for letter in word:
            tokens = self._options[letter]  # type: ignore[attr-defined]
            log_probs, after = self._step(states, tokens)
            total = (scores[:, None] + log_probs).reshape(-1)
            best = np.argsort(-total, kind="stable")[:beam]
            rows, columns = np.divmod(best, len(tokens))
            scores, states = total[best], after[rows, columns]
            paths = np.concatenate([paths[rows], tokens[columns, None]], 1)
        log_probs, _ = self._step(states, np.array([END]))
        order = np.argsort(-(scores + log_probs[:, 0]), kind="stable")
        spoken = [self._phonemes(paths[row]) for row in order]
        return next(
            (x for x in spoken if sum(phoneme[-1] == "1" for phoneme in x) == 1),
            spoken[0],
        )

    def _phonemes(self, path: np.ndarray) -> tuple[str, ...]:
        return tuple(x for token in path for x in self.names[token - 1][1])

    def _step(
        self, states: np.ndarray, tokens: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what follows hypotheses.

        Args:
          states: int [b, ORDER], the number of the last 1, 2, .. tokens as an n-gram,
            -1 where it has not occurred.
          tokens: int [c], the tokens that may follow.

        Returns:
          Log-probabilities [b, c], and states [b, c, ORDER].
        """
        vocab = len(self.names) + 1
        probs = np.full((len(states), len(tokens)), 1 / vocab)
        after = np.full((*probs.shape, len(self.levels)), -1)
        for length, level in enumerate(self.levels):
            context = states[:, length - 1] if length else np.zeros(len(states), int)
            if not (context >= 0).any():
                break
            seen = context[:, None] >= 0
            keys = context[:, None] * vocab + tokens
            places = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            found = seen & (level.keys[places] == keys)
            left = level.left[context][:, None]
            held = np.where(found, level.held[places], 0)
            probs = np.where(seen, held + left * probs, probs)
            after[..., length] = np.where(found, places, -1)
        return np.log(probs), after


def learn(words: Sequence[tuple[str, Sequence[str]]]) -> LetterToSound:
    """Counts a model from words of the letters a to z with their phonemes."""
    graphones = align(words)
    return LetterToSound(graphones.names, _levels(graphones, ORDER))


def _levels(graphones: Graphones, order: int) -> list[Level]:
    vocab = len(graphones.names) + 1
    words = graphones.words
    sizes = (words >= 0).sum(1) + 2
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    tokens = np.zeros(len(starts), np.int64)
    places = np.arange(len(tokens))
    since = places - starts  # 0 at the END before a word
    tokens[(since > 0) & (since < np.repeat(sizes, sizes) - 1)] = words[words >= 0] + 1
    keys, numbers = [], [np.zeros(len(tokens), np.int64)]
    for length in range(1, order + 1):
        valid = since >= length - 1
        context = np.concatenate([[0], numbers[-1][:-1]])
        found, inverse = np.unique(
            context[valid] * vocab + tokens[valid], return_inverse=True
        )
        number = np.full(len(tokens), -1)
        number[valid] = inverse
        keys.append(found)
        numbers.append(number)
    levels = []
    for length, found in enumerate(keys, 1):
        longer = numbers[length + 1] if length < order else None
        ends = _ends(numbers[length], longer, since, length=length)
        counts = np.bincount(ends, minlength=len(found))
        contexts = len(keys[length - 2]) if length > 1 else 1
        levels.append(_discounted(found, counts, vocab, contexts))
    return levels


def _ends(
    numbers: np.ndarray, longer: np.ndarray | None, since: np.ndarray, *, length: int
) -> np.ndarray:
    """Returns the number of an n-gram for each time that it counts.

    The longest count whenever they occur, others once for each token that stands
    before them.

    Args:
      numbers: the number of the n-gram that ends at each place, or -1.
      longer: the same of those with one token more; None for the longest.
      since: the number of tokens since the beginning of the word.
      length: the number of tokens.
    """
    predicted = since > 0
    if longer is None:
        return numbers[predicted & (numbers >= 0)]
    first = predicted & (since == length - 1)  # no token is before these
    _, places = np.unique(np.where(predicted, longer, -1), return_index=True)
    places = places[(longer[places] >= 0) & predicted[places]]
    return np.concatenate([numbers[first], numbers[places]])


def _discounted(
    keys: np.ndarray, counts: np.ndarray, vocab: int, contexts: int
) -> Level:
    one, two, three, four = (max(int((counts == n).sum()), 1) for n in (1, 2, 3, 4))
    share = one / (one + 2 * two)
    discounts = np.array(
        [
            0,
            1 - 2 * share * two / one,
            2 - 3 * share * three / two,
            3 - 4 * share * four / three,
        ]
    )
    taken = np.clip(discounts, 0, None)[np.minimum(counts, 3)]
    context = keys // vocab
    total = np.bincount(context, counts, contexts)
    left = np.bincount(context, taken, contexts) / np.maximum(total, 1)
    held = (counts - taken) / np.maximum(total[context], 1)
    left[total == 0] = 1
    return Level(keys, held.astype(np.float32), left.astype(np.float32))


@functools.cache
def model() -> LetterToSound:
    """Returns the model of the whole dictionary.

    Counting it takes seconds; it is kept in `data_root()`, if that can be written.

    Raises:
      ZooError: the dictionary is not installed.
    """
    entries = dictionary.entries()
    words = [(w, p[0].split()) for w, p in entries.items() if re.fullmatch("[a-z]+", w)]
    text = f"{VERSION} {ORDER} {words}".encode()
    digest = hashlib.blake2b(text, digest_size=6).hexdigest()
    path = data_root() / "text" / f"letter-to-sound-{digest}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError):
        return _load(path)
    learned = learn(words)
    with contextlib.suppress(ZooError):
        _save(learned, path)
    return learned


def _save(found: LetterToSound, path: Path) -> None:
    names = [" ".join((letter, *phonemes)) for letter, phonemes in found.names]
    arrays = {
        f"{field}{length}": array
        for length, level in enumerate(found.levels)
        for field, array in level._asdict().items()
    }
    with written_aside(path) as temporary:
        np.savez(temporary, names=np.array(names), **arrays)  # type: ignore[arg-type]


def _load(path: Path) -> LetterToSound:
    with np.load(path) as arrays:
        split = [name.split() for name in arrays["names"].tolist()]
        levels = [
            Level(*(arrays[f"{field}{length}"] for field in Level._fields))
            for length in range(ORDER)
        ]
    return LetterToSound([(x[0], tuple(x[1:])) for x in split], levels)
