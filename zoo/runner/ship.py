"""Shipping of a run: one file of weights that says all about itself, and its card."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.terms import is_non_commercial, licences, public_spec
from zoo.errors import UsageError, ZooError, require
from zoo.evaluation.checks import agree, checked_metrics, spaced_rows
from zoo.files import written_aside
from zoo.inference.abilities import headline
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.inference.shipped import Shipped
from zoo.runner.card import write_card
from zoo.runner.results import curve
from zoo.tasks.base import bound
from zoo.train.packed import packed
from zoo.train.weights import SUFFIX, Precision, WeightFile, reread, write_arrays

NON_COMMERCIAL = "_nc"  # at the end of names
TOLERANCE = 1e-3  # share by which figures may move when parameters are narrowed
NARROW: tuple[Precision, ...] = ("int8", "float16")
POINTS = 64  # of a curve, at most
PATH = re.compile(r"(?<![\w.])(?:~|(?:/[^\s:/]+)+)/([^\s:/]+)")


def ship(
    run: pathlib.Path,
    *,
    name: str = "",
    precision: Precision | None = None,
    out: pathlib.Path,
    cards: pathlib.Path,
) -> pathlib.Path:
    """Writes the best parameters of a run as one file of weights, and a card.

    Args:
      run: the directory of a run that has ended.
      name: the name to ship it by; by default its experiment's. That of a model for
        non-commercial use ends in _nc.
      precision: the numbers to store parameters as; by default the first of int8,
        float16 and float32 that moves no figure of rows of the test split by
        a thousandth.
      out: the folder of the weights.
      cards: the folder of the card.

    Returns:
      The path of the weights.

    Raises:
      UsageError: the run has not ended, or recorded no task.
      ZooError: figures move even though `precision` is the default.
    """
    model = load(run, accept_licence=True)
    require(
        model.task is not None and model.codec is not None,
        f"{run} recorded no task or no codec: train it by `zoo.runner.train`.",
    )
    card = described(model, run)
    model = with_rows(dataclasses.replace(model, about={**model.about, "card": card}))
    checked = checked_metrics(model)
    if precision is None:
        precision = narrowest(model, checked)
    card |= {"exact": checked, "check": checked_metrics(narrowed(model, precision))}
    name = name or card["result"]["experiment"]
    if card["non_commercial"] and not name.endswith(NON_COMMERCIAL):
        name += NON_COMMERCIAL
    card |= {"name": name, "precision": precision}
    return write_shipped(model, card, precision=precision, out=out, cards=cards)


def write_shipped(
    model: Model,
    card: Mapping[str, Any],
    *,
    precision: Precision,
    out: pathlib.Path,
    cards: pathlib.Path,
) -> pathlib.Path:
    """Writes a model with its card as weights, and the card as a page."""
    corpus = public_spec(model.task.corpus)
    task = bound(dataclasses.replace(model.task, corpus=corpus))
    about = {**model.about, "card": card}
    model = dataclasses.replace(model, task=task, about=about)
    path = model.save(out / f"{card['name']}{SUFFIX}", precision=precision)
    write_card(entry_of(path), load(path, accept_licence=True), cards)
    return path


def entry_of(path: pathlib.Path) -> Shipped:
    """Returns the shipped model of a file."""
    return Shipped(path.stem, WeightFile(path).about, path.stat().st_size)


def renew(path: pathlib.Path, cards: pathlib.Path) -> None:
    """Writes the card of a shipped model anew.

    Its figures on the rows in the file are measured again. If they are others, they
    replace those in the file, whose parameters stay as they are.

    Args:
      path: the file of weights.
      cards: the folder of the card.

    Raises:
      UsageError: `zoo ship` did not write the file.
    """
    model = load(path, accept_licence=True)
    require(
        "card" in model.about,
        f"{path} has no card, since `Model.save` wrote it: ship the run that it is of.",
    )
    card, found = model.about["card"], checked_metrics(model)
    if not agree(found, card["check"], TOLERANCE):
        file = WeightFile(path)
        record = {**file.about, "card": {**card, "check": found}}
        with written_aside(path) as temporary:
            write_arrays(temporary, file.arrays(""), record)
    write_card(entry_of(path), model, cards)


def described(model: Model, run: pathlib.Path) -> dict[str, Any]:
    """Returns what a card says of a run.

    Raises:
      UsageError: the run has not ended.
    """
    try:
        result = json.loads((run / "result.json").read_text())
        config = json.loads((run / "config.json").read_text())
        points = curve((run / "metrics.jsonl").read_text().splitlines())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{run} has no readable result.json, config.json and metrics.jsonl: let "
            "its training end first."
        ) from error
    terms = {**config.get("licences", {}), **licences(model.task.corpus)}
    return {
        "corpus": public_spec(model.task.corpus),
        "licences": terms,
        "non_commercial": is_non_commercial(terms),
        "result": {**result, "command": PATH.sub(r"\1", result["command"])},
        "steps": config.get("steps"),
        "headline": headline(result["metrics"]),
        "curve": thinned(points),
    }


def thinned(points: Mapping[int, float]) -> list[list[float]]:
    """Returns at most `POINTS` points of a curve, the first and the last among them."""
    steps = sorted(points)
    if len(steps) > POINTS:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, POINTS).astype(int)]
    return [[step, points[step]] for step in steps]


def with_rows(model: Model) -> Model:
    """Returns the model with rows of its test split among the extras."""
    return dataclasses.replace(model, extras={**model.extras, **spaced_rows(model)})


def narrowest(model: Model, checked: Mapping[str, float]) -> Precision:
    """Returns the first of `NARROW` in which the figures hold, else float32.

    That is float32 as well if all parameters are counts, which are stored as they are.

    Raises:
      ZooError: the figures are no numbers.
    """
    if not all(map(np.isfinite, checked.values())):
        raise ZooError("a figure of the model is not finite: train it again.")
    if all(packed(np.asarray(leaf)) for leaf in jax.tree.leaves(model.params)):
        return "float32"
    for precision in NARROW:
        if agree(checked_metrics(narrowed(model, precision)), checked, TOLERANCE):
            return precision
    return "float32"


def narrowed(model: Model, precision: Precision) -> Model:
    """Returns the model with the parameters that would be read from a file."""
    read = lambda leaf: jnp.asarray(reread(np.asarray(leaf), precision))
    return dataclasses.replace(model, params=jax.tree.map(read, model.params))
