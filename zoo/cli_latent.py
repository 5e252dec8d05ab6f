"""`zoo interpolate`, `mix` and `vary`: ways about the latent space of a model."""

import pathlib
from typing import TYPE_CHECKING

from tyro.conf import Positional

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.proto import NoteSequence
    from zoo.latent import Space


def interpolate(
    run: Positional[str],
    one: Positional[pathlib.Path],
    other: Positional[pathlib.Path],
    /,
    steps: int = 7,
    seed: int = 0,
    temperature: float = 0.5,
    adapt: bool = False,
    out: pathlib.Path = pathlib.Path("interpolated"),
) -> None:
    """Go from the first phrase of one piece to that of another, through a model's latent space.

    Args:
        run: a directory that training of a MusicVAE has written.
        one: a MIDI, ABC or MusicXML file.
        other: another.
        steps: how many phrases, both ends included.
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    space, pieces = latent(run, (one, other), adapt)
    path = space.interpolate(pieces[0], pieces[1], steps, adapt)
    written(space, path, seed, temperature, out, f"from {one.stem} to {other.stem}")


def mix(
    run: Positional[str],
    pieces: Positional[tuple[pathlib.Path, ...]],
    /,
    weights: tuple[float, ...] = (),
    n: int = 4,
    seed: int = 0,
    temperature: float = 0.5,
    adapt: bool = False,
    out: pathlib.Path = pathlib.Path("mixed"),
) -> None:
    """Write phrases between the first phrases of several pieces.

    Args:
        run: a directory that training of a MusicVAE has written.
        pieces: MIDI, ABC or MusicXML files.
        weights: how much of each; equal by default.
        n: how many phrases to draw there.
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    space, read = latent(run, pieces, adapt)
    shares = weights or (1.0,) * len(pieces)
    point = space.mix(space.encode(read, adapt), shares)
    if weights and sum(weights) != 1:
        print(f"the weights add up to {sum(weights):g}, and are divided by that")
    title = "mixed of " + ", ".join(path.stem for path in pieces)
    written(space, point[None].repeat(n, axis=0), seed, temperature, out, title)


def vary(
    run: Positional[str],
    piece: Positional[pathlib.Path],
    /,
    n: int = 8,
    amount: float = 0.3,
    seed: int = 0,
    temperature: float = 0.5,
    adapt: bool = False,
    out: pathlib.Path = pathlib.Path("varied"),
) -> None:
    """Write variations of the first phrase of a piece.

    Args:
        run: a directory that training of a MusicVAE has written.
        piece: a MIDI, ABC or MusicXML file.
        n: how many.
        amount: how far from the piece, from 0 (the same) to 1 (anywhere).
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    space, read = latent(run, (piece,), adapt)
    points = space.vary(space.encode(read, adapt)[0], n, amount, seed)
    written(space, points, seed, temperature, out, f"{piece.stem}, varied by {amount:g}")


def latent(
    run: str, paths: tuple[pathlib.Path, ...], adapt: bool
) -> "tuple[Space, list[NoteSequence]]":
    """The latent space of a run, and the pieces of files; says what is done to make them fit."""
    from zoo.data.read import asked
    from zoo.latent import Space
    from zoo.trained import load

    space, pieces = Space(load(run)), [asked(path) for path in paths]
    for path, piece in zip(paths, pieces, strict=True):
        for remark in space.fit(piece, adapt).notes:
            print(f"{path.name}: {remark}")
    return space, pieces


def written(
    space: "Space",
    points: "np.ndarray",
    seed: int,
    temperature: float,
    out: pathlib.Path,
    title: str,
) -> None:
    """A gallery of the music at `points`."""
    from zoo.listen.gallery import gallery
    from zoo.nn.decode import Draw

    pieces = space.decode(points, seed, Draw(temperature))
    page = gallery(pieces, out, title=title)
    print(f"{len(pieces)} pieces in {out}; open {page}")
