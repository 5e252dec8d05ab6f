"""Speech of a text: mel spectra that a family writes, decoded by a vocoder."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import MelDecoder, Params, supports
from zoo.data.refusal import Refused
from zoo.data.text.phonemes import Phonemes, TextFit
from zoo.errors import UsageError, require, shown
from zoo.inference.model import Model
from zoo.inference.shipped import require_able
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.phase_retrieval import griffin_lim, sinusoidal_phases
from zoo.ranges import Pace, Seed, require_range

BUCKET = 32  # tokens: few programs serve texts of all lengths
LEAST_SQUARES_STEPS = 50  # from mel spectra to magnitudes
GRIFFIN_LIM_STEPS = 60
Voice = str | Mapping[str, float]  # a name, or weights by name


@dataclasses.dataclass(frozen=True, eq=False)
class SpeechModel(Model):
    """A trained model of speech."""

    def sample(self, *args: Any, **options: Any) -> Any:
        raise UsageError(
            f"{self.name} speaks texts and writes no music: use `speak`, or the "
            "command zoo speak."
        )

    def speak(
        self,
        text: str,
        voice: Voice | None = None,
        seed: int = 0,
        *,
        pace: float = 1.0,
        vocoder: Model | None = None,
    ) -> np.ndarray:
        """Speaks an English text.

        Args:
          text: the text, at most as long as the model's longest sample.
          voice: a name, or the weights of several; by default the first of the model.
          seed: seed of the dropout in the decoder.
          pace: factor of speed.
          vocoder: a model of audio that decodes the same mel spectra; by default
            the algorithm of Griffin & Lim.

        Raises:
          UsageError: the text cannot be read, there is no such voice, the vocoder
            reads other spectra, or a number is out of range.

        Returns:
          Samples float32 [s] in [-1, 1].
        """
        require_range("seed", seed, Seed)
        require_range("pace", pace, Pace)
        tokens = self.read(text).array
        empty = -len(tokens) % BUCKET
        phonemes = np.pad(tokens, (0, empty))[None]
        weights = voice_weights(self.family.voices, voice)[None]
        rng, key = jax.random.split(jax.random.key(seed))
        mel, frames = self._written(
            self.params, rng, phonemes=phonemes, voice=weights, pace=pace
        )
        audio = self.vocoded(mel, key, vocoder)
        return np.clip(audio[: int(frames[0]) * self.family.hop], -1, 1)

    def read(self, text: str) -> TextFit:
        """Returns the tokens of a text, and remarks on words that are guessed.

        Raises:
          UsageError: the text cannot be read.
        """
        try:
            return Phonemes().fit(text)
        except Refused as refused:
            message = f"the text cannot be spoken: {refused.detail}"
            raise UsageError(message) from refused

    def vocoded(
        self, mel: jax.Array, rng: jax.Array, vocoder: Model | None = None
    ) -> np.ndarray:
        """Turns log-mel spectra [1, f, m] into samples [s].

        Raises:
          UsageError: the vocoder reads other spectra.
        """
        if vocoder is None:
            return np.asarray(inverted(self.family.mel, mel)[0])
        decoder = vocoder.family
        require(
            supports(decoder, MelDecoder) and decoder.mel == self.family.mel,
            f"{vocoder.title} does not decode the mel spectra of {self.title}: choose "
            f"a vocoder of {self.family.mel_bands} bands and a hop of "
            f"{self.family.hop} samples at {self.family.rate} Hz.",
        )
        return np.asarray(jax.jit(decoder.decode)(vocoder.params, mel, rng)[0])

    @functools.cached_property
    def _written(self) -> Callable[..., tuple[jax.Array, jax.Array]]:
        """The compiled synthesis of log-mel spectra, and the frames of each."""

        def written(params: Params, rng: jax.Array, **conditions: Any) -> Any:
            plan = self.family.plan(params, **conditions)
            return tuple(self.family.synthesize(params, rng, plan))

        return jax.jit(written, static_argnames=("pace",))


def require_speech(model: Model) -> SpeechModel:
    """Returns the model, which speaks.

    Raises:
      UsageError: it does not.
    """
    require_able("speak" in model.verbs, f"{model.title} speaks no texts", "speak")
    assert isinstance(model, SpeechModel)
    return model


def voice_weights(names: tuple[str, ...], voice: Voice | None) -> np.ndarray:
    """Returns the weight of each voice, float32 [v]; their sum is 1.

    Raises:
      UsageError: there is no such voice, or the weights are not positive.
    """
    weights = {voice or names[0]: 1.0} if isinstance(voice, str | None) else voice
    for name in weights:
        require(
            name in names,
            f"the model has no voice {shown(name)}: choose from {', '.join(names)}.",
        )
    found = np.array([weights.get(name, 0.0) for name in names], np.float32)
    require(
        bool((found >= 0).all() and found.sum() > 0),
        "the weights of voices must be positive numbers, of which one is above 0.",
    )
    return found / found.sum()


@functools.partial(jax.jit, static_argnums=0)
def inverted(mel: Mel, log_mel: jax.Array) -> jax.Array:
    """Returns audio [b, f * hop] of log-mel spectra [b, f, m] by Griffin & Lim."""
    length = log_mel.shape[1] * mel.stft.hop
    padded = jnp.concatenate([log_mel, log_mel[:, -1:]], axis=1)
    magnitudes = mel.magnitudes(jnp.exp(padded), LEAST_SQUARES_STEPS)
    phases = sinusoidal_phases(mel.stft, magnitudes)
    return griffin_lim(
        mel.stft, magnitudes, phases, length=length, steps=GRIFFIN_LIM_STEPS
    )
