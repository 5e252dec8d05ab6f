"""Pieces made audible and visible: MIDI, WAV, pictures, and the page that plays them."""

import pathlib
from collections.abc import Sequence

from zoo.data.proto import NoteSequence
from zoo.listen.draw import piano_roll, score
from zoo.listen.page import Track, page
from zoo.listen.synth import write_midi, write_wav
from zoo.soundfont.score import render


def gallery(
    pieces: Sequence[NoteSequence],
    folder: pathlib.Path,
    *,
    title: str,
    intro: str = "",
    real: Sequence[NoteSequence] = (),
) -> pathlib.Path:
    """Writes 01.mid, 01.wav, 01.png (piano roll) and 01-score.png for each piece, and index.html.

    `real` are excerpts to compare with, on the page alone. Returns the path of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces, 1):
        stem = folder / f"{number:02d}"
        write_midi(piece, stem.with_suffix(".mid"))
        write_wav(stem.with_suffix(".wav"), render(piece))
        piano_roll(piece, stem.with_suffix(".png"), title=f"{title}, {number}")
        score(piece, folder / f"{number:02d}-score.png")
    tracks = [
        Track(f"Sample {number}", piece) for number, piece in enumerate(pieces, 1)
    ]
    excerpts = [
        Track(f"Real music {number}", piece) for number, piece in enumerate(real, 1)
    ]
    path = folder / "index.html"
    page(tracks, path, title=title, intro=intro, real=excerpts)
    return path
