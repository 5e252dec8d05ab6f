"""A page of recordings in several versions, with their spectrograms."""

import html
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soxr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import signal

from zoo.files import written_whole
from zoo.listen.page import asset, data_url
from zoo.listen.synth import MP3_RATES, compress, write_wav

DPI = 110
WINDOW = 1024  # samples of a frame of the spectrogram
DYNAMIC_RANGE = 80  # decibels
EPS = 1e-12
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}
main {{ display: block }} figure {{ margin: 2rem 0 }} figcaption {{ font-weight: bold }}
figure img {{ width: 100% }} td {{ padding-right: 1rem }} td audio {{ width: 19rem }}
</style></head>
<body><main><h1>{title}</h1>{figures}</main></body></html>
"""


class AudioComparison(NamedTuple):
    """A recording in several versions.

    Attributes:
      name: the name of the recording.
      versions: audio [s] by the name of the version, e.g. "reconstruction".
    """

    name: str
    versions: dict[str, np.ndarray]


@written_whole
def write_audio_page(
    recordings: Sequence[AudioComparison],
    folder: pathlib.Path,
    rate: int,
    *,
    title: str,
) -> pathlib.Path:
    """Writes a WAV file of every version, spectrograms, and index.html.

    The files are 01-VERSION.wav and 01.png, and so on. The page contains its audio and
    images.

    Args:
      recordings: the recordings.
      folder: the folder to write to.
      rate: sample rate in hertz.
      title: the title of the page.

    Returns:
      The path of index.html.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [
        _figure(recording, folder / f"{number:02d}", rate)
        for number, recording in enumerate(recordings, 1)
    ]
    path = folder / "index.html"
    path.write_text(
        PAGE.format(
            title=html.escape(title),
            style=asset("page.css"),
            figures="".join(figures),
        ),
        "utf-8",
    )
    return path


def _figure(recording: AudioComparison, stem: pathlib.Path, rate: int) -> str:
    """Writes the files of a recording and returns its HTML."""
    image = stem.with_name(f"{stem.name}.png")
    plot_spectrograms(recording, image, rate)
    cells = []
    for version, audio in recording.versions.items():
        channels = audio[:, None].astype(np.float32)
        write_wav(stem.with_name(f"{stem.name}-{version}.wav"), channels, rate)
        mp3_rate = rate if rate in MP3_RATES else max(MP3_RATES)
        clip = compress(soxr.resample(channels, rate, mp3_rate), mp3_rate)
        cells.append(
            f"<td>{html.escape(version)}<br>"
            f'<audio controls src="{data_url(*clip)}"></audio></td>'
        )
    name = html.escape(recording.name)
    return (
        f"<figure><figcaption>{name}</figcaption>"
        f"<table><tr>{''.join(cells)}</tr></table>"
        f'<img alt="Spectrograms of {name}" '
        f'src="{data_url("image/png", image.read_bytes())}"></figure>'
    )


def plot_spectrograms(
    recording: AudioComparison, path: pathlib.Path, rate: int
) -> None:
    """Plots the spectrogram of each version to a PNG, in dB below the loudest."""
    versions = recording.versions
    figure = Figure(figsize=(4 * len(versions), 2.6), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(versions), sharey=True, squeeze=False)[0]
    spectrograms = {name: spectrogram(x, rate) for name, x in versions.items()}
    top = max(level.max() for *_, level in spectrograms.values())
    for axes, (name, (time, hz, level)) in zip(row, spectrograms.items(), strict=True):
        axes.pcolormesh(
            time, hz / 1000, level, vmin=top - DYNAMIC_RANGE, vmax=top, cmap="magma"
        )
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_xlabel("seconds")
    row[0].set_ylabel("kHz")
    figure.savefig(path, format="png")


def spectrogram(
    audio: np.ndarray, rate: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns times in seconds [t], frequencies in hertz [k], and decibels [k, t]."""
    size = min(WINDOW, len(audio))
    hz, time, power = signal.spectrogram(
        audio, rate, "hann", size, size // 2, mode="psd"
    )
    return time, hz, 10 * np.log10(power + EPS)
