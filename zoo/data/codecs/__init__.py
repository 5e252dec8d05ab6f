"""Codecs between NoteSequences and arrays, by name, so that a checkpoint can restore its own."""

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from typing import Any

from zoo.data.codecs.base import Codec, Fit, PhraseCodec
from zoo.data.codecs.chorale import Chorale
from zoo.data.codecs.compound import Compound
from zoo.data.codecs.drums import DrumPart, Drums
from zoo.data.codecs.melody import Melody
from zoo.data.codecs.multitrack import Multitrack
from zoo.data.codecs.performance import Performance
from zoo.data.codecs.phrase import Excerpt, Phrase, Quartet
from zoo.data.codecs.pianoroll import Pianoroll
from zoo.data.codecs.rolls import Rolls
from zoo.data.codecs.voices import Voices
from zoo.data.codecs.waveform import Waveform
from zoo.errors import UsageError

__all__ = [
    "CODECS",
    "Chorale",
    "Codec",
    "Compound",
    "DrumPart",
    "Drums",
    "Excerpt",
    "Fit",
    "Melody",
    "Multitrack",
    "Performance",
    "Phrase",
    "PhraseCodec",
    "Pianoroll",
    "Quartet",
    "Rolls",
    "Voices",
    "Waveform",
    "make",
]

CODECS: Mapping[str, type] = {
    "melody": Melody,
    "phrase": Phrase,
    "chorale": Chorale,
    "quartet": Quartet,
    "pianoroll": Pianoroll,
    "performance": Performance,
    "voices": Voices,
    "drums": Drums,
    "compound": Compound,
    "multitrack": Multitrack,
}


def make(name: str, **fields: Any) -> Codec:
    """The codec of that name, with those fields; raises `UsageError` for a name unknown."""
    codec = CODECS[_known(name, CODECS, "codec")]
    names = [field.name for field in dataclasses.fields(codec)]
    for field in fields:
        _known(field, names, f"field of the {name} codec")
    return codec(**fields)


def _known(name: str, names: Collection[str], what: str) -> str:
    if name in names:
        return name
    close = difflib.get_close_matches(name, list(names), 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
    raise UsageError(f"there is no {what} called {name!r}; {hint}")
