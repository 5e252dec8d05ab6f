"""`zoo interpolate`, `mix`, `vary`, `transfer`, `classify`: uses of a latent space."""

import contextlib
import dataclasses
import math
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np
from tyro.conf import Positional, arg

from zoo.cli.models import Chosen
from zoo.cli.output import Flat, Output
from zoo.errors import UsageError, as_cell, require
from zoo.ranges import (
    Change,
    Count,
    Pieces,
    Seed,
    Several,
    Share,
    Temperature,
    Weight,
    checked,
)

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence
    from zoo.inference.latent_space import LatentSpace, Styles


@dataclasses.dataclass(frozen=True)
@checked
class Decoding:
    """The options with which points of a latent space are decoded.

    Attributes:
      seed: seed of the sampling; the same seed writes the same music.
      temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event.
      best_of: phrases to draw at each point; the likeliest is kept.
    """

    seed: Seed = 0
    temperature: Temperature = 0.5
    best_of: Count = 1

    def decode(
        self, space: "LatentSpace", points: np.ndarray, styles: "Styles"
    ) -> "list[NoteSequence]":
        """Returns a phrase for each of the points [n, z]."""
        from zoo.nn.sequence.sampling import Draw

        draw = Draw(self.temperature)
        return space.decode(points, self.seed, draw, styles, best_of=self.best_of)


FlatDecoding = Annotated[Decoding, arg(name="")]  # options without "decoding."


def interpolate(
    run: Chosen,
    one: Positional[pathlib.Path],
    other: Positional[pathlib.Path],
    /,
    steps: Several = 7,
    decoding: FlatDecoding = Decoding(),
    adapt: bool = False,
    metre: str = "",
    out: pathlib.Path = pathlib.Path("interpolated"),
    output: Flat = Output(),
) -> None:
    """Interpolate between the first phrases of two pieces in a model's latent space.

    Args:
        run: the model.
        one: a MIDI, ABC or MusicXML file.
        other: another.
        steps: number of phrases, both ends included.
        decoding: how phrases are drawn.
        adapt: pad a piece that is too short with rests, and transpose one out of range.
        metre: the metre of the pieces, such as 3/4, in place of what is stated.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    from zoo.listen.latent import plot_strip

    space, pieces, styles = read(run, (one, other), adapt, metre)
    path = space.interpolate(pieces[0], pieces[1], steps, adapt)
    if styles is not None:
        share = np.linspace(0, 1, steps)[:, None]
        styles = (1 - share) * styles[:1] + share * styles[1:]
    music = decoding.decode(space, path, styles)
    write(music, out, output, title=f"from {one.stem} to {other.stem}")
    plot_strip(music, out / "strip.png")
    print(f"all of them side by side: {out / 'strip.png'}")


def mix(
    run: Chosen,
    pieces: Positional[tuple[pathlib.Path, ...]] = (),
    /,
    weights: tuple[Weight, ...] = (),
    styles: dict[str, Weight] | None = None,
    n: Pieces = 4,
    decoding: FlatDecoding = Decoding(),
    adapt: bool = False,
    metre: str = "",
    out: pathlib.Path = pathlib.Path("mixed"),
    output: Flat = Output(),
) -> None:
    """Mix the first phrases of several pieces, or several styles.

    Args:
        run: the model.
        pieces: MIDI, ABC or MusicXML files; none to sample the prior.
        weights: the weight of each piece; equal by default.
        styles: the share of each style, such as irish 0.7 chinese 0.3; by default those
            of the pieces.
        n: number of phrases to write.
        decoding: how phrases are drawn.
        adapt: pad a piece that is too short with rests, and transpose one out of range.
        metre: the metre of the pieces, such as 3/4, in place of what is stated.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    space, sequences, shares = read(run, pieces, adapt, metre)
    warn_unless_one("weights", weights)
    warn_unless_one("styles", tuple((styles or {}).values()))
    if sequences:
        parts = weights or (1.0,) * len(pieces)
        point = space.mix(space.encode(sequences, adapt), parts)
        points = point[None].repeat(n, axis=0)
        if shares is not None:
            shares = (np.array(parts) @ shares / sum(parts))[None].repeat(n, axis=0)
    else:
        points = space.drawn(n, decoding.seed)
    names = [*(path.stem for path in pieces), *(styles or {})]
    music = decoding.decode(space, points, styles or shares)
    write(music, out, output, title="a mix of " + ", ".join(names))


def vary(
    run: Chosen,
    piece: Positional[pathlib.Path],
    /,
    n: Pieces = 8,
    amount: Share = 0.3,
    styles: dict[str, Weight] | None = None,
    attributes: dict[str, Change] | None = None,
    decoding: FlatDecoding = Decoding(),
    adapt: bool = False,
    metre: str = "",
    out: pathlib.Path = pathlib.Path("varied"),
    output: Flat = Output(),
) -> None:
    """Write variations of the first phrase of a piece.

    Args:
        run: the model.
        piece: a MIDI, ABC or MusicXML file.
        n: number of variations.
        amount: distance from the piece, from 0 (the same) to 1 (any phrase).
        styles: the share of each style, such as chinese 1; by default the piece's own.
        attributes: changes of musical attributes, in standard deviations of the
            training music, such as note_density 1 mean_pitch -0.5.
        decoding: how phrases are drawn.
        adapt: pad a piece that is too short with rests, and transpose one out of range.
        metre: the metre of the piece, such as 3/4, in place of what is stated.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    from zoo.inference.attribute_steering import Steering

    space, sequences, shares = read(run, (piece,), adapt, metre)
    points = space.vary(space.encode(sequences, adapt)[0], n, amount, decoding.seed)
    own = None if shares is None else shares.repeat(n, axis=0)
    title = f"{piece.stem}, varied by {amount:g}"
    if attributes:
        steering = Steering.load(space)
        points = steering(points, attributes, decoding.seed, styles or own)
        title += "".join(f", {name} {x:+g}" for name, x in attributes.items())
    music = decoding.decode(space, points, styles or own)
    write(music, out, output, title=title)


def transfer(
    run: Chosen,
    piece: Positional[pathlib.Path],
    /,
    style: str,
    guide: str | None = None,
    keep: Weight = 4.0,
    seed: Seed = 0,
    metre: str = "",
    out: pathlib.Path = pathlib.Path("transferred"),
    output: Flat = Output(),
) -> None:
    """Write a piece in another style, phrase by phrase, with its scale and contour.

    Args:
        run: the model.
        piece: a MIDI, ABC or MusicXML file.
        style: the style to write it in.
        guide: a directory that training of a LatentClassifier has written; it judges
            the style besides the model.
        keep: weight of the contour: less is further in the style, and from the piece.
        seed: seed of the search.
        metre: the metre of the piece, such as 3/4, in place of what is stated.
        out: the directory to write: the piece as it was read, and in the style.
        output: sound and files of the pieces.
    """
    from zoo.cli.scores import open_score, print_remarks
    from zoo.data.corpora.build import progress_bar
    from zoo.inference.latent_space import LatentSpace
    from zoo.inference.style_classifier import StyleClassifier
    from zoo.inference.style_transfer import StyleTransfer
    from zoo.metrics.attributes import scale_pitch_classes

    space = LatentSpace.of(run.load())
    classifier = None if guide is None else StyleClassifier(run.load(guide))
    move = StyleTransfer(space, classifier, keep)
    sequence = open_score(piece, metre)
    with named(piece):
        source, remarks = space.phrases_of(sequence)
    print_remarks(piece, remarks)
    codec = space.melody_codec
    with progress_bar(f"searching for {style} phrases") as progress:
        scale = scale_pitch_classes(source, codec)
        rows = move(source, style, seed, scale=scale, progress=progress)
    music = [codec.decode(phrases.reshape(-1)) for phrases in (source, rows)]
    page = output.write(music, out, title=f"{piece.stem}, and in the style {style}")
    print(
        f"{len(rows)} phrases of {codec.bars} bars, as read and in the style {style}; "
        f"open {page}"
    )


def classify(
    run: Chosen,
    files: Positional[tuple[pathlib.Path, ...]],
    /,
    metre: str = "",
) -> None:
    """Print the probability of each style, mode or metre for pieces.

    Args:
        run: the model.
        files: MIDI, ABC or MusicXML files.
        metre: the metre of the pieces, such as 3/4, in place of what is stated.
    """
    from rich.console import Console
    from rich.table import Table

    from zoo.cli.scores import open_score, print_remarks
    from zoo.inference.style_classifier import StyleClassifier

    require(bool(files), "there is nothing to classify: name files after the model.")
    classifier = StyleClassifier(run.load())
    table = Table("piece")
    for style in classifier.styles:
        table.add_column(as_cell(style))
    for path in files:
        piece = open_score(path, metre)
        with named(path):
            rows, remarks = classifier.phrases_of(piece)
        print_remarks(path, remarks)
        shares = classifier.mean(rows)
        table.add_row(
            as_cell(path.name), *(f"{share:.3f}" for share in shares.values())
        )
    Console().print(table)


def warn_unless_one(name: str, shares: tuple[float, ...]) -> None:
    """Prints that shares are divided by their sum, if it is not 1."""
    if shares and not math.isclose(sum(shares), 1):
        print(f"the {name} add up to {sum(shares):g}, and are divided by that")


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
    """Puts the name of a file before the message of a UsageError."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path.name}: {error}") from error


def read(
    run: Chosen, paths: tuple[pathlib.Path, ...], adapt: bool, metre: str = ""
) -> "tuple[LatentSpace, list[NoteSequence], np.ndarray | None]":
    """Returns the latent space of a run, the pieces of files, and their styles [n, y].

    Prints what is done to make the pieces fit.
    """
    from zoo.cli.scores import open_score, print_remarks
    from zoo.inference.latent_space import LatentSpace

    space, pieces = (
        LatentSpace.of(run.load()),
        [open_score(path, metre) for path in paths],
    )
    fits = []
    for path, piece in zip(paths, pieces, strict=True):
        with named(path):
            fits.append(space.fit(piece, adapt))
        print_remarks(path, fits[-1].remarks)
    if not fits:
        return space, pieces, None
    return space, pieces, space.likeliest_style(np.stack([fit.array for fit in fits]))


def write(
    pieces: "list[NoteSequence]", out: pathlib.Path, output: Output, *, title: str
) -> None:
    """Writes pieces and their page, and says where it is."""
    page = output.write(pieces, out, title=title)
    print(f"{len(pieces)} pieces in {out}; open {page}")
