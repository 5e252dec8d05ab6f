"""The listening page: one HTML file with players, piano rolls, scores and MIDI files.

The file contains its style, script, audio and MIDI, and loads nothing. Its content
security policy allows its own style and script, by hash, and nothing else, so that the
title of a piece can never be executed.
"""

import base64
import dataclasses
import functools
import hashlib
import html
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import numpy as np
import soxr

from zoo.data.bars import MODEL, model_begins
from zoo.data.proto import NoteSequence, seconds
from zoo.listen.loudness import equalise
from zoo.listen.score.engraver import Engraving
from zoo.listen.score.inline import inline
from zoo.listen.synth import compress, midi_bytes
from zoo.listen.timeline import bars, clock, voices
from zoo.soundfont.score import render

MAX_BYTES = 6_000_000  # of the file, if the lowest audio quality allows it
AUDIO_RATE = 44100  # hertz, of audio that is rendered already
RATE = 32000  # hertz; covers the bandwidth of the default SoundFont
# (quality, channels, rate) of the audio, in order of preference
AUDIO = (0.4, 2, RATE), (0.0, 2, RATE), (0.0, 1, 16000), (0.0, 1, 8000)
SHORTEST_CLIP = 5.0  # seconds of a piece that are played at least
COLOURS = 6  # of voices; page.css defines them
NOTE_GAP = 0.07  # fraction of a note that is left blank before the next one
MIN_NOTE_SECONDS = 0.02
MIN_NOTE_HEIGHT = 3.5  # percent of the box


@dataclasses.dataclass(frozen=True)
class Track:
    """A piece on the page.

    Attributes:
      name: its heading.
      sequence: its notes.
      caption: a line of text below the heading.
      score: its score, if it is to be shown.
      audio: its audio at `AUDIO_RATE`, if it is rendered already.
    """

    name: str
    sequence: NoteSequence
    caption: str = ""
    _: dataclasses.KW_ONLY
    score: Engraving | None = None
    audio: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Section:
    """Pieces under one heading.

    Attributes:
      heading: the heading.
      tracks: the pieces.
      real: whether they are real music.
    """

    heading: str
    tracks: Sequence[Track]
    real: bool = False


def write_page(
    sections: Sequence[Section],
    path: str | os.PathLike[str],
    *,
    title: str,
    intro: str,
    blind: bool = False,
) -> None:
    """Writes a listening page with a column for each section.

    All pieces are equally loud. If the file would exceed `MAX_BYTES`, the audio quality
    is reduced and, if that is not enough, only the beginnings of pieces are played.

    Args:
      sections: what each column holds.
      path: the HTML file to write.
      title: the title of the page.
      intro: text below the title.
      blind: whether the page can shuffle real and written pieces without their names,
        and count the listener's guesses.

    Raises:
      ZooError: a track has no notes, or is too long to render.
    """
    tracks = [track for section in sections for track in section.tracks]
    with ThreadPoolExecutor() as pool:
        audio = list(pool.map(_render, tracks))
        longest = max(map(len, audio), default=0) / RATE
        for options, limit in _choices(longest):
            played = [x[: round(limit * RATE)] for x in audio]
            clips = pool.map(functools.partial(_encode, options=options), played)
            shown = [
                _cut(track, limit) if len(part) < len(whole) else track
                for track, part, whole in zip(tracks, played, audio, strict=True)
            ]
            articles = [
                _track(i, *track)
                for i, track in enumerate(zip(shown, clips, strict=True), 1)
            ]
            text = _document(title, intro, _columns(sections, articles), blind=blind)
            if len(text) <= MAX_BYTES:
                break
    pathlib.Path(path).write_bytes(text)


def _choices(longest: float) -> Iterator[tuple[tuple[float, int, int], float]]:
    """Yields options of audio, and the seconds of a piece that are played.

    Whole pieces come first; then their beginnings, each half as long as the last.

    Args:
      longest: length of the longest piece in seconds.
    """
    for options in AUDIO:
        yield options, longest
    while longest > SHORTEST_CLIP:
        longest /= 2
        yield AUDIO[-1], longest


def _cut(track: Track, limit: float) -> Track:
    """Returns a track with a caption that says how much of it is played."""
    words = f"To keep the page small, only the first {limit:.0f} seconds are played."
    caption = " ".join(filter(None, (track.caption, words)))
    return dataclasses.replace(track, caption=caption)


def _render(track: Track) -> np.ndarray:
    if track.audio is not None:
        return soxr.resample(track.audio, AUDIO_RATE, RATE)
    return equalise(render(track.sequence, RATE), RATE)


def _encode(audio: np.ndarray, options: tuple[float, int, int]) -> tuple[str, bytes]:
    """Returns the MIME type and the bytes of audio at one of the options `AUDIO`."""
    quality, channels, rate = options
    if channels == 1:
        audio = audio.mean(1, keepdims=True)
    return compress(soxr.resample(audio, RATE, rate), rate, quality)


def _columns(sections: Sequence[Section], articles: Sequence[str]) -> list[str]:
    """Returns the HTML of sections, whose tracks are `articles` in their order."""
    columns, rest = [], iter(articles)
    for number, section in enumerate(sections, 1):
        values = {
            "kind": "real" if section.real else "samples",
            "id": f"section-{number}",
            "heading": html.escape(section.heading),
            "tracks": "".join(next(rest) for _ in section.tracks),
        }
        columns.append(_fill("section.html", values))
    return columns


def _document(title: str, intro: str, columns: Sequence[str], *, blind: bool) -> bytes:
    """Returns the page of sections in HTML."""
    script = asset("page.js") + (asset("blind.js") if blind else "")
    style = asset("page.css")
    values = {
        "title": html.escape(title),
        "intro": html.escape(intro),
        "blind": asset("blind.html") if blind else "",
        "layout": {1: "single", 2: "pair"}.get(len(columns), "many"),
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "sections": "".join(columns),
    }
    return _fill("page.html", values).encode()


def _track(number: int, track: Track, clip: tuple[str, bytes]) -> str:
    """Returns the HTML of a track whose audio is `clip` (MIME type, bytes)."""
    end = max(note.end_time for note in track.sequence.notes)
    name = re.sub(r"[^\w\- ]+", "", track.name).strip() or f"track-{number}"
    labels, notes = _roll(track.sequence, end)
    values = {
        "id": f"track-{number}",
        "name": html.escape(track.name),
        "caption": html.escape(track.caption),
        "file": html.escape(f"{name}.mid"),
        "seconds": f"{end:.3f}",
        "length": clock(end),
        "audio": data_url(*clip),
        "midi": data_url("audio/midi", midi_bytes(track.sequence)),
        "labels": labels,
        "notes": notes,
        "score": "" if track.score is None else _score(track.score, track.name, number),
    }
    return _fill("track.html", values)


def _score(score: Engraving, name: str, number: int) -> str:
    """Returns the HTML of a score, with the times of its chords in milliseconds."""
    times = (f"{1000 * t.start:.0f},{1000 * t.end:.0f}" for t in score.times)
    values = {
        "name": html.escape(name),
        "prefix": f"track-{number}-",
        "times": " ".join(times),
        "svg": inline(score, f"track-{number}-"),
    }
    return _fill("score.html", values)


def _roll(sequence: NoteSequence, end: float) -> tuple[str, str]:
    """Returns the SVG of octave labels and of notes, in percent of their box.

    Args:
      sequence: the music.
      end: its length in seconds.
    """
    pitches = [note.pitch for note in sequence.notes]
    top, rows = max(pitches) + 2, max(pitches) - min(pitches) + 4
    octaves = [
        100 * (top - c + 1) / rows for c in range(min(pitches), top) if c % 12 == 0
    ]
    names = (f"C{c // 12 - 1}" for c in range(min(pitches), top) if c % 12 == 0)
    labels = [
        f'<text x="100%" y="{y:.2f}%" dx="-5" dy="-2">{name}</text>'
        for y, name in zip(octaves, names, strict=True)
    ]
    lines = 100 * seconds(sequence)(bars(sequence)[1:-1]) / end
    notes = [f'<line x1="{x:.2f}%" x2="{x:.2f}%" y2="100%"/>' for x in lines]
    notes += [
        f'<line class="octave" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>' for y in octaves
    ]
    height = max(100 / rows, MIN_NOTE_HEIGHT)
    for number, voice in enumerate(voices(sequence)):
        for note in voice:
            length = max(note.end_time - note.start_time, MIN_NOTE_SECONDS)
            width = 100 * (1 - NOTE_GAP) * length / end
            y = 100 * (top - note.pitch + 0.5) / rows - height / 2
            opacity = 0.4 + 0.6 * min(note.velocity / 100, 1)
            notes.append(
                f'<rect class="v{number % COLOURS}" '
                f'x="{100 * note.start_time / end:.2f}%" y="{y:.2f}%" '
                f'width="{width:.2f}%" height="{height:.2f}%" rx="1.5" '
                f'fill-opacity="{opacity:.2f}"/>'
            )
    begins = model_begins(sequence)
    if begins is not None:
        x = 100 * begins / end
        notes.append(f'<line class="model" x1="{x:.2f}%" x2="{x:.2f}%" y2="100%"/>')
        notes.append(f'<text class="model" x="{x:.2f}%" y="10" dx="4">{MODEL}</text>')
    return "".join(labels), "".join(notes)


def _fill(template: str, values: dict[str, str]) -> str:
    """Replaces every {{name}} of a template, in one pass: values are not expanded."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], asset(template))


def asset(name: str) -> str:
    """Returns the text of a file in zoo/listen/assets."""
    return resources.files("zoo.listen").joinpath("assets", name).read_text("utf-8")


def _hash(text: str) -> str:
    """Returns the hash of a text as a content security policy states it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def data_url(mime: str, content: bytes) -> str:
    """Returns a data: URL."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
