"""English words of numbers.

Written here because of the libraries at hand, importing inflect takes 2.8 s, and
num2words needs a package that has no wheel.
"""

import functools

SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *("seventeen", "eighteen", "nineteen"),
)
TENS = (
    *("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty"),
    "ninety",
)
SCALES = (
    *("", "thousand", "million", "billion", "trillion", "quadrillion"),
    *("quintillion", "sextillion", "septillion", "octillion", "nonillion"),
    "decillion",
)
LONGEST = 3 * len(SCALES)  # digits of a number that has a name; others are spelled
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


@functools.lru_cache(4096)
def cardinal(digits: str) -> str:
    """Returns the words of a number: "1234" is "one thousand two hundred thirty four".

    Digits that begin with 0, or are more than 36, are read one by one.
    """
    if len(digits) > LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return spelled(digits)
    number = int(digits)
    if number == 0:
        return SMALL[0]
    words: list[str] = []
    for scale in SCALES:
        number, group = divmod(number, 1000)
        if group:
            words = [*_below_thousand(group), scale, *words]
    return " ".join(word for word in words if word)


def _below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        words.append(TENS[rest // 10])
        rest %= 10
    return [*words, SMALL[rest]] if rest else words


def spelled(digits: str) -> str:
    """Returns the names of digits, one by one."""
    return " ".join(SMALL[int(digit)] for digit in digits)


def decimal(digits: str) -> str:
    """Returns the words of "3.14": "three point one four"."""
    whole, _, fraction = digits.partition(".")
    if not fraction:
        return cardinal(whole)
    head = f"{cardinal(whole)} " if whole else ""
    return f"{head}point {spelled(fraction)}"


def ordinal(digits: str) -> str:
    """Returns the words of the number of a place: "21" is "twenty first"."""
    head, space, last = cardinal(digits).rpartition(" ")
    if last in ORDINALS:
        last = ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return head + space + last


def year(digits: str) -> str:
    """Returns the words of a year: "1905" is "nineteen oh five".

    Years before 1000, round thousands and the first nine years after these are
    numbers.
    """
    number = int(digits)
    century, rest = divmod(number, 100)
    if not 1000 <= number <= 9999 or (century % 10 == 0 and rest < 10):
        return cardinal(digits)
    if rest == 0:
        return f"{cardinal(str(century))} hundred"
    last = f"oh {SMALL[rest]}" if rest < 10 else cardinal(str(rest))
    return f"{cardinal(str(century))} {last}"


def decade(digits: str) -> str:
    """Returns the words of the ten years from one on: "1990" is "nineteen nineties"."""
    head, space, last = year(digits).rpartition(" ")
    return head + space + (f"{last[:-1]}ies" if last.endswith("y") else f"{last}s")


def fraction(over: int, under: int) -> str:
    """Returns the words of a fraction: 3 and 4 are "three quarters"."""
    one, many = FRACTIONS.get(under) or (ordinal(str(under)), f"{ordinal(str(under))}s")
    return f"{cardinal(str(over))} {one if over == 1 else many}"


def roman(numeral: str) -> int | None:
    """Returns the value of a Roman numeral up to 39; None if it is none."""
    tens = len(numeral) - len(numeral.lstrip("X"))
    units = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    rest = numeral[tens:]
    if not numeral or tens > 3 or rest not in units:
        return None
    return 10 * tens + units.index(rest)
