"""Numbers with what stands beside them: money, times, dates, units and ranges.

Dates are read as in America, the month before the day, unless only the other order
is one.
"""

import re
from collections.abc import Callable

from zoo.data.text.abbreviations import MONEY, MONTHS, MULTIPLES, UNITS
from zoo.data.text.numbers import (
    LONGEST,
    cardinal,
    decade,
    decimal,
    fraction,
    ordinal,
    spelled,
    year,
)

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
DECIMAL = rf"(?:{NUMBER}(?:\.\d+)?|\.\d+)"
MINUS = r"(?:(?<![\w.])-(?=[\d.]))?"
MONTH = "|".join(name.title() for name in MONTHS)
SHORT = "|".join(name[:3].title() for name in MONTHS if name != "may")
NAME = rf"({MONTH}|(?:{SHORT}|Sept)\b\.?)"
NAMED = "·"  # stands before a letter that is named; `fold` leaves none in a text
METRES = "time|metre|meter|signature|bars?|beat|feel"  # after the numbers of a metre
LAST_YEAR = 2100  # of the four digits that are read as a year


def number(text: str) -> str:
    """Returns the words of a number with or without sign, commas and decimals."""
    digits = text.replace(",", "")
    if digits.startswith("-"):
        return f"minus {decimal(digits[1:])}"
    return decimal(digits)


def counted(text: str, one: str, many: str) -> str:
    """Returns a number with the noun of one or of many."""
    return f"{number(text)} {one if text in ('1', '-1') else many}"


def _money(match: re.Match[str]) -> str:
    minus, sign, whole, hundredths, multiple = match.groups()
    one, many, cent, cents = MONEY[sign]
    head = "minus " if minus else ""
    if multiple or (hundredths and len(hundredths) != 2):
        digits = whole + (f".{hundredths}" if hundredths else "")
        words = [number(digits), MULTIPLES[multiple] if multiple else "", many]
        return head + " ".join(filter(None, words))
    parts = []
    if int(whole.replace(",", "")) or not hundredths:
        parts.append(counted(whole, one, many))
    if hundredths and (int(hundredths) or not parts):
        parts.append(counted(hundredths.lstrip("0") or "0", cent, cents))
    return head + " and ".join(parts)


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = match.groups()
    hours = cardinal(hour.lstrip("0") or "0")
    words = [hours]
    if int(minute):
        early = f"oh {cardinal(minute[1])}" if minute[0] == "0" else None
        words.append(early or cardinal(minute))
    elif not half and not second:
        words.append("o'clock" if 0 < int(hour) <= 12 else "hundred")
    if second:
        words.append(f"and {counted(second.lstrip('0') or '0', 'second', 'seconds')}")
    return " ".join([*words, _half(match)] if half else words)


def _half(match: re.Match[str]) -> str:
    """Returns the letters of "a.m." or "PM", and a period if a sentence ends there."""
    rest = match.string[match.end() :].lstrip("\"')] ")
    ends = match[0].endswith(".") and (not rest or rest[0].isupper())
    half = match[match.re.groups].upper()
    return f"{NAMED}{half} {NAMED}M{' .' if ends else ''}"


def _hour(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} {_half(match)}"


def _date(month: int, day: str, after: str | None) -> str:
    words = f"{MONTHS[month - 1]} {ordinal(day.lstrip('0'))}"
    return f"{words} {_short_year(after)}" if after else words


def _short_year(digits: str) -> str:
    if len(digits) == 2:
        return f"oh {cardinal(digits[1])}" if digits[0] == "0" else cardinal(digits)
    return year(digits)


def _numeric(match: re.Match[str]) -> str:
    month, day, after = match.groups()
    if int(month) > 12:
        month, day = day, month
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= 31:
        return match[0].replace("/", " slash ").replace("-", " ")
    return _date(int(month), day, after)


def _iso(match: re.Match[str]) -> str:
    after, month, day = match.groups()
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= 31:
        return match[0].replace("-", " ")
    return _date(int(month), day, after)


def _month(name: str) -> int:
    short = name[:3].lower()
    return next(i for i, month in enumerate(MONTHS, 1) if month[:3] == short)


def _month_day(match: re.Match[str]) -> str:
    name, day, after = match.groups()
    return _date(_month(name), day, after) if 1 <= int(day) <= 31 else match[0]


def _day_month(match: re.Match[str]) -> str:
    day, name, after = match.groups()
    if not 1 <= int(day) <= 31:
        return match[0]
    words = f"the {ordinal(day)} of {MONTHS[_month(name) - 1]}"
    return f"{words} {year(after)}" if after else words


def _month_year(match: re.Match[str]) -> str:
    return f"{MONTHS[_month(match[1]) - 1]} {year(match[2])}"


def _decade(match: re.Match[str]) -> str:
    digits = match[1]
    if len(digits) == 2:
        return decade(f"19{digits}").removeprefix("nineteen ")
    return decade(digits)


def _unit(match: re.Match[str]) -> str:
    digits, unit, power = match.groups()
    one, many = UNITS[unit]
    words = counted(digits, one, many)
    if power:
        head, _, noun = words.rpartition(" ")
        words = f"{head} {'square' if power == 'squared' else 'cubic'} {noun}"
    return words


def _fraction(match: re.Match[str]) -> str:
    whole, over, under = match.groups()
    numerator, denominator = int(over), int(under)
    if numerator >= denominator or denominator > 100 or not numerator:
        words = f"{cardinal(over)} slash {cardinal(under)}"
        return f"{number(whole)} {words}" if whole else words
    words = fraction(numerator, denominator)
    if not whole:
        return words
    if numerator == 1:
        words = f"{'an' if denominator in (8, 11, 18) else 'a'}{words[3:]}"
    return f"{number(whole)} and {words}"


def _metre(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} {cardinal(match[2])}"


def _range(match: re.Match[str]) -> str:
    return f"{_plain(match[1])} to {_plain(match[2])}"


def _plain(text: str) -> str:
    is_year = re.fullmatch(r"\d{4}", text) and 1100 <= int(text) < LAST_YEAR
    return year(text) if is_year else number(text)


def _phone(match: re.Match[str]) -> str:
    return " , ".join(spelled(group) for group in re.findall(r"\d+", match[0]))


def _long(match: re.Match[str]) -> str:
    head = f"{cardinal(match[1])} point " if match[1] else ""
    return head + spelled(match[2])


def _version(match: re.Match[str]) -> str:
    return " point ".join(map(cardinal, match[0].split(".")))


def _rule(pattern: str, words: Callable[[re.Match[str]], str]) -> Rule:
    return re.compile(pattern), words


UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
MULTIPLE = "|".join(sorted(MULTIPLES, key=len, reverse=True))
HALF = r"([aApP])\.?\s?[mM]\b\.?"
RULES: tuple[Rule, ...] = (
    _rule(rf"(?<!\d)(?:(\d{{1,{LONGEST}}})\.)?(\d{{{LONGEST + 1},}})", _long),
    _rule(r"(?<![\w-])(?:\(\d{3}\) ?|\d{3}[-.])?\d{3}[-.]\d{4}(?![\w-])", _phone),
    _rule(
        rf"((?<![\w.])-)?([$£€¥])\s?({NUMBER})(?:\.(\d+))?(?:\s?({MULTIPLE})\b)?",
        _money,
    ),
    _rule(rf"({NUMBER})\s?¢", lambda x: counted(x[1], "cent", "cents")),
    _rule(
        rf"\b([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?!\d)(?:\s?{HALF})?(?!\w)",
        _time,
    ),
    _rule(rf"\b(1[0-2]|[1-9])\s?{HALF}", _hour),
    _rule(r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)(?![\w-])", _iso),
    _rule(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\w/])", _numeric),
    _rule(
        rf"\b{NAME} (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?(?![\w.:]\d|\w)",
        _month_day,
    ),
    _rule(
        rf"\b(?:[Tt]he )?(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{NAME}"
        r"(?:,? (\d{4}))?(?!\w)",
        _day_month,
    ),
    _rule(rf"\b{NAME},? (\d{{4}})(?!\w)", _month_year),
    _rule(r"(?:\b|')(\d0|1\d\d0|20\d0)'?s\b", _decade),
    _rule(rf"\b({NUMBER})(?:st|nd|rd|th)\b", lambda x: ordinal(x[1].replace(",", ""))),
    _rule(rf"(?<![\w/])(\d\d?)/(\d\d?)(?= (?:{METRES})\b)", _metre),
    _rule(r"(?<![\w/])(?=(?:4/4|2/2|[56]/4|(?:6|9|12)/8)(?![\w/]))(\d+)/(\d)", _metre),
    _rule(r"\b24/7\b", lambda x: "twenty four seven"),
    _rule(r"(?<![\w/])(?:(\d+) )?(\d+)/(\d+)(?![\w/])", _fraction),
    _rule(
        r"\b(\d)'\s?(\d{1,2})\"", lambda x: f"{cardinal(x[1])} foot {cardinal(x[2])}"
    ),
    _rule(
        rf"(?<![\w-])({DECIMAL})\s?[-–]\s?(?={DECIMAL}\s?(?:{UNIT})(?![\w/]))",
        lambda x: f"{number(x[1])} to",
    ),
    _rule(
        rf"({MINUS}{DECIMAL})\s?({UNIT})(?: (squared|cubed))?(?![\w/])"
        r"(?:\.(?=\s[a-z]))?",
        _unit,
    ),
    _rule(rf"(?<![\w-])({DECIMAL})\s?[-–]\s?({DECIMAL})(?![\w-])", _range),
    _rule(r"\b\d+(?:\.\d+){2,}(?![\w])", _version),
    _rule(rf"({MINUS}(?<![\d.,]){DECIMAL})(?![\d])", lambda x: _plain(x[1])),
)


def in_words(text: str) -> str:
    """Returns a text with words in place of its numbers."""
    for pattern, words in RULES:
        text = pattern.sub(_spaced(words), text)
    return text


def _spaced(words: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    return lambda match: f" {words(match)} "
