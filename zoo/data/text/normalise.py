"""English text as it is written to the words that are spoken, and pauses.

Words are lower-case. A letter that is named is a capital: "the USA" is "the U S A". A
pause is one of the signs `, . ? !` by itself. Phonemes in braces, as in `{R EH1 D}`,
are kept.
"""

import itertools
import re
from collections.abc import Callable, Iterable

from zoo.data.refusal import Refused
from zoo.data.text.abbreviations import (
    ACRONYMS,
    BEFORE_NUMBERS,
    HEADINGS,
    LATIN,
    LEADING,
    NEVER_LAST,
    PLAIN,
    REGNAL,
    STREETS,
    TITLES,
    TOP_LEVEL,
)
from zoo.data.text.letters import fold
from zoo.data.text.numbers import cardinal, ordinal, roman
from zoo.data.text.quantities import in_words
from zoo.errors import clipped

Known = Callable[[str], bool]

PAUSES = (",", ".", "!", "?")  # from the weakest to the strongest
NAMED = "·"  # stands before a letter that is named; `fold` leaves none in a text
ALONE = ("Mr", "Mrs", "Ms", "Mx", "Dr", "Prof", "Messrs")  # titles also without a name
SPELLED = 5  # letters of the longest unknown word of capitals that is read by letters
SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "°": "degrees",
    "@": "at",
    "~": "about",
    "%": "percent",
    "$": "dollars",
    "£": "pounds",
    "€": "euros",
    "¥": "yen",
    "¢": "cents",
    "<": "less than",
    ">": "greater than",
}
IN_ADDRESSES = {
    ".": "dot",
    "@": "at",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    ":": "colon",
    "~": "tilde",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "+": "plus",
    "%": "percent",
}


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


BRACES = re.compile(r"\{([^{}]*)\}")
ADDRESS = re.compile(
    r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}"
    r"|(?:https?://|ftp://|\bwww\.)[^\s\"'<>()]+"
    rf"|\b(?:[A-Za-z][\w-]{{0,63}}\.){{1,8}}(?:{TOP_LEVEL})\b(?:/[^\s\"'<>()]*)?"
)
ROMAN = re.compile(rf"\b({_any(HEADINGS)}|{_any(REGNAL)}) ([IVX]+)\b(?!\.\w)")
DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}|\bPh\.\s?D\.")
INITIAL = re.compile(r"\b([A-HJ-Z])\.(?=\s+[A-Z])")
JOINED = re.compile(r"\b([A-Z]{1,4})&([A-Z]{1,4})\b")
PITCH = re.compile(r"\b([A-G])#(?!\w)")
STREET = re.compile(
    rf"\b([A-Z][a-z]+|\d+(?:st|nd|rd|th))\s+({_any(STREETS)})\b\.?(?!\s+[A-Z])"
)
TITLE = re.compile(
    rf"\b(?:({_any(TITLES)})\.(?=\s+[A-Z])|({_any(ALONE)})\.|({_any(ALONE)}|St|Mt)"
    r"(?=\s+[A-Z]))"
)
NUMBERED = re.compile(rf"\b({_any(BEFORE_NUMBERS)})\.\s*(?=\d)", re.I)
SHORTENED = re.compile(rf"\b({_any(PLAIN)})\.", re.I)
SIGN = re.compile(f"[{re.escape(''.join(SYMBOLS))}]")
PLURAL = re.compile("([A-Z]{2,}|PhD)('?s)")
CLOSED = re.compile(r"[ \"')\]]*$")
CAPITAL = re.compile(r"[\"')\]]*\s+[\"'(]*[A-Z]")
TOKEN = re.compile(
    rf"{NAMED}(?P<letter>[A-Z])|(?P<word>'?[A-Za-z]+(?:'[A-Za-z]+)*'?)"
    r"|(?P<pause>\.{2,}|[,.!?;:()\[\]—]|--+| [-–] )"
)


def normalise(text: str, known: Known) -> str:
    """Returns the words and pauses of a text, separated by spaces.

    Args:
      text: English text.
      known: says whether a word, in lower case, is in the dictionary; words of
        capitals that are not may be acronyms.

    Raises:
      Refused: `empty`, `control`, `alphabet` or `braces`.
    """
    return " ".join(tokens(text, known))


def tokens(text: str, known: Known) -> list[str]:
    """Returns the words and pauses of a text as `normalise` does, in a list.

    Phonemes in braces are an element, with the word that stands before them without a
    space: `read{R EH1 D}`.
    """
    outside = BRACES.sub(" ", text)
    if "{" in outside or "}" in outside:
        raise Refused(
            "braces",
            f"The text {clipped(text)!r} has a brace without its other: write phonemes "
            "as in {R EH1 D}.",
        )
    mixed = any(letter.islower() for letter in outside)
    found: list[str] = []
    before = ""
    for index, part in enumerate(BRACES.split(text)):
        if index % 2 == 0:
            found += _tokens(_expanded(fold(part)), known, mixed)
        else:
            held = f"{{{' '.join(part.split())}}}"
            if before[-1:].isalpha() and found:
                held = found.pop() + held
            found.append(held)
        before = part if index % 2 == 0 else ""
    found = _pauses_once(found)
    if not found:
        raise Refused("empty", f"The text {clipped(text)!r} has no word: write one.")
    return found


def _pauses_once(found: list[str]) -> list[str]:
    """Returns tokens without pauses that come first, and of several the strongest."""
    kept: list[str] = []
    for token in found:
        if token in PAUSES:
            if not kept:
                continue
            if kept[-1] in PAUSES:
                kept[-1] = max(kept[-1], token, key=PAUSES.index)
                continue
        kept.append(token)
    return kept


def _expanded(text: str) -> str:
    """Returns a text in which only words, capitals and punctuation are left."""
    text = re.sub(r"\n\s*\n", " . ", text)
    text = re.sub(r"\s+", " ", text)
    text = ADDRESS.sub(_address, text)
    text = ROMAN.sub(_roman, text)
    text = DOTTED.sub(_dotted, text)
    text = INITIAL.sub(rf"{NAMED}\1", text)
    text = JOINED.sub(lambda x: f"{_named(x[1])} and {_named(x[2])}", text)
    text = PITCH.sub(rf"{NAMED}\1 sharp", text)
    text = re.sub(r"\b([A-Z])/([A-Z])\b", rf"{NAMED}\1 slash {NAMED}\2", text)
    text = re.sub(r"\b[A-Z]{1,3}(?=\d)", lambda x: f"{_named(x[0])} ", text)
    text = STREET.sub(_street, text)
    text = TITLE.sub(lambda x: TITLES[x[1] or x[2] or x[3]], text)
    text = NUMBERED.sub(lambda x: f"{BEFORE_NUMBERS[x[1].lower()]} ", text)
    text = re.sub(r"#\s?(?=\d)", "number ", text)
    text = re.sub(r"\band/or\b", "and or", text)
    text = re.sub(r"(?<=\w)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)", " ", text)
    text = re.sub(r"(?<=\d)\s*([+=×÷<>])\s*-?(?=\d)", _operator, text)
    text = re.sub(r"(?<=\d)\s+-\s+(?=\d+\s*=|\d+ equals)", " minus ", text)
    text = in_words(text)
    text = SHORTENED.sub(_shortened, text)
    text = re.sub(r"(?<=[A-Za-z])/(?=[A-Za-z])", " slash ", text)
    text = re.sub(r"(?<=[A-Za-z])\.(?=[A-Za-z])", " dot ", text)
    return SIGN.sub(lambda x: f" {SYMBOLS[x[0]]} ", text)


def _named(letters: str) -> str:
    return " ".join(NAMED + letter for letter in letters)


def _operator(match: re.Match[str]) -> str:
    minus = "minus " if match[0].endswith("-") else ""
    return f" {SYMBOLS[match[1]]} {minus}"


def _is_last(match: re.Match[str]) -> bool:
    """Says whether nothing but closing quotes follows what was matched."""
    return CLOSED.match(match.string, match.end()) is not None


def _starts_sentence(match: re.Match[str]) -> bool:
    """Says whether the end of the text, or a capital, follows what was matched."""
    return _is_last(match) or CAPITAL.match(match.string, match.end()) is not None


def _address(match: re.Match[str]) -> str:
    address = match[0].rstrip(".,;:!?")
    rest = match[0][len(address) :]
    address = re.sub(r"^\w+://", "", address).rstrip("/")
    words = re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", address)
    named = [
        "w w w" if word == "www" else IN_ADDRESSES.get(word, word) for word in words
    ]
    return f" {' '.join(' '.join(named).lower().split())} {rest}"


def _roman(match: re.Match[str]) -> str:
    name, numeral = match.groups()
    value = roman(numeral)
    if value is None or (numeral == "I" and name not in HEADINGS):
        return match[0]
    if name in HEADINGS:
        return f"{name} {cardinal(str(value))}"
    return f"{name} the {ordinal(str(value))}"


def _dotted(match: re.Match[str]) -> str:
    found = match[0]
    if found.lower() in LATIN:
        return f" {LATIN[found.lower()]} "
    if found.startswith("Ph"):
        letters = _named("PHD")
    elif match.string[max(0, match.start() - 2) : match.start()].strip()[-1:].isdigit():
        return found  # of a time, which is read later
    else:
        letters = _named(found.upper().replace(".", ""))
    ends = _is_last(match) or (found.endswith("m.") and _starts_sentence(match))
    return f"{letters} . " if ends else letters


def _street(match: re.Match[str]) -> str:
    ends = match[0].endswith(".") and _starts_sentence(match)
    return f"{match[1]} {STREETS[match[2]]}{'.' if ends else ''}"


def _shortened(match: re.Match[str]) -> str:
    name = match[1].lower()
    ends = _starts_sentence(match)
    if name in NEVER_LAST and ends:
        return match[0]
    return PLAIN[name] + (" ." if ends else "")


def _tokens(text: str, known: Known, mixed: bool) -> list[str]:
    """Returns the tokens of an expanded text."""
    found: list[str] = []
    matches = list(TOKEN.finditer(text))
    for match, after in itertools.zip_longest(matches, matches[1:]):
        word = match["word"]
        if match["letter"]:
            found.append(match["letter"])
        elif match["pause"]:
            found.append(_pause(match))
        elif len(word) == 1 and word.isupper():
            follows = after is not None and after["word"] is not None
            is_word = word in "IO" or (word == "A" and follows)
            found.append(word.lower() if is_word else word)
        else:
            found += _word(word, known, mixed)
    return found


def _pause(match: re.Match[str]) -> str:
    sign = match[0].strip()
    if sign.startswith(".."):
        return "." if _starts_sentence(match) else ","
    return sign if sign in ".!?" else ","


def _word(word: str, known: Known, mixed: bool) -> list[str]:
    """Returns a word in lower case without quotes, or the letters of an acronym."""
    lower = word.lower()
    if lower.startswith("'") and lower.rstrip("'") not in LEADING:
        lower, word = lower[1:], word[1:]
    if lower.endswith("'") and not (lower.endswith("in'") and len(lower) > 4):
        lower, word = lower[:-1], word[:-1]
    plural = PLURAL.fullmatch(word)
    capitals, ending = (plural[1], "'s") if plural else (word, "")
    if _is_acronym(capitals, known, mixed):
        letters = list(capitals.upper())
        return [*letters[:-1], letters[-1] + ending]
    return [lower]


def _is_acronym(word: str, known: Known, mixed: bool) -> bool:
    if word == "PhD":
        return True
    if len(word) < 2 or not (word.isupper() and word.isalpha()):
        return False
    if not re.search("[AEIOUY]", word):
        return len(word) <= SPELLED
    if not mixed:  # a text in capitals
        return False
    return word in ACRONYMS or (len(word) <= SPELLED and not known(word.lower()))
