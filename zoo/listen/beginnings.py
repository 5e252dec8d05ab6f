"""The beginnings of pieces in one small picture: their scores, or piano rolls."""

import io
import pathlib
from collections.abc import Sequence

from PIL import Image, ImageOps

from zoo.data.bars import excerpt
from zoo.data.proto import NoteSequence, seconds
from zoo.data.refusal import Refused
from zoo.listen.latent import plot_strip, require_pieces
from zoo.listen.score.engraver import engrave
from zoo.listen.timeline import bars

BARS = (8, 4, 2, 1)  # of each piece: the most whose picture is small enough
MAX_BYTES = 60_000  # of the picture, if one bar of each piece allows it
COLOURS = 16
MARGIN = 24  # pixels around a score


def plot_beginnings(pieces: Sequence[NoteSequence], path: pathlib.Path) -> None:
    """Writes the first bars of pieces as a PNG, eight of each at most.

    They are engraved, one piece below the other. If one cannot be, all are piano rolls,
    side by side.

    Raises:
      ZooError: there are no pieces, or one has no notes.
    """
    require_pieces(pieces)
    for count in BARS:
        try:
            picture = engraved(pieces, count)
        except Refused:
            picture = rolls(pieces, count)
        if len(picture) <= MAX_BYTES:
            break
    path.write_bytes(picture)


def engraved(pieces: Sequence[NoteSequence], count: int) -> bytes:
    """Returns the scores of the first `count` bars of pieces as a PNG.

    Raises:
      Refused: one cannot be engraved.
    """
    scores = [engrave(piece, count, title=False).png for piece in pieces]
    images = [Image.open(io.BytesIO(score)).convert("L") for score in scores]
    inked = [image.crop(ImageOps.invert(image).getbbox()) for image in images]
    width = max(image.width for image in inked) + 2 * MARGIN
    height = sum(image.height + MARGIN for image in inked) + MARGIN
    strip, top = Image.new("L", (width, height), "white"), MARGIN
    for image in inked:
        strip.paste(image, (MARGIN, top))
        top += image.height + MARGIN
    return small(strip)


def rolls(pieces: Sequence[NoteSequence], count: int) -> bytes:
    """Returns the piano rolls of the first `count` bars of pieces as a PNG."""
    whole = io.BytesIO()
    plot_strip([beginning(piece, count) for piece in pieces], whole)
    return small(Image.open(whole).convert("RGB"))


def beginning(piece: NoteSequence, count: int) -> NoteSequence:
    """Returns the first `count` bars of a piece."""
    lines = bars(piece)[: count + 1]
    return excerpt(piece, 0.0, float(seconds(piece)(lines[-1:])[0]))


def small(image: Image.Image) -> bytes:
    """Returns an image as PNG of few colours."""
    file = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    return file.getvalue()
