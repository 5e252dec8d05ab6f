"""Texts as syllables, to be sung or to be laid under notes.

Phonemes are divided so that each syllable begins with as many consonants as an English
word may begin with. Letters are divided where the phonemes that they spell are, by the
conventions of print: double consonants are parted, and a short stressed vowel keeps
one consonant (`nev-er`).
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from zoo.data.lyrics import Syllable, syllabic
from zoo.data.text import dictionary, letter_to_sound
from zoo.data.text.inventory import CONSONANTS, is_vowel
from zoo.data.text.reading import ENGINES, Word, read

CLUSTERS = (
    "P L,P R,P Y,B L,B R,B Y,T R,T W,D R,D W,K L,K R,K W,K Y,G L,G R,G W,F L,F R,F Y,"
    "V Y,TH R,TH W,SH R,S P,S T,S K,S M,S N,S L,S W,S F,HH Y,HH W,M Y,S P L,S P R,"
    "S P Y,S T R,S K R,S K W,S K Y"
)
ONSETS = {
    (),
    *((name,) for name in CONSONANTS if name != "NG"),
    *(tuple(names.split()) for names in CLUSTERS.split(",")),
}
DIGRAPHS = ("th", "sh", "ch", "ph", "gh", "wh", "ck")
SHORT = ("AE", "EH", "IH", "AH", "UH")
RARE = -12.0  # the log-probability of what no letter of the dictionary spells
MOST = 7  # phonemes of a letter: those of the name of w are most
UNSTRESSED = {  # words of one syllable that are weak in a line
    *("a", "an", "the", "and", "but", "or", "nor", "of", "to", "in", "on", "at", "by"),
    *("for", "from", "with", "as", "is", "are", "was", "were", "be", "been", "am"),
    *("that", "than", "it", "its", "it's", "he", "she", "we", "you", "i", "me", "him"),
    *("her", "us", "them", "they", "my", "your", "his", "our", "their", "will"),
    *("would", "can", "could", "shall", "should", "has", "have", "had", "do"),
    *("does", "did"),
    *("if", "so", "up", "i'm", "you're", "we're", "i'll", "o", "'n", "'em", "'tis"),
}


class SpokenSyllable(NamedTuple):
    """A syllable of a text.

    Attributes:
      lyric: its letters, and its place in its word.
      phonemes: its phonemes, of which one is a vowel.
      stress: 0, 1 for the main stress of a word or 2. Words such as "the" have none.
      pause: the sign of the pause after it; "" without one.
    """

    lyric: Syllable
    phonemes: tuple[str, ...]
    stress: int
    pause: str = ""


def syllables(text: str, engine: str = ENGINES[0]) -> list[SpokenSyllable]:
    """Returns the syllables of an English text.

    Numbers and abbreviations are words there.

    Raises:
      Refused: as `read`.
      ZooError, UsageError: as `read`.
    """
    return [
        syllable for word in read(text, engine).words for syllable in syllables_of(word)
    ]


def syllables_of(word: Word) -> list[SpokenSyllable]:
    """Returns the syllables of a word."""
    parts = divided(word.phonemes)
    letters = hyphenated(word.text, parts)
    last = len(parts) - 1
    found = []
    for index, (part, text) in enumerate(zip(parts, letters, strict=True)):
        place = syllabic(index > 0, index < last)
        stress = next((int(x[-1]) for x in part if is_vowel(x)), 0)
        weak = last == 0 and word.text.lower() in UNSTRESSED
        found.append(
            SpokenSyllable(
                Syllable(text, place),
                part,
                0 if weak else stress,
                word.pause if index == last else "",
            )
        )
    return found


def divided(phonemes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Returns the phonemes of each syllable: as many as there are vowels, at least one.

    Consonants between vowels begin the next syllable if a word can begin with them.
    """
    vowels = [place for place, x in enumerate(phonemes) if is_vowel(x)]
    cuts = []
    for before, after in itertools.pairwise(vowels):
        begin = before + 1
        while phonemes[begin:after] not in ONSETS:
            begin += 1
        cuts.append(begin)
    edges = [0, *cuts, len(phonemes)]
    return [phonemes[a:b] for a, b in itertools.pairwise(edges)]


def hyphenated(text: str, parts: list[tuple[str, ...]]) -> list[str]:
    """Returns the letters of a word, divided as its phonemes are."""
    if len(parts) == 1 and text:
        return [text]
    if text.upper() in ("W", "W'S"):
        return ["dou", "ble", f"u{text[1:]}"]
    if len(text) < len(parts):  # letters that are not told, as of phonemes in braces
        return ["".join(x.rstrip("012") for x in part).lower() for part in parts]
    begin = spelling(text.lower(), tuple(x for part in parts for x in part))
    cuts = [0]
    place = 0
    for before, after in itertools.pairwise(parts):
        place += len(before)
        cut = _cut(text.lower(), begin, place, onset=_onset(after), before=before)
        rest = len(parts) - len(cuts)  # syllables to come, with a letter each
        cuts.append(min(max(cut, cuts[-1] + 1), len(text) - rest))
    return [text[a:b] for a, b in itertools.pairwise([*cuts, len(text)])]


def _onset(part: tuple[str, ...]) -> tuple[str, ...]:
    return part[: next(place for place, x in enumerate(part) if is_vowel(x))]


def _cut(
    text: str,
    begin: Sequence[int],
    place: int,
    *,
    onset: tuple[str, ...],
    before: tuple[str, ...],
) -> int:
    """Returns the letter with which a syllable begins.

    Args:
      text: a word.
      begin: the number of phonemes that are spelled before each letter.
      place: the number of phonemes before the syllable.
      onset: its consonants before the vowel.
      before: the phonemes of the syllable before it.
    """

    cut = _letter_of(begin, place)
    if begin[cut] < place:  # one letter, such as x, spells phonemes of both
        return cut + 1
    vowel_at = _vowel_letter(text, begin, place + len(onset))
    if not onset:
        return vowel_at
    ending = _ending(text, cut, vowel_at, last=onset[-1])
    if ending:
        return ending
    if text[cut - 1 : cut + 1] in DIGRAPHS and begin[cut - 1] == begin[cut]:
        cut -= 1
    if text[cut : cut + 2] == "ck":
        return cut + 2
    if text[cut] == text[cut + 1 : cut + 2] and text[cut] not in "aeiou":
        return cut + 1
    if text[cut - 1] == text[cut] or text[vowel_at:] in ("le", "les", "led"):
        return cut
    if not _closes(before[-1], text[cut - 1]):
        return cut
    if len(onset) > 1:
        return _letter_of(begin, place + 1) if onset[0] == "S" else cut
    palatal = text[cut + 1 : cut + 2] == "i" and onset[0] in ("SH", "ZH", "CH", "JH")
    return cut if palatal or onset[0] in ("W", "Y", "HH") else vowel_at


def _letter_of(begin: Sequence[int], phoneme: int) -> int:
    """Returns the letter that spells a phoneme."""
    return next(i for i in range(len(begin) - 1) if begin[i + 1] > phoneme)


def _vowel_letter(text: str, begin: Sequence[int], phoneme: int) -> int:
    """Returns the first of the letters that spell a vowel, as both of "er" do."""
    letter = _letter_of(begin, phoneme)
    while letter > 1 and text[letter - 1] in "aeiouy" and begin[letter - 1] == phoneme:
        letter -= 1
    return letter


def _ending(text: str, cut: int, vowel_at: int, *, last: str) -> int:
    """Returns the letter with which an ending of the word begins; 0 if none does.

    Args:
      text: a word.
      cut: the letter of the first consonant of a syllable.
      vowel_at: the letter of its vowel.
      last: the consonant before that.
    """
    stem = len(text) - 3
    if text.endswith("n't") and vowel_at >= stem - 1:
        return stem
    if text.endswith("ing") and vowel_at >= stem:
        doubled = text[cut] in (text[cut - 1], text[cut + 1])
        known = dictionary.known(text[:stem])
        if known or (not doubled and dictionary.known(f"{text[:stem]}e")):
            return stem
    if text.endswith("ed") and vowel_at > stem and last in ("T", "D"):
        return stem + 1
    return 0


def _closes(vowel: str, letter: str) -> bool:
    """Says whether a vowel is short and stressed: then it keeps a consonant."""
    short = vowel[:-1] in SHORT or (vowel[:-1] == "AA" and letter == "o")
    return short and vowel[-1] in "12"


@functools.lru_cache(65536)
def spelling(text: str, phonemes: tuple[str, ...]) -> tuple[int, ...]:
    """Returns the number of phonemes that are spelled before each letter, and in all.

    Each letter spells the phonemes that it is likeliest to, in the dictionary.
    """
    likely = letter_to_sound.model().log_probs
    most = 2 if len(phonemes) <= 2 * len(text) else MOST
    scores = {0: 0.0}
    steps: list[dict[int, int]] = []
    for letter in text:
        best: dict[int, tuple[float, int]] = {}
        for done, score in scores.items():
            for size in range(min(most, len(phonemes) - done) + 1):
                held = phonemes[done : done + size]
                gain = likely.get((letter, held))
                if gain is None:  # an apostrophe spells nothing
                    gain = RARE * (size if letter == "'" else 1 + abs(size - 1))
                found = score + gain, done
                best[done + size] = max(best.get(done + size, found), found)
        scores = {place: score for place, (score, _) in best.items()}
        steps.append({place: before for place, (_, before) in best.items()})
    begin = [max(scores)]
    for step in reversed(steps):
        begin.append(step[begin[-1]])
    return tuple(reversed(begin))
