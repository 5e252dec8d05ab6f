"""`zoo ship`: a run as one file of weights, with its card."""

import pathlib
from typing import Literal

from tyro.conf import Positional

from zoo.files import shipping_folders

WEIGHTS, CARDS = shipping_folders()


def ship(
    run: Positional[pathlib.Path],
    /,
    name: str = "",
    precision: Literal["float32", "float16", "bfloat16", "int8"] | None = None,
    out: pathlib.Path = WEIGHTS,
    cards: pathlib.Path = CARDS,
) -> None:
    """Write the weights of a run as one file that describes itself, and its card.

    Args:
        run: a directory that training has written to its end.
        name: the name to ship it by; by default that of its experiment. It ends in _nc
            if the music that it was trained on is for non-commercial use only.
        precision: the numbers to store parameters as; by default float16, or float32
            if that moves a figure of the first rows of the test split by a thousandth.
        out: the folder of the weights; in a clone, that of the package.
        cards: the folder of the card; in a clone, that of the documentation.
    """
    from zoo.runner.ship import ship

    path = ship(run, name=name, precision=precision, out=out, cards=cards)
    size = path.stat().st_size / 1e6
    print(f"{size:.1f} MB in {path}; the card is {cards / path.stem}.md")
