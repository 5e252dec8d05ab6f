"""Models of audio, and reconstruction of recordings of any length."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import soundfile

from zoo.core import AudioAutoencoder, supports
from zoo.data.audio.recordings import Recording, to_int16
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError
from zoo.files import ADVICE, written_aside
from zoo.inference.model import Model
from zoo.inference.shipped import require_able
from zoo.nn.audio.vocoder import LatentTransform

FRAMES_PER_BLOCK = 64  # of latents
MINUTE = 60.0  # seconds


@dataclasses.dataclass(frozen=True, eq=False)
class AudioModel(Model):
    """A trained model of audio, which reconstructs it."""

    def sample(self, *args: Any, **options: Any) -> Any:
        raise UsageError(
            f"{self.name} reconstructs audio and writes none of its own: use "
            "`reconstruct`, or the command zoo reconstruct."
        )

    def reconstruct(
        self, audio: np.ndarray, seed: int = 0, **options: Any
    ) -> np.ndarray:
        """Reconstructs audio float [b, s] from the means of its latents."""
        return reconstructed(self, audio, seed, **options)


def reconstructed(
    model: Model,
    audio: np.ndarray,
    seed: int = 0,
    transform: LatentTransform | None = None,
) -> np.ndarray:
    """Returns float32 [b, s], the reconstruction of audio [b, s].

    It is made from the means of the posterior, or from what `transform` makes of them.
    """
    reconstruct = compiled(model.family, transform)
    params = jax.device_get(model.params)
    return np.asarray(reconstruct(params, audio, jax.random.key(seed)))


@functools.lru_cache(maxsize=8)
def compiled(
    family: Any, transform: LatentTransform | None
) -> Callable[..., jax.Array]:
    """Returns the compiled reconstruction of a family; it is called once a batch."""
    varied = {"transform": transform} if transform else {}
    return jax.jit(functools.partial(family.reconstructed, **varied))


def resynthesise(
    model: Model,
    path: pathlib.Path,
    out: pathlib.Path,
    *,
    seed: int = 0,
    transform: LatentTransform | None = None,
) -> tuple[float, int]:
    """Writes the reconstruction of a recording as a WAV of 16 bits and the same length.

    A model that streams needs no more memory for hours than for seconds.

    Args:
      model: a model of audio.
      path: the recording.
      out: the WAV to write.
      seed: seed of the decoder's noise.
      transform: changes the latents before they are decoded.

    Returns:
      The length in seconds, and the sample rate in hertz.

    Raises:
      UsageError: the model is not one of audio, or the recording cannot be read.
      ZooError: the WAV cannot be written; nothing is left behind then.
    """
    require_audio(model)
    rate, samples = model.codec.rate, 0
    change: LatentTransform = transform or (lambda z: z)
    make = streamed if model.family.streams else at_once
    try:
        recording = Recording(path, rate).resampled()
        with (
            written_aside(out) as unfinished,
            soundfile.SoundFile(
                unfinished, "w", rate, 1, "PCM_16", format="WAV"
            ) as file,
        ):
            for block in make(model, recording, seed, change):
                file.write(to_int16(block))
                samples += len(block)
    except soundfile.LibsndfileError as error:
        raise ZooError(
            f"{out} could not be written ({error.error_string}): {ADVICE}."
        ) from error
    except Refused as refused:
        raise UsageError(f"cannot read {path}: {refused.detail}") from refused
    return samples / rate, rate


def require_audio(model: Model) -> None:
    """Raises UsageError unless the model is one of audio."""
    require_able(
        supports(model.family, AudioAutoencoder),
        f"{model.name} writes music, not audio",
        "reconstruct",
    )


def excerpt(path: pathlib.Path, rate: int, seconds: float = MINUTE) -> np.ndarray:
    """Returns the beginning of a recording, float32 [s].

    Raises:
      UsageError: it cannot be read.
    """
    parts, samples = [], 0
    try:
        for part in Recording(path, rate).resampled():
            parts.append(part)
            samples += len(part)
            if samples >= seconds * rate:
                break
    except Refused as refused:
        raise UsageError(f"cannot read {path}: {refused.detail}") from refused
    return np.concatenate(parts)[: round(seconds * rate)]


def at_once(
    model: Model, parts: Iterable[np.ndarray], seed: int, transform: LatentTransform
) -> Iterator[np.ndarray]:
    """Yields the reconstruction as a whole, for a model that looks ahead."""
    yield reconstructed(model, np.concatenate([*parts])[None], seed, transform)[0]


def streamed(
    model: Model, parts: Iterable[np.ndarray], seed: int, transform: LatentTransform
) -> Iterator[np.ndarray]:
    """Yields the reconstruction block by block, as long as the recording."""
    family = model.family
    params = jax.device_get(model.params)
    step = jax.jit(
        functools.partial(family.step, transform=transform), donate_argnums=1
    )
    state = family.begin(params, jax.random.key(seed), 1)
    size, delay, remaining = family.hop * FRAMES_PER_BLOCK, family.delay, 0
    waiting = np.zeros(0, np.float32)

    def advance(block: np.ndarray) -> np.ndarray:
        nonlocal state, delay
        state, made = step(params, state, block[None])
        skipped = min(delay, size)
        delay -= skipped
        return np.asarray(made[0])[skipped:]

    for part in parts:
        remaining += len(part)
        waiting = np.concatenate([waiting, part])
        while len(waiting) >= size:
            made, waiting = advance(waiting[:size]), waiting[size:]
            remaining -= len(made)
            yield made
    while remaining > 0:  # the end, which the model's delay holds back
        made, waiting = advance(np.pad(waiting, (0, size))[:size]), waiting[size:]
        yield made[:remaining]
        remaining -= len(made)
