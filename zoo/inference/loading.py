"""Loading of trained models: runs, and the weights that ship."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from zoo.config import restore
from zoo.core import (
    AudioAutoencoder,
    LatentSequenceModel,
    Params,
    Speaker,
    supports,
)
from zoo.errors import ZooError
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.inference.resynthesis import AudioModel
from zoo.inference.shipped import resolve
from zoo.inference.speech import SpeechModel
from zoo.tasks.base import Task, bound
from zoo.train.saved import opened, require_consent
from zoo.train.trees import shapes

HOMES = {  # of what a checkpoint records
    "family": "zoo.models.",
    "codec": "zoo.data.codecs.",
    "task": "zoo.tasks.",
    "music": "zoo.tasks.",
}


def load(
    path: str | pathlib.Path,
    *,
    step: int | None = None,
    known: tuple[type, ...] = (),
    mesh: Mesh | None = None,
    accept_licence: bool = False,
) -> Model:
    """Loads the model of a run directory, of a file of weights, or a shipped one.

    Args:
      path: the directory, the file, or the name of shipped weights.
      step: the step of a checkpoint; by default the best one.
      known: classes outside the zoo that the checkpoint may name.
      mesh: devices to put the parameters on; by default one.
      accept_licence: agrees to the terms of weights for non-commercial use.

    Raises:
      UsageError: there is no such run or step, or its terms must be agreed to.
      ZooError: it is damaged, or was written by an incompatible version.
    """
    with opened(resolve(path), step) as saved:
        about = saved.about
        require_consent(str(path), about, accept_licence)
        if about.get("family") is None:
            raise ZooError(
                f"{path} records no family: train it by `zoo.runner.train`, or give "
                "`meta={'family': zoo.config.record(family)}` to `fit`."
            )
        with usable(path):
            parts = recorded(about, known)
            family = parts["family"]
            fresh = jax.eval_shape(family.init, jax.random.key(0), family.example(1))
        params, extras = saved.params(shapes(fresh, mesh)), saved.extras()
    task = parts.get("task", parts.get("music"))  # as 0.1 called it
    with usable(path):
        model = assembled(family, params, parts.get("codec"), task=task, about=about)
    return dataclasses.replace(model, extras=extras)


@contextlib.contextmanager
def usable(path: str | pathlib.Path) -> Iterator[None]:
    """Converts any error that a wrong record causes into a ZooError."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:  # a record may hold anything
        raise ZooError(
            f"what {path} records of its model does not fit together: take a copy that "
            "is whole, or train again."
        ) from error


def recorded(about: Mapping[str, Any], known: tuple[type, ...]) -> dict[str, Any]:
    """Returns the family, and codec and task if there are any, of a checkpoint.

    Raises:
      ZooError: a record is of another kind, or this version cannot build it.
    """
    version = about.get("versions", {}).get("music-zoo")
    parts = {
        name: restore(about[name], known, version)
        for name in HOMES
        if about.get(name) is not None
    }
    for name, part in parts.items():
        kind = type(part)
        if kind not in known and not kind.__module__.startswith(HOMES[name]):
            raise ZooError(
                f"the checkpoint records a {kind.__name__} as its {name}: take a copy "
                "that is whole, or train again."
            )
    return parts


def assembled(
    family: Any, params: Params, codec: Any, *, task: Task | None, about: Any
) -> Model:
    """Returns a model whose task has the codec, and the encoder, of its checkpoint."""
    if task is not None and codec is not None:
        task = bound(task, coder=codec)
    if task is not None and supports(family, LatentSequenceModel):
        vae = family.vae
        coder = dataclasses.replace(codec, bars=vae.bars)
        space = LatentSpace(Model(vae, params["vae"], coder))
        task = bound(task, coder=codec, encode=space.means)
    cls = Model
    if supports(family, AudioAutoencoder):
        cls = AudioModel
    elif supports(family, Speaker):
        cls = SpeechModel
    return cls(family, params, codec, task=task, about=about)
