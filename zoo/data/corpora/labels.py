"""Labels of a score: style, mode and metre."""

import collections
from typing import TYPE_CHECKING

from zoo.data.proto import NoteSequence

if TYPE_CHECKING:  # TFDS takes seconds to import
    from zoo.data.corpora.records import Record

KINDS = ("style", "mode", "metre")


def labels(record: "Record") -> dict[str, str]:
    """Returns a label for each of `KINDS`, "" if it is unknown.

    The style is that of the record, the mode that of the first key signature, and the
    metre the one with the longest total duration, because a pickup has its own
    signature.
    """
    return {
        "style": record.style,
        "mode": mode(record.sequence),
        "metre": metre(record.sequence),
    }


def mode(sequence: NoteSequence) -> str:
    """Returns the mode of the first key signature, such as `minor` or `dorian`."""
    if not sequence.key_signatures:
        return ""
    signature = sequence.key_signatures[0]
    name = NoteSequence.KeySignature.Mode.Name(signature.mode).lower()
    return "" if name == "not_specified" else name


def metre(sequence: NoteSequence) -> str:
    """Returns the metre of the longest total duration, such as `6/8`."""
    signatures = sorted(sequence.time_signatures, key=lambda x: x.time)
    ends = [*(x.time for x in signatures), sequence.total_time][1:]
    durations: collections.Counter[str] = collections.Counter()
    for signature, end in zip(signatures, ends, strict=True):
        name = f"{signature.numerator}/{signature.denominator}"
        durations[name] += end - signature.time
    return max(durations, key=durations.__getitem__, default="")
