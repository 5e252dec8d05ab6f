"""Names of pitches and instruments, and errors that suggest similar names."""

import difflib
import functools
from collections.abc import Collection

from zoo.errors import UsageError

PITCH_CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
MAX_LISTED = 20  # names in a message; of more, only the first and last are listed


def pitch_name(pitch: int) -> str:
    """Returns the name of a MIDI pitch: 60 is `C4`."""
    octave, pitch_class = divmod(pitch, 12)
    return f"{PITCH_CLASSES[pitch_class]}{octave - 1}"


@functools.cache
def instruments() -> tuple[str, ...]:
    """Returns the names of the General MIDI programs 0..127, and `Drums`."""
    from pretty_midi.constants import INSTRUMENT_MAP  # type: ignore[import-untyped]

    return (*INSTRUMENT_MAP, "Drums")


def require_one_of(name: str, names: Collection[str], kind: str) -> str:
    """Returns `name` if it is one of `names`.

    Args:
      name: the name.
      names: all names.
      kind: noun for the message.

    Raises:
      UsageError: `name` is not one of `names`; the message suggests similar ones.
    """
    if name in names:
        return name
    listed = list(names)
    similar = [word for word in listed if name in word]
    similar = similar or difflib.get_close_matches(name, listed, 1)
    if similar and name.strip("0123456789-"):  # similar numbers are no suggestion
        advice = f"did you mean {' or '.join(map(repr, similar[:3]))}?"
    else:
        if len(listed) >= MAX_LISTED:
            listed = [*listed[:3], "..", *listed[-3:]]
        advice = f"choose from {', '.join(listed)}."
    raise UsageError(f"there is no {kind} called {name!r}: {advice}")
