"""What an experiment over sound does: recordings or notes, training, reconstructions, record."""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import jax
import numpy as np

from zoo.core import Batch, Family, Params
from zoo.data.audio.batches import SoundBatches, Sounding, beginnings
from zoo.data.audio.datasets import open_split, sounds
from zoo.data.codecs.base import Codec
from zoo.data.codecs.waveform import Waveform
from zoo.data.corpora.dedup import SPLITS
from zoo.errors import UsageError
from zoo.inference.model import Trained
from zoo.listen.sounds import Sound
from zoo.listen.sounds import sounds as gallery
from zoo.models.variational_vocoder import Vary
from zoo.runner.run import Finish, Rules, Task, connected, run
from zoo.train.optim import Adam
from zoo.train.options import Options


@dataclasses.dataclass(frozen=True)
class Audio:
    """What a model of sound is trained on, and how it is cut."""

    corpus: str = "soundfont_notes"
    """soundfont_notes, audio_folder:/path/to/your/recordings, rendered:tunes, or tfds:nsynth."""
    hertz: int = 16_000
    """Samples a second; what has another rate is resampled."""
    seconds: float = 4.0
    """Of an excerpt: a note, or a part of a recording."""
    length: int = 16_384
    """Samples of a crop, which is what is trained on."""
    batch: int = 16
    """Crops in a batch, over all devices."""


def sounding(
    family: Callable[[int], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    audio: Audio = Audio(),
    adam: Rules = Adam(),
    options: Options = Options(),
    samples: int = 8,
    finish: Finish | None = None,
    given: Params | None = None,
) -> dict[str, Any]:
    """Trains `family(rate)` on crops, measures it on excerpts of the test split, and writes some of
    those beside what it makes of them. Networks that are `given` come from elsewhere.

    Leaves in `workdir` what `zoo.runner.experiment.events` does.

    Raises:
      UsageError: crops are longer than what they are of.
    """
    began = time.perf_counter()
    process = connected(options, audio.batch)
    of = sounds(audio.corpus, audio.hertz, audio.seconds)
    if audio.length > of.length:
        raise UsageError(
            f"crops of {audio.length} samples are longer than excerpts of {of.length}: lower "
            "--length, or raise --seconds."
        )
    excerpts = {split: open_split(of, split) for split in SPLITS}
    batches = SoundBatches(
        excerpts["train"], audio.batch, audio.length, options.seed, process
    )
    over = lambda split: beginnings(excerpts[split], audio.batch, of.length, process)
    codec = cast(Codec, Waveform(audio.hertz))
    listen = lambda *told: beside(excerpts["test"], name, *told)
    task = Task(name, codec, batches, over, [], audio, listen)
    return run(
        family(audio.hertz),
        task,
        workdir,
        steps,
        adam,
        options,
        samples,
        finish,
        began,
        given,
    )


def beside(
    excerpts: Sequence[Sounding],
    title: str,
    model: Trained,
    folder: pathlib.Path,
    samples: int,
    seed: int,
) -> None:
    """A gallery of excerpts, from all over a split, and of what the model makes of them."""
    if not samples:
        return
    chosen = np.linspace(0, len(excerpts) - 1, min(samples, len(excerpts))).astype(int)
    every = []
    for number in chosen.tolist():
        one: Any = excerpts[number]
        original = cast(Any, model.codec).decode(one.audio)
        made = reconstructed(model, original[None], seed)[0]
        every.append(Sound(one.id, {"original": original, "reconstruction": made}))
    gallery(every, folder, cast(Any, model.codec).rate, title=title)


def reconstructed(
    model: Trained, audio: np.ndarray, seed: int = 0, vary: Vary | None = None
) -> np.ndarray:
    """Signals float32 [b, s] as the model gives them back, by the means of their latents or what
    `vary` makes of those."""
    back, params = compiled(cast(Any, model.family), vary), jax.device_get(model.params)
    return np.asarray(back(params, audio, jax.random.key(seed)))


@functools.lru_cache(maxsize=8)
def compiled(family: Any, vary: Vary | None) -> Callable[..., jax.Array]:
    """Its way there and back, which is asked for a batch at a time."""
    varied = {"vary": vary} if vary else {}
    return jax.jit(functools.partial(family.reconstructed, **varied))


def held_out(model: Trained, spec: str, split: str, batch: int) -> Iterator[Batch]:
    """A split of a dataset of sound, every excerpt of it once, as `model` was measured."""
    of = sounds(spec, cast(Any, model.codec).rate, model.about["music"]["seconds"])
    return beginnings(open_split(of, split), batch, of.length)
