"""Harmonises the sopranos of chorales of the test split, beside Bach's own harmonies.

python experiments/polyphony/harmonise.py --model runs/chorales_framewise
"""

from pathlib import Path

import jax
import numpy as np

from zoo.data.codecs.chorale import VOICES
from zoo.errors import UsageError
from zoo.inference.loading import load
from zoo.listen.gallery import write_gallery
from zoo.models import Coconet
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Length, Number, Seed
from zoo.runner import launch


def harmonise(
    model: Path,
    corpus: str | None = None,
    workdir: Path = Path("runs/harmonise"),
    pieces: tuple[Number, ...] = (0, 1, 2),
    keep: tuple[str, ...] = ("soprano",),
    length: Length = 256,
    draw: Draw = Draw(temperature=0.9),
    seed: Seed = 0,
    accept_licence: bool = False,
) -> Path:
    """Rewrites all voices of chorales but those kept, and writes a page of them.

    Args:
        model: a run of chorales_framewise.
        corpus: a corpus or file; by default the one that the model was trained on.
        workdir: directory of the page.
        pieces: indices of chorales in the test split.
        keep: voices that are not rewritten: soprano, alto, tenor, bass.
        length: 16ths of each chorale, from its beginning.
        draw: how pitches are sampled.
        seed: seed of the sampling.
        accept_licence: agree to the terms of weights for non-commercial use.
    """
    trained = load(model, accept_licence=accept_licence)
    if not isinstance(trained.family, Coconet):
        raise UsageError(
            f"{model} is a run of {trained.name}: give a run of chorales_framewise."
        )
    if unknown := set(keep) - set(VOICES):
        raise UsageError(
            f"there is no voice {min(unknown)}: choose from {', '.join(VOICES)}."
        )
    chorales = trained.task.examples("test", corpus=corpus, length=length)
    if outside := [piece for piece in pieces if piece not in range(len(chorales))]:
        raise UsageError(
            f"there is no piece {outside[0]}: choose from 0 to {len(chorales) - 1}."
        )
    free = np.array([voice not in keep for voice in VOICES])
    sample = jax.jit(trained.family.sample, static_argnames=("n", "draw"))
    written, real = [], []
    for index in pieces:
        chorale = chorales[index]
        rows = sample(
            trained.params,
            jax.random.fold_in(jax.random.key(seed), index),
            n=1,
            draw=draw,
            primer=chorale,
            free=np.broadcast_to(free, chorale.shape),
        )
        written.append(trained.codec.decode(np.asarray(rows[0])))
        real.append(trained.codec.decode(chorale))
    title = f"Chorales harmonised from the {' and '.join(keep)}"
    return write_gallery(written, workdir, title=title, real=real)


if __name__ == "__main__":
    launch(harmonise)
