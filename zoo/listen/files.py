"""The files of a piece: MIDI, audio, scores and plots."""

import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from zoo.data.bars import MODEL, model_begins
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.listen.loudness import equalise
from zoo.listen.page import AUDIO_RATE, Track
from zoo.listen.piano_roll import plot_piano_roll
from zoo.listen.score.abc_notation import abc
from zoo.listen.score.engraver import Engraving
from zoo.listen.score.musicxml import musicxml
from zoo.listen.score.notation import notate
from zoo.listen.score.shape import Score
from zoo.listen.synth import compress, write_midi, write_wav
from zoo.soundfont.score import render

FORMATS = ("mid", "wav", "mp3", "ogg", "musicxml", "abc", "svg", "png")
DEFAULT_FORMATS = ("mid", "wav", "png")
CLIP_QUALITY = 0.4  # about half a megabyte a minute
AUDIO_FORMATS = ("wav", "mp3", "ogg")
WRITERS: dict[str, Callable[[Score], str]] = {"musicxml": musicxml, "abc": abc}


def rendered(piece: NoteSequence) -> np.ndarray:
    """Renders a piece at `AUDIO_RATE`, as loud as all others: float32 [samples, 2]."""
    return equalise(render(piece, AUDIO_RATE), AUDIO_RATE)


def clip(piece: NoteSequence) -> bytes:
    """Renders a piece as MP3, or Ogg Vorbis, for a notebook."""
    return compress(rendered(piece), AUDIO_RATE, CLIP_QUALITY)[1]


def write_files(
    track: Track,
    stem: pathlib.Path,
    formats: Sequence[str],
    *,
    score: Engraving | Refused,
    title: str,
) -> list[str]:
    """Writes a piece in several formats.

    The names are those of `stem`, with the format as suffix. "svg" is the score,
    01-score.svg; "png" the same as 01-score.png, and a piano roll, 01.png.

    Args:
      track: the piece, with its audio if there are formats of audio.
      stem: the path of the files, without suffix.
      formats: some of `FORMATS`.
      score: its engraved score, or the reason why there is none.
      title: the title of the piano roll.

    Returns:
      The reason for each file that was left out.
    """
    piece = track.sequence
    if "mid" in formats:
        write_midi(piece, stem.with_suffix(".mid"))
    if track.audio is not None:
        _write_audio(track.audio, stem, formats, begins=model_begins(piece))
    if "png" in formats:
        plot_piano_roll(piece, stem.with_suffix(".png"), title=title)
    left_out = []
    for name in WRITERS.keys() & {*formats}:
        try:
            text = WRITERS[name](notate(piece))
            stem.with_suffix(f".{name}").write_text(text, "utf-8")
        except Refused as refused:
            left_out.append(refused.detail)
    if isinstance(score, Refused):
        return [*left_out, score.detail]
    picture = stem.with_name(f"{stem.name}-score")
    if "svg" in formats:
        picture.with_suffix(".svg").write_text(score.svg, "utf-8")
    if "png" in formats:
        picture.with_suffix(".png").write_bytes(score.png)
    return left_out


def _write_audio(
    audio: np.ndarray,
    stem: pathlib.Path,
    formats: Sequence[str],
    *,
    begins: float | None,
) -> None:
    cues = {} if begins is None else {MODEL: begins}
    for kind in formats:
        path = stem.with_suffix(f".{kind}")
        if kind == "wav":
            write_wav(path, audio, AUDIO_RATE, cues=cues)
        elif kind in AUDIO_FORMATS:
            path.write_bytes(compress(audio, AUDIO_RATE, kind=kind)[1])
