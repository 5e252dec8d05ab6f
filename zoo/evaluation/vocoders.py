"""Vocoders beside Griffin & Lim's inversion of the true mel spectrogram, by kind of
sound.

PESQ: ITU-T P.862.2, by the package `pesq`. Axes: b sound, s sample.
"""

import importlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import UsageError, markdown
from zoo.evaluation.audio import pitch_error, reconstructions, spectral_distances
from zoo.inference.model import Model

GRIFFIN_LIM = "Griffin & Lim"
SPOKEN = "spoken:"  # specs of speech begin with it
PESQ_MODES = {16_000: "wb", 8_000: "nb"}  # by sampling rate
COLUMNS = {
    "log_mel": "log-mel, nats",
    "distance": "spectral distance",
    "cents": "pitch error, cents",
    "pesq": "PESQ",
}

Figures = dict[str, float]


def vocoder_figures(
    models: Mapping[str, Model],
    kinds: Mapping[str, Sequence[Any]],
    *,
    count: int = 64,
    seed: int = 0,
) -> dict[tuple[str, str], Figures]:
    """Returns the figures of each kind of sound and vocoder, Griffin & Lim first.

    `log_mel` and `distance` are means; `cents` is a median, of notes that have a pitch;
    `pesq` is a mean, of speech at 8 or 16 kHz.

    Args:
      models: of audio, by name.
      kinds: excerpts by the spec of their corpus.
      count: evenly spaced excerpts of each kind.
      seed: of the noise of vocoders and of the phases of Griffin & Lim.

    Raises:
      UsageError: there is speech, and `pesq` is not installed.
    """
    table: dict[tuple[str, str], Figures] = {}
    for kind, excerpts in kinds.items():
        values: dict[str, dict[str, list[float]]] = {}
        for name, model in models.items():
            wanted = {"": name}
            if not values:
                wanted = {"griffin_lim_": GRIFFIN_LIM, "": name}
            for batch in reconstructions(model, excerpts, count, seed):
                for prefix, vocoder in wanted.items():
                    measured = values.setdefault(vocoder, defaultdict(list))
                    add(measured, batch, batch.outputs[prefix], kind)
        for vocoder, measured in values.items():
            table[kind, vocoder] = {
                metric: float((np.median if metric == "cents" else np.mean)(x))
                for metric, x in measured.items()
            }
    return table


def add(
    measured: dict[str, list[float]], batch: Any, output: np.ndarray, kind: str
) -> None:
    """Adds the figures of a batch of reconstructions [b, s] to lists by metric."""
    rate = batch.excerpts[0].rate
    for name, values in spectral_distances(batch.audio, output, rate).items():
        measured[name] += values[: len(batch.excerpts)].tolist()
    for excerpt, x, y in zip(batch.excerpts, batch.audio, output, strict=True):
        error = pitch_error(excerpt, x, y)
        if error is not None:
            measured["cents"].append(error)
        if kind.startswith(SPOKEN) and (quality := pesq(x, y, rate)) is not None:
            measured["pesq"].append(quality)


def pesq(x: np.ndarray, y: np.ndarray, rate: int) -> float | None:
    """Returns the PESQ of audio y [s] against x, 1 to 4.64; None if it has none.

    PESQ is defined at 8 and 16 kHz, and for recordings in which it finds speech.

    Raises:
      UsageError: the package is not installed.
    """
    if rate not in PESQ_MODES or not (x.any() and y.any()):
        return None
    try:
        package = importlib.import_module("pesq")
    except ImportError as error:
        raise UsageError(
            "PESQ of speech needs a package with code in C: pip install pesq."
        ) from error
    silent = package.PesqError.RETURN_VALUES
    quality = float(package.pesq(rate, x, y, PESQ_MODES[rate], on_error=silent))
    return quality if quality > 0 else None


def vocoder_table(table: Mapping[tuple[str, str], Figures]) -> str:
    """Returns a Markdown table of the figures."""
    rows = []
    for (kind, vocoder), figures in table.items():
        cells = [f"{figures[x]:.3f}" if x in figures else "-" for x in COLUMNS]
        rows.append([kind, vocoder, *cells])
    return markdown(["sound", "vocoder", *COLUMNS.values()], rows, texts=2)
