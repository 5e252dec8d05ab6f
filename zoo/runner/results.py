"""The provenance of results, and comparison of a run with a published curve."""

import datetime
import json
import pathlib
import shlex
import sys
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from zoo.config import write as write
from zoo.errors import UsageError
from zoo.files import without_home
from zoo.train.checkpoint import versions
from zoo.train.distributed import cores

CURVES = pathlib.Path(__file__).parent / "curves"
BAND_STDS = 4.0  # half width of the band, in standard deviations over seeds
BAND_SHARE = 0.03  # and as a share of the value, since two or three seeds show little


def provenance(seconds: float) -> dict[str, Any]:
    """Returns the duration, device, versions, command and date of a run."""
    device = jax.devices()[0]
    return {
        "seconds": round(seconds, 1),
        "device": f"{jax.device_count()} x {device.device_kind}, {cores()} cores",
        "versions": versions(),
        "command": without_home(shlex.join(["python", *sys.argv])),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def curve(lines: Iterable[str]) -> dict[int, float]:
    """Returns the validation curve of a run, from the lines of a `metrics.jsonl`.

    It is the validation loss by step; of a vocoder the reconstruction loss; and of a
    game the gap between the critic's verdicts on real and on generated data.
    """
    points = [json.loads(line) for line in lines]
    names = {name for point in points for name in point}
    gaps = sorted(x for x in names if x.startswith("valid_") and x.endswith("_gap"))
    losses = [x for x in ("valid", "valid_reconstruct_loss") if x in names]
    name = [*losses, *gaps, "valid"][0]
    return {point["step"]: point[name] for point in points if name in point}


def compare(name: str, metrics: pathlib.Path, curves: pathlib.Path = CURVES) -> str:
    """Says whether a run's validation curve lies inside the band of the published one.

    The band at a step is the mean over the published seeds, plus or minus four standard
    deviations and three per cent.

    Raises:
      UsageError: there is no published curve, or no step is in both.
    """
    reference = curves / f"{name}.jsonl"
    if not reference.exists():
        names = ", ".join(sorted(path.stem for path in curves.glob("*.jsonl")))
        raise UsageError(
            f"{name} has no published curve to compare with: there are "
            f"{names or 'none'}."
        )
    mine = curve(metrics.read_text().splitlines())
    theirs = {p["step"]: p for p in map(json.loads, reference.read_text().splitlines())}
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        raise UsageError(
            f"no step of this run is in the published curve of {name}: "
            "compare a run with the same save_every."
        )
    outside = [step for step in shared if not inside(mine[step], theirs[step]["valid"])]
    if not outside:
        return f"inside the published band of {name} at all {len(shared)} shared steps"
    step = outside[0]
    mean = np.mean(theirs[step]["valid"])
    return (
        f"outside the published band of {name} at {len(outside)} of {len(shared)} "
        "shared steps, "
        f"first at {step}: {mine[step]:.4f} against {mean:.4f}"
    )


def inside(value: float, seeds: list[float]) -> bool:
    """Says whether a value is inside the band around those of several seeds."""
    mean, spread = float(np.mean(seeds)), float(np.std(seeds))
    return abs(value - mean) <= BAND_STDS * spread + BAND_SHARE * abs(mean)
