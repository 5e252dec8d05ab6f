"""A recording of any length through a model of sound, in blocks where the model can go on so."""

import pathlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
import soundfile

from zoo.data.audio.recordings import Recording, quantised
from zoo.data.codecs.waveform import Waveform
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.inference.model import Trained
from zoo.inference.sampler import demand
from zoo.inference.timbre_transfer import Statistics, between, like
from zoo.listen.audio_page import AudioComparison, write_audio_page
from zoo.models.variational_vocoder import Vary
from zoo.runner.sounding import reconstructed

FRAMES = 64  # of latents to a block
MINUTE = 60.0


def resynthesise(
    model: Trained,
    path: pathlib.Path,
    out: pathlib.Path,
    seed: int = 0,
    other: pathlib.Path | None = None,
    share: float = 1.0,
) -> tuple[float, int]:
    """Writes at `out`, as a WAV of 16 bits, what `model` makes of the recording at `path`, as long
    as it is, in the statistics of another's latents or a share of the way there; returns its
    seconds and its rate. A causal model takes no more memory for hours.

    Raises:
      UsageError: the model is none of sound, or the recording cannot be read.
    """
    codec: Any = model.codec
    demand(isinstance(codec, Waveform), unheard(model))
    family: Any = model.family
    goes_on = family.causal and not family.mel
    samples = 0
    vary: Vary = lambda z: z
    if other is not None:
        own, its = (
            Statistics.of(model, beginning(one, codec.rate)) for one in (path, other)
        )
        vary = like(model, own, its, share)
    try:
        heard = Recording(path, codec.rate).resampled()
        made = (
            streamed(model, heard, seed, vary)
            if goes_on
            else whole(model, heard, seed, vary)
        )
        with soundfile.SoundFile(
            out, "w", codec.rate, 1, "PCM_16", format="WAV"
        ) as file:
            for block in made:
                file.write(quantised(block))
                samples += len(block)
    except Refused as refused:
        raise UsageError(f"{path} is not heard: {refused.detail}") from refused
    return samples / codec.rate, codec.rate


def blended(
    model: Trained,
    one: pathlib.Path,
    other: pathlib.Path,
    out: pathlib.Path,
    steps: int = 5,
    seconds: float = 10.0,
    seed: int = 0,
) -> pathlib.Path:
    """Writes a page of `steps` from one recording to another in the latents of `model`, each as far
    from the last; returns its path.

    Raises:
      UsageError: the model is none of sound, a recording cannot be read, or steps are below 2.
    """
    codec: Any = model.codec
    demand(isinstance(codec, Waveform), unheard(model))
    demand(steps > 1, f"{steps} steps are asked for: choose 2 or more.")
    first, last = (beginning(path, codec.rate, seconds) for path in (one, other))
    shares = np.linspace(0, 1, steps)
    made = between(model, first, last, shares.tolist(), seed)
    versions = {f"{share:.2f}": x for share, x in zip(shares, made, strict=True)}
    title = f"From {one.stem} to {other.stem}"
    return write_audio_page(
        [AudioComparison(title, versions)], out, codec.rate, title=title
    )


def unheard(model: Trained) -> str:
    return f"{type(model.family).__name__} makes music, not sound: load a VariationalVocoder."


def beginning(path: pathlib.Path, rate: int, seconds: float = MINUTE) -> np.ndarray:
    """Of a recording, float32 [s].

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
        raise UsageError(f"{path} is not heard: {refused.detail}") from refused
    return np.concatenate(parts)[: round(seconds * rate)]


def whole(
    model: Trained, heard: Iterable[np.ndarray], seed: int, vary: Vary
) -> Iterator[np.ndarray]:
    """All at once, for a model that looks ahead."""
    yield reconstructed(model, np.concatenate([*heard])[None], seed, vary)[0]


def streamed(
    model: Trained, heard: Iterable[np.ndarray], seed: int, vary: Vary
) -> Iterator[np.ndarray]:
    """Block by block, and as much as was heard."""
    family: Any = model.family
    params = jax.device_get(model.params)
    step = jax.jit(partial(family.step, vary=vary), donate_argnums=1)
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
