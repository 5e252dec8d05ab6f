"""Licences of the weights that a run starts from: its own weights inherit them."""

import json
import pathlib
from collections.abc import Iterable

from zoo.data.terms import licences
from zoo.train.saved import opened


def inherited(workdir: pathlib.Path, origins: Iterable[pathlib.Path]) -> dict[str, str]:
    """Returns the licences that a run inherits, by the names of the music.

    A run that goes on keeps those it began with.

    Args:
      workdir: the directory of the run.
      origins: runs, or files of weights, that it starts from.
    """
    try:
        recorded = json.loads((workdir / "config.json").read_text())
    except (OSError, ValueError):  # there is none yet, or it is written again
        recorded = {}
    if "licences" in recorded:
        return recorded["licences"]
    known = [licences_of(origin) for origin in origins if origin.exists()]
    return {name: licence for terms in known for name, licence in terms.items()}


def licences_of(path: pathlib.Path) -> dict[str, str]:
    """Returns the licences of all music that a run, or a file of weights, is made of.

    Raises:
      ZooError: there is no model.
    """
    with opened(path) as saved:
        about = saved.about
    if about.get("card"):
        return dict(about["card"]["licences"])
    corpus = (about.get("task") or {}).get("corpus")
    own = {} if corpus is None else licences(corpus)
    return {**inherited(path, ()), **about.get("licences", {}), **own}
