"""Abbreviations, numbers, addresses and signs of a text to words.

Letters that are named, as those of "U.S.", have the mark `NAMED` before them.
"""

import re
from collections.abc import Iterable

from zoo.data.text.abbreviations import (
    BEFORE_NUMBERS,
    HEADINGS,
    LATIN,
    NEVER_LAST,
    PLAIN,
    REGNAL,
    STREETS,
    TITLES,
    TOP_LEVEL,
)
from zoo.data.text.numbers import cardinal, ordinal, roman
from zoo.data.text.quantities import NAMED, in_words

ALONE = ("Mr", "Mrs", "Ms", "Mx", "Dr", "Prof", "Messrs")  # titles also without a name
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


ADDRESS = re.compile(
    r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}"
    r"|(?:https?://|ftp://|\bwww\.)[^\s\"'<>()]+"
    rf"|\b(?:[A-Za-z][\w-]{{0,63}}\.){{1,8}}(?:{TOP_LEVEL})\b(?:/[^\s\"'<>()]*)?"
)
ROMAN = re.compile(rf"\b({_any(HEADINGS)}|{_any(REGNAL)}) ([IVX]+)\b(?!\.\w)")
DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}(?:'s\b)?|\bPh\.\s?D\.")
TO = re.compile(  # between times, percentages and amounts
    r"(?:(?<=[apAP][mM])|(?<=[ap]\.m\.)|(?<=%))\s?[-–]\s?(?=\d)"
    r"|(?<=\d)\s?[-–]\s?(?=[$£€¥]\d)"
)
INITIAL = re.compile(r"\b([A-HJ-Z])\.(?=\s+[A-Z\d])")
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
CLOSED = re.compile(r"[ \"')\]]*$")
CAPITAL = re.compile(r"[\"')\]]*\s+[\"'(]*[A-Z]")


def expanded(text: str) -> str:
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
    text = text.replace(" / ", " , ")  # lines of a song
    text = re.sub(r"(?<=\w)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)", " ", text)
    text = re.sub(r"(?<=\d)\s*([+=×÷<>])\s*-?(?=\d)", _operator, text)
    text = re.sub(r"(?<=\d)\s+-\s+(?=\d+\s*=|\d+ equals)", " minus ", text)
    text = TO.sub(" to ", text)
    text = re.sub(r"(?<=\d)\s?[*x]\s?(?=\d)", " times ", text)
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


def starts_sentence(match: re.Match[str]) -> bool:
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
        letters = _named(found.removesuffix("'s").upper().replace(".", ""))
        letters += "'s" if found.endswith("'s") else ""
    ends = found.endswith(".") and _is_last(match)
    ends = ends or (found.endswith("m.") and starts_sentence(match))
    return f"{letters} . " if ends else letters


def _street(match: re.Match[str]) -> str:
    ends = match[0].endswith(".") and starts_sentence(match)
    return f"{match[1]} {STREETS[match[2]]}{'.' if ends else ''}"


def _shortened(match: re.Match[str]) -> str:
    name = match[1].lower()
    ends = starts_sentence(match)
    if name in NEVER_LAST and ends:
        return match[0]
    return PLAIN[name] + (" ." if ends else "")
