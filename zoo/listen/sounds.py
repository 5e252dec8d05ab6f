"""Sounds beside each other: WAVs, their spectra, and a page to hear them on."""

import html
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soxr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import signal

from zoo.listen.page import asset, data
from zoo.listen.synth import compress, write_wav

DPI = 110
ENCODED = (
    8000,
    11025,
    12000,
    16000,
    22050,
    24000,
    32000,
    44100,
    48000,
)  # rates that MP3 has
FRAME = 1024  # samples of a spectrum
RANGE = 80  # decibels that are shown
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}
main {{ display: block }} figure {{ margin: 2rem 0 }} figcaption {{ font-weight: bold }}
figure img {{ width: 100% }} td {{ padding-right: 1rem }} td audio {{ width: 19rem }}
</style></head>
<body><main><h1>{title}</h1>{intro}{figures}</main></body></html>
"""


class Sound(NamedTuple):
    """Versions [s] of one sound by what they are, such as "original" and "reconstruction"."""

    name: str
    versions: dict[str, np.ndarray]


def sounds(
    every: Sequence[Sound],
    folder: pathlib.Path,
    rate: int,
    *,
    title: str,
    intro: str = "",
) -> pathlib.Path:
    """Writes 01-VERSION.wav for each version of each, 01.png with their spectra, and index.html,
    which holds all of it. Returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = []
    for number, sound in enumerate(every, 1):
        picture = folder / f"{number:02d}.png"
        spectra(sound, picture, rate)
        cells = []
        for version, audio in sound.versions.items():
            both = audio[:, None].astype(np.float32)
            write_wav(folder / f"{number:02d}-{version}.wav", both, rate)
            heard = rate if rate in ENCODED else max(ENCODED)
            clip = data(*compress(soxr.resample(both, rate, heard), heard))
            cells.append(
                f'<td>{html.escape(version)}<br><audio controls src="{clip}"></audio></td>'
            )
        image, name = data("image/png", picture.read_bytes()), html.escape(sound.name)
        figures.append(
            f"<figure><figcaption>{name}</figcaption><table><tr>{''.join(cells)}</tr></table>"
            f'<img alt="Spectra of {name}" src="{image}"></figure>'
        )
    parts = {
        "title": html.escape(title),
        "intro": intro and f"<p>{html.escape(intro)}</p>",
        "style": asset("page.css"),
    }
    path = folder / "index.html"
    path.write_text(PAGE.format(**parts, figures="".join(figures)))
    return path


def spectra(sound: Sound, path: pathlib.Path, rate: int) -> None:
    """Draws the spectrum of each version over time, in decibels below the loudest, to a PNG."""
    figure = Figure(
        figsize=(4 * len(sound.versions), 2.6), dpi=DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    every = figure.subplots(1, len(sound.versions), sharey=True, squeeze=False)[0]
    found = {name: spectrum(x, rate) for name, x in sound.versions.items()}
    top = max(level.max() for *_, level in found.values())
    for axes, (name, (time, hz, level)) in zip(every, found.items(), strict=True):
        axes.pcolormesh(
            time, hz / 1000, level, vmin=top - RANGE, vmax=top, cmap="magma"
        )
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_xlabel("seconds")
    every[0].set_ylabel("kHz")
    figure.savefig(path, format="png")


def spectrum(audio: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds [t], hertz [k], and decibels [k, t]."""
    size = min(FRAME, len(audio))
    hz, time, power = signal.spectrogram(
        audio, rate, "hann", size, size // 2, mode="psd"
    )
    return time, hz, 10 * np.log10(power + 1e-12)
