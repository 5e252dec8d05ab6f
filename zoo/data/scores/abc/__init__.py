"""Reader of ABC tune books: standard 2.1, and older usage of the large collections.

`X:` begins a tune and a blank line ends it. Fields before the first tune are defaults
for all tunes. An error refuses only the tune that it occurs in.
"""

import re
from collections import Counter

from zoo.data.refusal import Refused
from zoo.data.scores.abc.tune import read_tune
from zoo.data.scores.limits import Limits, Piece

Line = tuple[int, str]  # line number in the file, and text without comment

_FIELD = re.compile(r"[A-Za-z+]:")
_COMMENT = re.compile(r"(?<!\\)%.*")
_NUMBER = re.compile(r"X:\s*(\d{1,9})")


def read_book(data: bytes, name: str, limits: Limits) -> list[Piece]:
    """Reads the tunes of a book in order; named `name#number`, a single one `name`."""
    header, tunes = _split(_decode(data))
    if not tunes:
        raise Refused(
            "abc-syntax", "No tune begins with `X:`; check that the file is ABC."
        )
    if len(tunes) > limits.pieces:
        raise Refused(
            "too-many-pieces", f"{len(tunes):,} tunes; split it or raise Limits.pieces."
        )
    return [
        _piece(label, header + lines, stray, limits)
        for label, (lines, stray) in zip(_labels(name, tunes), tunes, strict=True)
    ]


def _piece(name: str, lines: list[Line], stray: int, limits: Limits) -> Piece:
    remarks = {"stray-lines": stray} if stray else {}
    try:
        sequence, tune_remarks = read_tune(lines, limits)
    except Refused as refused:
        return Piece(name, refused=refused, remarks=remarks)
    return Piece(name, sequence, remarks=remarks | tune_remarks)


def _decode(data: bytes) -> str:
    """Decodes UTF-8, otherwise Latin-1, in which every byte is valid."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _split(text: str) -> tuple[list[Line], list[tuple[list[Line], int]]]:
    """Splits a file into its header and its tunes.

    Returns:
      The fields of the header, and for each tune its lines and the number of stray
      lines after its end.
    """
    header: list[Line] = []
    tunes: list[tuple[list[Line], int]] = []
    current, ended = header, False
    for number, line in enumerate(re.split(r"\r\n?|\n", text), 1):
        blank = not line.strip()  # a line with only a comment does not end a tune
        line = _COMMENT.sub("", line).strip()
        if line.startswith("X:"):
            current, ended = [(number, line)], False
            tunes.append((current, 0))
        elif not line:
            ended = ended or blank
        elif not ended:
            current.append((number, line))
        elif tunes:
            tunes[-1] = current, tunes[-1][1] + 1
    if not tunes and any(line.startswith("K:") for _, line in header):
        return [], [(header, 0)]
    return [line for line in header if _FIELD.match(line[1])], tunes


def _labels(name: str, tunes: list[tuple[list[Line], int]]) -> list[str]:
    if len(tunes) == 1:
        return [name]
    seen: Counter[str] = Counter()
    labels = []
    for index, (lines, _) in enumerate(tunes, 1):
        number = _NUMBER.match(lines[0][1])
        label = f"{name}#{int(number[1]) if number else f'at{index}'}"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}.{seen[label]}")
    return labels
