"""Text of any source to the signs that English is read from."""

import functools
import re
import unicodedata

from zoo.data.refusal import Refused

NAMED = 5  # letters of another alphabet that a message names
SPECIAL = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u02b9\u2032\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u00ad", "-"),
        "\u00ad": "",  # a soft hyphen is not seen
        **dict.fromkeys("\u2012\u2013", "\u2013"),
        **dict.fromkeys("\u2014\u2015", "\u2014"),
        "\u2212": "-",
        "\u2044": "/",
        **dict.fromkeys("™®©", ""),
        "²": " squared",
        "³": " cubed",
        "№": "No. ",
        "ß": "ss",
        "ẞ": "SS",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "ð": "th",
        "Ð": "Th",
        "þ": "th",
        "Þ": "Th",
        "ł": "l",
        "Ł": "L",
        "ħ": "h",
        "Ħ": "H",
        "ı": "i",
        "ŋ": "ng",
        "Ŋ": "NG",
        "µ": "micro",
        "Ω": "ohm",
        "…": "...",
        "♯": "#",
        "♭": " flat ",
        **{sign: f" {sign}" for sign in "¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"},
    }
)


def fold(text: str) -> str:
    """Returns a text in ASCII, but for signs of money, of degrees and dashes.

    Letters lose their accents, digits of other scripts become our own, and signs that
    are not read, such as pictures, become spaces.

    Raises:
      Refused: `control` or `alphabet`.
    """
    text = text.translate(SPECIAL)
    if text.isascii():
        plain = text
    else:
        text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
        plain = "".join(map(_sign, text.translate(SPECIAL)))
    control = re.search(r"[\x00-\x08\x0e-\x1f\x7f\x80-\x9f]", plain)
    if control:
        raise Refused(
            "control",
            f"The text has the control character U+{ord(control[0]):04X}: remove it.",
        )
    foreign = sorted({x for x in plain if x.isalpha() and not x.isascii()})
    if foreign:
        raise Refused("alphabet", _sentence(foreign))
    return plain


def _sentence(letters: list[str]) -> str:
    named = ", ".join(
        f"{x} ({unicodedata.name(x, 'of no name').lower()})" for x in letters[:NAMED]
    )
    more = f" and {len(letters) - NAMED} more" if len(letters) > NAMED else ""
    return (
        f"The text has letters that are not of the Latin alphabet, {named}{more}: "
        "write it in Latin letters."
    )


@functools.lru_cache(4096)
def _sign(sign: str) -> str:
    """Returns what stands for one character of a decomposed text."""
    if sign.isascii() or sign in "£€¥°¢×÷–—":
        return sign
    category = unicodedata.category(sign)
    if category in ("Mn", "Me", "Cf"):  # accents, and signs that are not seen
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if category[0] == "L" or category == "Cc":
        return sign
    return {"¡": "", "¿": "", "、": ",", "。": ".", "،": ",", "।": "."}.get(sign, " ")
