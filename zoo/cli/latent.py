"""`zoo interpolate`, `mix`, `vary`, `transfer`, `classify`: ways about a latent space."""

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from tyro.conf import Positional

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence
    from zoo.inference.attribute_steering import Steering
    from zoo.inference.latent_space import LatentSpace, Styles


def interpolate(
    run: Positional[str],
    one: Positional[pathlib.Path],
    other: Positional[pathlib.Path],
    /,
    steps: int = 7,
    seed: int = 0,
    temperature: float = 0.5,
    best_of: int = 1,
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
        best_of: draw so many at each point, and keep the one that the model holds likeliest.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    from zoo.listen.latent import strip

    space, pieces, styles = latent(run, (one, other), adapt)
    path = space.interpolate(pieces[0], pieces[1], steps, adapt)
    if styles is not None:
        share = np.linspace(0, 1, steps)[:, None]
        styles = (1 - share) * styles[:1] + share * styles[1:]
    music = written(
        space,
        path,
        styles,
        seed,
        temperature,
        best_of,
        out,
        f"from {one.stem} to {other.stem}",
    )
    strip(music, out / "strip.png")
    print(f"all of them side by side: {out / 'strip.png'}")


def mix(
    run: Positional[str],
    pieces: Positional[tuple[pathlib.Path, ...]] = (),
    /,
    weights: tuple[float, ...] = (),
    styles: dict[str, float] | None = None,
    n: int = 4,
    seed: int = 0,
    temperature: float = 0.5,
    best_of: int = 1,
    adapt: bool = False,
    out: pathlib.Path = pathlib.Path("mixed"),
) -> None:
    """Write phrases between the first phrases of several pieces, or between styles.

    Args:
        run: a directory that training of a MusicVAE has written.
        pieces: MIDI, ABC or MusicXML files; none for phrases of the model's own.
        weights: how much of each; equal by default.
        styles: how much of which, such as irish 0.7 chinese 0.3; by default those of the pieces.
        n: how many phrases to draw there.
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        best_of: draw so many at each point, and keep the one that the model holds likeliest.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    space, read, found = latent(run, pieces, adapt)
    for name, given in (("weights", weights), ("styles", [*(styles or {}).values()])):
        if given and not math.isclose(sum(given), 1):
            print(f"the {name} add up to {sum(given):g}, and are divided by that")
    if read:
        shares = weights or (1.0,) * len(pieces)
        points = space.mix(space.encode(read, adapt), shares)[None].repeat(n, axis=0)
        if found is not None:
            found = (np.array(shares) @ found / sum(shares))[None].repeat(n, axis=0)
    else:
        points = (
            np.random.default_rng(seed).normal(size=(n, space.size)).astype(np.float32)
        )
    names = [*(path.stem for path in pieces), *(styles or {})]
    title = "mixed of " + ", ".join(names)
    written(space, points, styles or found, seed, temperature, best_of, out, title)


def vary(
    run: Positional[str],
    piece: Positional[pathlib.Path],
    /,
    n: int = 8,
    amount: float = 0.3,
    styles: dict[str, float] | None = None,
    attributes: dict[str, float] | None = None,
    seed: int = 0,
    temperature: float = 0.5,
    best_of: int = 1,
    adapt: bool = False,
    out: pathlib.Path = pathlib.Path("varied"),
) -> None:
    """Write variations of the first phrase of a piece.

    Args:
        run: a directory that training of a MusicVAE has written.
        piece: a MIDI, ABC or MusicXML file.
        n: how many.
        amount: how far from the piece, from 0 (the same) to 1 (anywhere).
        styles: how much of which, such as chinese 1; by default the piece's own.
        attributes: what there is to be more of, in standard deviations of the music the model was
            trained on, or less, such as note_density 1 mean_pitch -0.5.
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        best_of: draw so many at each point, and keep the one that the model holds likeliest.
        adapt: fill what is too short with rests, and move what is out of range.
        out: where to put them.
    """
    space, read, found = latent(run, (piece,), adapt)
    points = space.vary(space.encode(read, adapt)[0], n, amount, seed)
    own = found if found is None else found.repeat(n, axis=0)
    title = f"{piece.stem}, varied by {amount:g}"
    if attributes:
        points = steering(space, run)(points, attributes, seed, styles or own)
        title += "".join(
            f", {name} {strength:+g}" for name, strength in attributes.items()
        )
    written(space, points, styles or own, seed, temperature, best_of, out, title)


def transfer(
    run: Positional[str],
    piece: Positional[pathlib.Path],
    /,
    style: str,
    guide: str | None = None,
    keep: float = 4.0,
    seed: int = 0,
    out: pathlib.Path = pathlib.Path("transferred"),
) -> None:
    """Write a piece in another style, phrase by phrase, its scale and its way up and down kept.

    Args:
        run: a directory that training of a MusicVAE of styles has written.
        piece: a MIDI, ABC or MusicXML file.
        style: the style to write it in.
        guide: a directory that training of a LatentClassifier has written, to search by besides.
        keep: how much its contour counts; less is further in the style, and from the piece.
        seed: the same seed writes the same music.
        out: where to put the piece as it was read, and as it is then.
    """
    from zoo.data.corpora.build import progress_bar
    from zoo.data.scores.read import asked
    from zoo.inference.latent_space import LatentSpace
    from zoo.inference.model import load
    from zoo.inference.style_classifier import StyleClassifier
    from zoo.inference.style_transfer import Transfer
    from zoo.listen.gallery import gallery
    from zoo.metrics.attributes import scale

    change = Transfer(
        LatentSpace(load(run)),
        None if guide is None else StyleClassifier(load(guide)),
        keep,
    )
    read = asked(piece)
    with named(piece):
        source = change.space.whole(read)
    with progress_bar(f"searching for {style} phrases") as progress:
        rows = change(
            source, style, seed, scale(source, change.space.melody_codec), progress
        )
    codec = change.space.melody_codec
    music = [codec.decode(phrases.reshape(-1)) for phrases in (source, rows)]
    page = gallery(music, out, title=f"{piece.stem}, and the same in the style {style}")
    print(
        f"{len(rows)} phrases of {codec.bars} bars, as read and in the other style; open {page}"
    )


def classify(
    run: Positional[str], files: Positional[tuple[pathlib.Path, ...]], /
) -> None:
    """Say of what style, mode or metre pieces are likely to be: the mean over their phrases.

    Args:
        run: a directory that training of a LatentClassifier has written.
        files: MIDI, ABC or MusicXML files.
    """
    from rich.console import Console
    from rich.table import Table

    from zoo.data.scores.read import asked
    from zoo.inference.model import load
    from zoo.inference.style_classifier import StyleClassifier

    judge = StyleClassifier(load(run))
    table = Table("piece", *judge.styles)
    for path in files:
        piece = asked(path)
        with named(path):
            shares = judge.piece(piece)
        table.add_row(path.name, *(f"{share:.3f}" for share in shares.values()))
    Console().print(table)


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
    """Says of which file a request is wrong."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path.name}: {error}") from error


def steering(space: "LatentSpace", run: str) -> "Steering":
    from zoo.inference.attribute_steering import Steering
    from zoo.inference.model import resolve

    return Steering.load(space, resolve(run))


def latent(
    run: str, paths: tuple[pathlib.Path, ...], adapt: bool
) -> "tuple[LatentSpace, list[NoteSequence], np.ndarray | None]":
    """The latent space of a run, the pieces of files, and of what style each seems to be, [n, y].

    Says what is done to make them fit.
    """
    from zoo.data.scores.read import asked
    from zoo.inference.latent_space import LatentSpace
    from zoo.inference.model import load

    space, pieces = LatentSpace(load(run)), [asked(path) for path in paths]
    fits = []
    for path, piece in zip(paths, pieces, strict=True):
        with named(path):
            fits.append(space.fit(piece, adapt))
        for remark in fits[-1].notes:
            print(f"{path.name}: {remark}")
    styles = space.guess(np.stack([fit.array for fit in fits])) if fits else None
    return space, pieces, styles


def written(
    space: "LatentSpace",
    points: np.ndarray,
    styles: "Styles",
    seed: int,
    temperature: float,
    best_of: int,
    out: pathlib.Path,
    title: str,
) -> "list[NoteSequence]":
    """A gallery of the music at `points`."""
    from zoo.listen.gallery import gallery
    from zoo.nn.sequence.sampling import Draw

    pieces = space.decode(points, seed, Draw(temperature), styles, best_of)
    page = gallery(pieces, out, title=title)
    print(f"{len(pieces)} pieces in {out}; open {page}")
    return pieces
