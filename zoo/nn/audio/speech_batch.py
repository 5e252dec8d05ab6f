"""Batches of speech: phonemes, when they end, voices and audio.

Axes: b row, t phoneme, s sample, f frame, m mel band, v voice.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Batch, Bool, Float, Int
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.stft import to_float

CENTRE, SCALE = -5.0, 3.0  # of log-mel magnitudes of speech, as networks see them
SILENCE = -11.512925  # the logarithm of `MIN_MEL`


def token_mask(tokens: Int[Array, "b t"]) -> Bool[Array, "b t"]:
    """Returns the tokens of each text, up to its first BOUNDARY and including it."""
    end = (tokens == BOUNDARY).astype(jnp.int32)
    return jnp.cumsum(end, axis=1) - end == 0


def step_mask(counts: Int[Array, " b"], length: int) -> Bool[Array, "b f"]:
    """Returns the first `counts` of `length` frames or steps of each row."""
    return jnp.arange(length)[None] < counts[:, None]


def voice_weights(voice: Array, count: int) -> Float[Array, "n v"]:
    """Returns weights of `count` voices, from indices [n] or from weights [n, v]."""
    voice = jnp.asarray(voice)
    if voice.ndim > 1:
        return voice.astype(jnp.float32)
    return jax.nn.one_hot(voice, count, dtype=jnp.float32)


def normalised(mel: Float[Array, "*n m"]) -> Float[Array, "*n m"]:
    """Returns log-mel spectra of speech, scaled to about [-2, 2]."""
    return (mel - CENTRE) / SCALE


def log_mel(mel: Float[Array, "*n m"]) -> Float[Array, "*n m"]:
    """Inverts `normalised`."""
    return mel * SCALE + CENTRE


def silenced(
    mel: Float[Array, "n f m"], mask: Bool[Array, "n f"]
) -> Float[Array, "n f m"]:
    """Returns log-mel spectra with silence outside of the mask, the lowest value."""
    return jnp.where(mask[..., None], jnp.maximum(mel, SILENCE), SILENCE)


class Speech(NamedTuple):
    """Log-mel spectra, and the number of frames of each, after which it is silent."""

    mel: Float[Array, "n f m"]
    frames: Int[Array, " n"]


class SpeechBatch(NamedTuple):
    """A batch of speech, as networks see it."""

    tokens: Int[Array, "b t"]
    heard: Bool[Array, "b t"]  # the tokens of each text
    voice: Array  # int [b], or weights [b, v]
    durations: Float[Array, "b t"]  # in frames; 0 outside of the text
    known: Bool[Array, " b"]  # whether all durations are
    mel: Float[Array, "b f m"]  # normalised, whole steps of frames
    frames: Int[Array, " b"]
    mask: Bool[Array, " b"]

    @classmethod
    def of(cls, batch: Batch, mel: Mel, per_step: int = 1) -> "SpeechBatch":
        """Reads a batch; without a mask, all rows are valid.

        Args:
          batch: its arrays.
          mel: the mel spectrogram.
          per_step: frames of a step; their number is rounded up to a multiple of it.
        """
        tokens, ends = jnp.asarray(batch["phonemes"]), jnp.asarray(batch["ends"])
        heard, hop = token_mask(tokens), mel.stft.hop
        starts = jnp.pad(ends[:, :-1], ((0, 0), (1, 0)))
        durations = jnp.maximum(ends - starts, 0).astype(jnp.float32) / hop
        spectra = normalised(mel_frames(mel, to_float(jnp.asarray(batch["audio"]))))
        more = -spectra.shape[1] % per_step
        return cls(
            tokens,
            heard,
            jnp.asarray(batch["voice"]),
            durations=jnp.where(heard, durations, 0.0),
            known=jnp.where(heard, ends >= 0, True).all(axis=1),
            mel=jnp.pad(spectra, ((0, 0), (0, more), (0, 0))),
            frames=-(-jnp.asarray(batch["samples"]) // hop),
            mask=jnp.asarray(batch.get("mask", jnp.ones(len(tokens), bool))),
        )

    @property
    def frame_mask(self) -> Bool[Array, "b f"]:
        """The frames of each row, whether or not it is valid."""
        return step_mask(self.frames, self.mel.shape[1])


def mel_frames(mel: Mel, audio: Float[Array, "b s"]) -> Float[Array, "b f m"]:
    """Returns log-mel spectra as `MelVocoder` reads: s / hop frames, rounded up."""
    hop = mel.stft.hop
    count = -(-audio.shape[1] // hop)
    padding = count * hop - audio.shape[1]
    return mel.log(jnp.pad(audio, ((0, 0), (0, padding))))[:, :count]
