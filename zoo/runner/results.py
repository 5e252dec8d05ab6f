"""What a figure needs beside it to be believed, and whether a run repeats a published curve."""

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
from zoo.train.checkpoint import versions
from zoo.train.distributed import cores

CURVES = pathlib.Path(__file__).parent / "curves"
SPREAD = 4.0  # standard deviations over seeds
SLACK = 0.03  # and as a fraction of the value, for what two or three seeds cannot show


def provenance(seconds: float) -> dict[str, Any]:
    """How long it took, on what device, with what versions, by what command, and when."""
    device = jax.devices()[0]
    return {
        "seconds": round(seconds, 1),
        "device": f"{jax.device_count()} x {device.device_kind}, {cores()} cores",
        "versions": versions(),
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def curve(lines: Iterable[str]) -> dict[int, float]:
    """step -> what a run is followed by, from the lines of a `metrics.jsonl`: its validation loss,
    or what it costs to give back what is held out, or, of a game alone, by how much more real
    held-out music looks to the critic than its generator's."""
    points = [json.loads(line) for line in lines]
    names = {name for point in points for name in point}
    gaps = sorted(
        name for name in names if name.startswith("valid_") and name.endswith("_gap")
    )
    whole = [name for name in ("valid", "valid_reconstruct_loss") if name in names]
    followed = [*whole, *gaps, "valid"][0]
    return {point["step"]: point[followed] for point in points if followed in point}


def compare(name: str, metrics: pathlib.Path, curves: pathlib.Path = CURVES) -> str:
    """Says whether a run's validation curve lies inside the band of the published one.

    The band at a step is the mean over the published seeds, give or take four standard deviations
    and three per cent. Raises UsageError where there is nothing to compare with.
    """
    reference = curves / f"{name}.jsonl"
    if not reference.exists():
        known = (
            ", ".join(sorted(path.stem for path in curves.glob("*.jsonl"))) or "none"
        )
        raise UsageError(
            f"{name} has no published curve to compare with: those that do: {known}."
        )
    mine = curve(metrics.read_text().splitlines())
    theirs = {p["step"]: p for p in map(json.loads, reference.read_text().splitlines())}
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        raise UsageError(
            f"this run was validated at no step at which {name}'s published curve was: "
            "compare a run with the same --save-every."
        )
    outside = [step for step in shared if not inside(mine[step], theirs[step]["valid"])]
    if not outside:
        return f"inside the published band of {name} at all {len(shared)} shared steps"
    step = outside[0]
    mean = np.mean(theirs[step]["valid"])
    return (
        f"outside the published band of {name} at {len(outside)} of {len(shared)} shared steps, "
        f"first at {step}: {mine[step]:.4f} against {mean:.4f}"
    )


def inside(value: float, seeds: list[float]) -> bool:
    mean, spread = float(np.mean(seeds)), float(np.std(seeds))
    return abs(value - mean) <= SPREAD * spread + SLACK * abs(mean)
