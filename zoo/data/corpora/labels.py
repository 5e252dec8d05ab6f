"""What is known of a score besides its notes: style, mode and metre."""

import collections
from typing import TYPE_CHECKING

from zoo.data.proto import NoteSequence

if TYPE_CHECKING:  # TFDS takes seconds to import
    from zoo.data.corpora.records import Record

KINDS = ("style", "mode", "metre")


def labels(record: "Record") -> dict[str, str]:
    """One label for each of `KINDS`, empty where the score does not say.

    The style is that of the record, the mode that of the first key signature, and the metre the
    one in force for longest: a pickup has a signature of its own.
    """
    return {
        "style": record.style,
        "mode": mode(record.sequence),
        "metre": metre(record.sequence),
    }


def mode(sequence: NoteSequence) -> str:
    """`major`, `minor`, `dorian` ..."""
    if not sequence.key_signatures:
        return ""
    signature = sequence.key_signatures[0]
    name = NoteSequence.KeySignature.Mode.Name(signature.mode).lower()
    return "" if name == "not_specified" else name


def metre(sequence: NoteSequence) -> str:
    """Such as `6/8`."""
    found = sorted(sequence.time_signatures, key=lambda x: x.time)
    ends = [*(x.time for x in found), sequence.total_time][1:]
    lasting: collections.Counter[str] = collections.Counter()
    for signature, end in zip(found, ends, strict=True):
        lasting[f"{signature.numerator}/{signature.denominator}"] += (
            end - signature.time
        )
    return max(lasting, key=lasting.__getitem__, default="")
