"""Codecs between NoteSequences and arrays, by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.data.codecs.base import Codec, Fit, PhraseCodec
from zoo.data.codecs.chorale import Chorale
from zoo.data.codecs.compound import Compound
from zoo.data.codecs.drums import DrumPart, Drums
from zoo.data.codecs.melody import Melody
from zoo.data.codecs.multitrack import Multitrack
from zoo.data.codecs.names import require_one_of
from zoo.data.codecs.performance import Performance
from zoo.data.codecs.phrase import Excerpt, Phrase, Quartet
from zoo.data.codecs.pianoroll import Pianoroll
from zoo.data.codecs.rolls import Rolls
from zoo.data.codecs.spoken_text import SpokenText
from zoo.data.codecs.sung import Sung
from zoo.data.codecs.voices import Voices
from zoo.data.codecs.waveform import Waveform

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
    "SpokenText",
    "Sung",
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
    "sung": Sung,
}


def make(name: str, **fields: Any) -> Codec:
    """Returns the codec called `name`, with these fields.

    Raises:
      UsageError: an unknown codec or field, or an invalid value of a field.
    """
    require_one_of(name, CODECS, "codec")
    codec = CODECS[name]
    names = [field.name for field in dataclasses.fields(codec)]
    for field in fields:
        require_one_of(field, names, f"field of the {name} codec")
    return codec(**fields)
