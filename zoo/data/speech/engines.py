"""Engines that speak text, with the times of phonemes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from zoo.data.speech.espeak import Espeak
from zoo.data.speech.flite import Flite
from zoo.data.speech.utterance import Utterance
from zoo.errors import UsageError, require, shown


class Engine(Protocol):
    """Engine of speech.

    Attributes:
      name: its name in specs.
      voices: names of its voices.
      licences: of each voice, the licence of engine, voice and sound, in a sentence.
    """

    @property
    def name(self) -> str: ...

    @property
    def voices(self) -> Sequence[str]: ...

    @property
    def licences(self) -> Mapping[str, str]: ...

    def speak(self, text: str, voice: str, slowness: float = 1.0) -> Utterance:
        """Speaks a text.

        Args:
          text: English.
          voice: one of `voices`.
          slowness: the factor by which it is slower than the voice by itself.

        Raises:
          Refused: our front end does not read the text, or the engine not a word.
          ZooError: the engine is not installed, or failed.
        """


ENGINES: Mapping[str, Engine] = {one.name: one for one in (Flite(), Espeak())}


def engine(name: str) -> Engine:
    """Returns an engine.

    Raises:
      UsageError: there is no such engine.
    """
    if name not in ENGINES:
        raise UsageError(
            f"there is no engine of speech {shown(name)}: choose {', '.join(ENGINES)}."
        )
    return ENGINES[name]


def voice_of(spec: str) -> tuple[Engine, str]:
    """Returns the engine and the voice that a spec such as `flite/slt` names.

    Raises:
      UsageError: there is no such engine or voice.
    """
    name, slash, voice = spec.partition("/")
    found = engine(name)
    require(
        bool(slash) and voice in found.voices,
        f"there is no voice {shown(spec)}: choose "
        f"{', '.join(f'{name}/{one}' for one in found.voices)}.",
    )
    return found, voice


def speak(text: str, spec: str, slowness: float = 1.0) -> Utterance:
    """Speaks a text by a voice such as `flite/slt`; raises as `Engine.speak` does.

    Raises:
      UsageError: there is no such engine or voice.
    """
    found, voice = voice_of(spec)
    return found.speak(text, voice, slowness)
