"""A recording of any length through a model of sound, in blocks where the model can go on so."""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
import soundfile

from zoo.data.codecs.waveform import Waveform
from zoo.data.recordings import Recording, quantised
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.sampling import demand
from zoo.sounding import reconstructed
from zoo.trained import Trained

FRAMES = 64  # of latents to a block


def resynthesise(
    model: Trained, path: pathlib.Path, out: pathlib.Path, seed: int = 0
) -> tuple[float, int]:
    """Writes at `out`, as a WAV of 16 bits, what `model` makes of the recording at `path`, as long
    as it is; returns its seconds and its rate. A causal model takes no more memory for hours.

    Raises:
      UsageError: the model is none of sound, or the recording cannot be read.
    """
    codec: Any = model.codec
    demand(
        isinstance(codec, Waveform),
        f"{type(model.family).__name__} makes music, not sound: load a VariationalVocoder.",
    )
    family: Any = model.family
    goes_on = family.causal and not family.mel
    samples = 0
    try:
        heard = Recording(path, codec.rate).resampled()
        made = streamed(model, heard, seed) if goes_on else whole(model, heard, seed)
        with soundfile.SoundFile(out, "w", codec.rate, 1, "PCM_16", format="WAV") as file:
            for block in made:
                file.write(quantised(block))
                samples += len(block)
    except Refused as refused:
        raise UsageError(f"{path} is not heard: {refused.detail}") from refused
    return samples / codec.rate, codec.rate


def whole(model: Trained, heard: Iterable[np.ndarray], seed: int) -> Iterator[np.ndarray]:
    """All at once, for a model that looks ahead."""
    yield reconstructed(model, np.concatenate([*heard])[None], seed)[0]


def streamed(model: Trained, heard: Iterable[np.ndarray], seed: int) -> Iterator[np.ndarray]:
    """Block by block, and as much as was heard."""
    family: Any = model.family
    params = jax.device_get(model.params)
    step = jax.jit(family.step, donate_argnums=1)
    state = family.begin(params, jax.random.key(seed), 1)
    size, late, left = family.hop * FRAMES, family.delay, 0
    waiting = np.zeros(0, np.float32)

    def advance(block: np.ndarray) -> np.ndarray:
        nonlocal state, late
        state, made = step(params, state, block[None])
        skipped = min(late, size)
        late -= skipped
        return np.asarray(made[0])[skipped:]

    for part in heard:
        left += len(part)
        waiting = np.concatenate([waiting, part])
        while len(waiting) >= size:
            made, waiting = advance(waiting[:size]), waiting[size:]
            left -= len(made)
            yield made
    while left > 0:  # what the model is late by comes after the last
        made, waiting = advance(np.pad(waiting, (0, size))[:size]), waiting[size:]
        yield made[:left]
        left -= len(made)
