"""Harmonises the sopranos of chorales that a model has not seen, with Bach's own beside them.

python experiments/polyphony/harmonise.py --model runs/chorales_framewise --data Jsb16thSeparated.json
"""

from pathlib import Path

import jax
import numpy as np
from zoo.runner.experiment import launch

from zoo.data.batching.encoded import corpus_pieces
from zoo.data.codecs.chorale import VOICES
from zoo.errors import UsageError
from zoo.inference.model import load
from zoo.listen.gallery import write_gallery
from zoo.models import Coconet
from zoo.nn.sequence.sampling import Draw


def harmonise(
    model: Path,
    data: Path,
    workdir: Path = Path("runs/harmonise"),
    pieces: tuple[int, ...] = (0, 1, 2),
    keep: tuple[str, ...] = ("soprano",),
    length: int = 256,
    draw: Draw = Draw(temperature=0.9),
    seed: int = 0,
) -> Path:
    """Writes a page of chorales of the test split, with every voice but those kept written anew.

    Args:
        model: a run of chorales_framewise.
        data: Jsb16thSeparated.json.
        workdir: where the page goes.
        pieces: numbers of chorales, within the test split.
        keep: the voices that stay Bach's: soprano, alto, tenor, bass.
        length: 16ths taken from the beginning of each.
        draw: how a pitch is drawn.
        seed: another one, other harmonies.
    """
    trained = load(model)
    if not isinstance(trained.family, Coconet):
        raise UsageError(
            f"{model} holds a {type(trained.family).__name__}: give a Coconet."
        )
    chorales = corpus_pieces(f"file:{data}", "test", trained.codec)
    if unknown := set(keep) - set(VOICES):
        raise UsageError(
            f"there is no voice {min(unknown)}: keep some of {', '.join(VOICES)}."
        )
    if outside := [piece for piece in pieces if piece not in range(len(chorales))]:
        raise UsageError(
            f"there is no piece {outside[0]}: choose from 0 to {len(chorales) - 1}."
        )
    free = np.array([voice not in keep for voice in VOICES])
    write = jax.jit(trained.family.sample, static_argnames=("n", "draw"))
    written, real = [], []
    for number in pieces:
        chorale = chorales[number][:length]
        rows = write(
            trained.params,
            jax.random.fold_in(jax.random.key(seed), number),
            n=1,
            draw=draw,
            primer=chorale,
            free=np.broadcast_to(free, chorale.shape),
        )
        written.append(trained.codec.decode(np.asarray(rows[0])))
        real.append(trained.codec.decode(chorale))
    title = f"Harmonised: the {' and '.join(keep)} is given"
    return write_gallery(written, workdir, title=title, real=real)


if __name__ == "__main__":
    launch(harmonise)
