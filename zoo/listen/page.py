"""The listening page: one HTML file that plays, shows and hands out music, and fetches nothing.

The file holds its own style, script, audio and MIDI. Its content security policy names the one
style and the one script by hash and closes every other door, so that no title of a tune, however
strange, becomes code.
"""

import base64
import dataclasses
import functools
import hashlib
import html
import os
import pathlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

from zoo.data.proto import NoteSequence, seconds
from zoo.listen.synth import compress, midi
from zoo.listen.timeline import bars, clock, voices
from zoo.soundfont.score import render

LIMIT = 6_000_000  # bytes the whole file aims to stay under
RATE = 32000  # hertz; all that the default SoundFont has to give, in two thirds of the bytes
QUALITIES = 0.4, 0.0  # of the audio, best first
COLOURS = 6  # voices after the sixth reuse them


@dataclasses.dataclass(frozen=True)
class Track:
    """One piece on the page: its name, its notes, a line of text under the name."""

    name: str
    sequence: NoteSequence
    caption: str = ""


def page(
    samples: Sequence[Track],
    path: str | os.PathLike[str],
    *,
    title: str,
    intro: str,
    real: Sequence[Track] = (),
) -> None:
    """Writes the page: `samples`, and `real` excerpts beside them, each with player, roll and MIDI.

    The audio is as good as keeps the file under `LIMIT`; past some seven minutes of music in all
    it is as small as the encoder makes it.

    Raises:
        ZooError: a track has no notes, or is too long to render.
    """
    tracks = [*samples, *real]
    with ThreadPoolExecutor() as pool:
        sounds = list(pool.map(lambda track: render(track.sequence, RATE), tracks))
        for quality in QUALITIES:
            clips = list(
                pool.map(
                    functools.partial(compress, rate=RATE, quality=quality), sounds
                )
            )
            text = _document(title, intro, tracks, clips, len(samples))
            if len(text) <= LIMIT:
                break
    pathlib.Path(path).write_bytes(text)


def _document(
    title: str,
    intro: str,
    tracks: Sequence[Track],
    clips: list[tuple[str, bytes]],
    ours: int,
) -> bytes:
    style, script = asset("page.css"), asset("page.js")
    pieces = [
        _track(i, *piece) for i, piece in enumerate(zip(tracks, clips, strict=True))
    ]
    parts = {
        "title": html.escape(title),
        "intro": html.escape(intro),
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "samples": "".join(pieces[:ours]),
        "real": _fill("real.html", {"tracks": "".join(pieces[ours:])})
        if pieces[ours:]
        else "",
    }
    return _fill("page.html", parts).encode()


def _track(index: int, track: Track, clip: tuple[str, bytes]) -> str:
    end = max(note.end_time for note in track.sequence.notes)
    name = re.sub(r"[^\w\- ]+", "", track.name).strip() or f"track-{index + 1}"
    labels, notes = _roll(track.sequence, end)
    parts = {
        "id": f"track-{index + 1}",
        "name": html.escape(track.name),
        "caption": html.escape(track.caption),
        "file": html.escape(f"{name}.mid"),
        "seconds": f"{end:.3f}",
        "length": clock(end),
        "audio": data(*clip),
        "midi": data("audio/midi", midi(track.sequence)),
        "labels": labels,
        "notes": notes,
    }
    return _fill("track.html", parts)


def _roll(sequence: NoteSequence, end: float) -> tuple[str, str]:
    """SVG of the octaves' names and of the notes, in percent of a box that is free to stretch."""
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
    height = max(100 / rows, 3.5)
    for number, voice in enumerate(voices(sequence)):
        for note in voice:
            width = (
                93 * max(note.end_time - note.start_time, 0.02) / end
            )  # a gap before the next
            y = 100 * (top - note.pitch + 0.5) / rows - height / 2
            notes.append(
                f'<rect class="v{number % COLOURS}" x="{100 * note.start_time / end:.2f}%" '
                f'y="{y:.2f}%" width="{width:.2f}%" height="{height:.2f}%" rx="1.5" '
                f'fill-opacity="{0.4 + 0.6 * min(note.velocity / 100, 1):.2f}"/>'
            )
    return "".join(labels), "".join(notes)


def _fill(template: str, parts: dict[str, str]) -> str:
    """Puts parts in place of {{names}}, in one pass: what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], asset(template))


def asset(name: str) -> str:
    return resources.files("zoo.listen").joinpath("assets", name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def data(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
