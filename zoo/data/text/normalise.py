"""English text as it is written to the words that are spoken, and pauses.

Words are lower-case. A letter that is named is a capital: "the USA" is "the U S A". A
pause is one of the signs `, . ! ?` by itself. Phonemes in braces, as in `{R EH1 D}`,
are kept.
"""

import itertools
import re
from typing import NamedTuple

from zoo.data.refusal import Refused
from zoo.data.text.abbreviations import ACRONYMS, LEADING
from zoo.data.text.dictionary import known
from zoo.data.text.expand import expanded, starts_sentence
from zoo.data.text.letters import fold
from zoo.data.text.quantities import NAMED
from zoo.errors import clipped

PAUSES = (",", ".", "!", "?")  # from the weakest to the strongest
SPELLED = 5  # letters of the longest unknown word of capitals that is read by letters
BRACES = re.compile(r"\{([^{}]*)\}")
PLURAL = re.compile("([A-Z]{2,}|PhD)('?s)")
TOKEN = re.compile(
    rf"{NAMED}(?P<letter>[A-Z](?:'s)?)|(?P<word>'?[A-Za-z]+(?:'[A-Za-z]+)*'?)"
    r"|(?P<pause>\.{2,}|[,.!?;:()\[\]—]|--+| [-–] )"
)


class Token(NamedTuple):
    """A word or a pause of a text.

    Attributes:
      spoken: a word in lower case, the capital of a letter that is named, or a pause;
        "" of phonemes in braces by themselves.
      shown: the word as the text has it.
      phonemes: what is written in braces by itself or after the word.
    """

    spoken: str
    shown: str
    phonemes: str | None = None


def normalise(text: str) -> str:
    """Returns the words and pauses of an English text, separated by spaces.

    Raises:
      Refused: `empty`, `control`, `alphabet` or `braces`.
      ZooError: the dictionary, which tells acronyms from words, is not installed.
    """
    return " ".join(
        token.spoken
        if token.phonemes is None
        else f"{token.spoken}{{{token.phonemes}}}"
        for token in tokens(text)
    )


def tokens(text: str) -> list[Token]:
    """Returns the words and pauses of a text; raises as `normalise` does."""
    outside = BRACES.sub(" ", text)
    if "{" in outside or "}" in outside:
        raise Refused(
            "braces",
            f"The text {clipped(text)!r} has a brace without its other: write phonemes "
            "as in {R EH1 D}.",
        )
    mixed = any(letter.islower() for letter in outside)
    found: list[Token] = []
    plain, *others = BRACES.split(text)
    found += _tokens(expanded(fold(plain)), mixed)
    for held, after in zip(others[::2], others[1::2], strict=True):
        phonemes = " ".join(held.split())
        if plain[-1:].isalpha() and found:
            found[-1] = found[-1]._replace(phonemes=phonemes)
        else:
            found.append(Token("", "", phonemes))
        found += _tokens(expanded(fold(after)), mixed)
        plain = after
    found = _pauses_once(found)
    if not found:
        raise Refused("empty", f"The text {clipped(text)!r} has no word: write one.")
    return found


def _pauses_once(found: list[Token]) -> list[Token]:
    """Returns tokens without pauses that come first, and of several the strongest."""
    kept: list[Token] = []
    for token in found:
        if token.spoken in PAUSES:
            if not kept:
                continue
            if kept[-1].spoken in PAUSES:
                kept[-1] = max(kept[-1], token, key=lambda x: PAUSES.index(x.spoken))
                continue
        kept.append(token)
    return kept


def _tokens(text: str, mixed: bool) -> list[Token]:
    """Returns the tokens of an expanded text.

    Args:
      text: the text.
      mixed: whether it has small letters, so that capitals mean something.
    """
    found: list[Token] = []
    matches = list(TOKEN.finditer(text))
    for match, after in itertools.zip_longest(matches, matches[1:]):
        word = match["word"]
        if match["letter"]:
            found.append(_letter(match["letter"]))
        elif match["pause"]:
            found.append(Token(_pause(match), ""))
        elif len(word) == 1 and word.isupper():
            follows = after is not None and re.search("[a-z]|^I$", after["word"] or "")
            is_word = word in "IO" or (word == "A" and follows)
            found.append(Token(word.lower(), word) if is_word else _letter(word))
        else:
            found += _word(word, mixed)
    return found


def _letter(letter: str) -> Token:
    return Token(letter, letter)


def _pause(match: re.Match[str]) -> str:
    sign = match[0].strip()
    if sign.startswith(".."):
        return "." if starts_sentence(match) else ","
    return sign if sign in PAUSES else ","


def _word(word: str, mixed: bool) -> list[Token]:
    """Returns a word without quotes, or the letters of an acronym."""
    if word.startswith("'") and word.lower().rstrip("'") not in LEADING:
        word = word[1:]
    if word.endswith("'") and not (word.lower().endswith("in'") and len(word) > 4):
        word = word[:-1]
    plural = PLURAL.fullmatch(word)
    capitals, ending = (plural[1], "'s") if plural else (word, "")
    if _is_acronym(capitals, mixed):
        *others, last = (_letter(letter) for letter in capitals.upper())
        return [*others, _letter(last.spoken + ending)]
    return [Token(word.lower(), word)]


def _is_acronym(word: str, mixed: bool) -> bool:
    if word == "PhD":
        return True
    if len(word) < 2 or not (word.isupper() and word.isalpha()):
        return False
    if not re.search("[AEIOUY]", word):
        return len(word) <= SPELLED
    if not mixed:  # a text in capitals
        return False
    return word in ACRONYMS or (len(word) <= SPELLED and not known(word.lower()))
