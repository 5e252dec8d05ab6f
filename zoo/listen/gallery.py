"""A folder of pieces as MIDI, WAV and plots, with a listening page."""

import pathlib
from collections.abc import Sequence

from zoo.data.bars import MODEL, model_begins
from zoo.data.proto import NoteSequence
from zoo.listen.engrave import engrave_score
from zoo.listen.page import Track, write_page
from zoo.listen.piano_roll import plot_piano_roll
from zoo.listen.synth import write_midi, write_wav
from zoo.listen.timeline import bar_number, clock
from zoo.soundfont.score import render


def write_gallery(
    pieces: Sequence[NoteSequence],
    folder: pathlib.Path,
    *,
    title: str,
    intro: str = "",
    real: Sequence[NoteSequence] = (),
) -> pathlib.Path:
    """Writes the files of every piece, and index.html.

    The files are 01.mid, 01.wav, 01.png (piano roll) and 01-score.png, and so on. Where
    a model begins, all of them have a mark.

    Args:
      pieces: the pieces.
      folder: the folder to write to.
      title: the title of the page.
      intro: text below the title.
      real: excerpts of real music, for the page only.

    Returns:
      The path of index.html.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces, 1):
        stem = folder / f"{number:02d}"
        write_midi(piece, stem.with_suffix(".mid"))
        begins = model_begins(piece)
        cues = {} if begins is None else {MODEL: begins}
        write_wav(stem.with_suffix(".wav"), render(piece), cues=cues)
        plot_piano_roll(piece, stem.with_suffix(".png"), title=f"{title}, {number}")
        engrave_score(piece, folder / f"{number:02d}-score.png")
    samples = [
        Track(f"Sample {i}", piece, caption(piece)) for i, piece in enumerate(pieces, 1)
    ]
    excerpts = [Track(f"Real music {i}", piece) for i, piece in enumerate(real, 1)]
    path = folder / "index.html"
    write_page(samples, path, title=title, intro=intro, real=excerpts)
    return path


def caption(piece: NoteSequence) -> str:
    """Returns a line that says where the model begins, if the piece has the mark."""
    begins = model_begins(piece)
    if begins is None:
        return ""
    return f"The model begins at {clock(begins)}, in bar {bar_number(piece, begins)}."
