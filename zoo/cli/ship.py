"""`zoo ship`: a run as one file of weights, with its card."""

import pathlib
from typing import Literal

from tyro.conf import Positional

from zoo.errors import require
from zoo.files import shipping_folders

WEIGHTS, CARDS = shipping_folders()


def ship(
    run: Positional[str],
    /,
    name: str = "",
    precision: Literal["float32", "float16", "bfloat16", "int8"] | None = None,
    out: pathlib.Path = WEIGHTS,
    cards: pathlib.Path = CARDS,
) -> None:
    """Write the weights of a run as one file that describes itself, and its card.

    Args:
        run: a directory that training has written to its end. Or the name or the file
            of shipped weights: then its card is written anew, with its pictures.
        name: the name to ship it by; by default that of its experiment. It ends in _nc
            if the music that it was trained on is for non-commercial use only.
        precision: the numbers to store parameters as; by default the first of int8,
            float16 and float32 that moves no figure of rows of the test split
            by a thousandth.
        out: the folder of the weights; in a clone, that of the package.
        cards: the folder of the card; in a clone, that of the documentation.
    """
    from zoo.inference.shipped import resolve
    from zoo.runner.ship import renew, ship
    from zoo.train.weights import SUFFIX

    path = resolve(run)
    if path.suffix == SUFFIX:
        require(
            not name and precision is None,
            f"{run} ships already: leave `name` and `precision` out.",
        )
        renew(path, cards)
    else:
        path = ship(path, name=name, precision=precision, out=out, cards=cards)
    size = path.stat().st_size / 1e6
    print(f"{size:.1f} MB in {path}; the card is {cards / path.stem}.md")
