"""Tokens of ABC music (standard 2.1, section 4)."""

import re
from functools import lru_cache

from zoo.data.refusal import Refused

LENGTH = r"\d{0,3}(?:/{1,6}\d{0,3})?"
_SIGN, _STEP, _OCTAVE = r"\^\^|\^|__|_|=", "[A-Ga-g]", "[,']*"
_NOTE = f"(?:{_SIGN})?{_STEP}{_OCTAVE}{LENGTH}"
_NAMED = f"(?P<sign>{_SIGN})?(?P<step>{_STEP})(?P<octave>{_OCTAVE})(?P<size>{LENGTH})"
_PASSES = r"\d{1,2}(?:\s*[,-]\s*\d{1,2})*"
_QUOTED = r'"[^"]*"'
_DECORATION = r"![^!|\[\]\n]+!|\+[^+|\[\]\n]+\+|[~.H-Wh-w]"

# Groups are named as the methods of `zoo.data.scores.abc.voice.Voice` that handle them.
# Earlier alternatives have precedence.
TOKEN = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in {
            "skip": r"(?:[\s`*$\\)]|\((?!\d))+|y\d{0,3}",  # spacing, and slurs
            "note": _NAMED,
            "bar": r"(?P<line>:*(?:\[?\|+\]?)+(?::+(?![:|\]]))?|:{2,}|:+\])"
            rf"(?:\s*\[?(?P<passes>{_PASSES}))?",
            "ending": rf"\[\s*(?P<numbers>{_PASSES})",
            "field": r"\[(?P<key>[A-Za-z]):(?P<value>[^\]]*)\]",
            "rest": rf"[zx](?P<pause>{LENGTH})",
            "bars": r"[ZX](?P<count>\d{0,3})",
            "broken": r">{1,4}|<{1,4}",
            "tie": r"-",
            "tuplet": r"\((?P<p>\d)(?::(?P<q>\d?))?(?::(?P<r>\d{0,2}))?",
            "grace": r"\{[^}]*\}",
            "chord": rf"\[(?P<notes>(?:{_NOTE}|{_DECORATION}|{_QUOTED}|[-\s()])+)\]"
            rf"(?P<times>{LENGTH})",
            "quoted": r'"(?P<text>[^"]*)"',
            "decoration": _DECORATION,
            "newline": r"!",  # a line break of older programs
            "overlay": r"&",
        }.items()
    )
)
CHORD_NOTE = re.compile(f"{_NAMED}(?P<tie>-)?|{_QUOTED}|{_DECORATION}")


@lru_cache(4096)
def ratio(size: str) -> tuple[int, int]:
    """Parses a length to numerator and denominator: "" is 1/1, "/" 1/2, "//" 1/4."""
    whole, slashes, rest = size.partition("/")
    halvings = 1 + rest.count("/") if slashes else 0
    below = rest.lstrip("/")
    numerator = int(whole or 1)
    denominator = int(below) if below else 1 << halvings
    if not numerator or not denominator or (below and halvings > 1):
        raise Refused("abc-length", f"the length `{size}` is not a fraction")
    return numerator, denominator


def passes(text: str) -> frozenset[int]:
    """Parses the passes on which a variant ending is played, "1,3" or "1-3"."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
