"""What an experiment over events does: corpus, codec, training, likelihood, samples, record.

An experiment is a function whose keyword defaults are its configuration; `launch` turns it into a
command line, and `events` is the body that such functions share.
"""

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import tyro

from zoo.core import Family, Params
from zoo.data.codecs import make
from zoo.data.codecs.base import Codec
from zoo.data.pieces import Pieces, corpus_pieces
from zoo.data.pipeline import Batches, whole
from zoo.data.records import data_root
from zoo.errors import UsageError, exit_on_error
from zoo.listen.gallery import gallery
from zoo.record import record
from zoo.results import compare, provenance, write
from zoo.train import hosts, loop, precision, shard
from zoo.train.evaluate import evaluator
from zoo.train.optim import Adam
from zoo.trained import Trained, load

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Music:
    """What a model is trained on, and how it is cut."""

    corpus: str = "tunes"
    """tunes, essen, chorales, folder:/path/to/your/files, or a union such as tunes+essen."""
    codec: str = "melody"
    """How scores become events: melody or performance."""
    batch: int = 16
    """Rows in a batch, over all devices."""
    length: int = 256
    """Events in a row; several pieces share one."""
    transpose: int = 5
    """Most semitones up or down by which a piece is moved, at random, in training."""


def events(
    family: Callable[[int], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    music: Music = Music(),
    adam: Adam = Adam(),
    options: loop.Options = loop.Options(),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains `family(vocabulary)`, measures it on the test split, and writes samples.

    Leaves config.json, metrics.jsonl, tensorboard/, checkpoints/, samples/ and result.json in
    `workdir`, and returns what is in the last.
    """
    began, workdir = time.perf_counter(), pathlib.Path(workdir)
    hosts.connect(options.coordinator, options.processes, options.process)
    hosts.share_cores(music.batch // (options.processes or 1) // options.accumulate)
    process = (jax.process_index(), jax.process_count())
    codec = make(music.codec)
    pieces = {split: corpus_pieces(music.corpus, split, codec) for split in SPLITS}
    if pieces["train"].shape:
        raise UsageError(f"{name} reads one event at a time: give --codec melody or performance.")
    cut = (music.batch, music.length, options.seed, music.transpose, process)
    batches = Batches(pieces["train"], codec, *cut)
    model = family(codec.vocab)
    config = {"experiment": name, **record({"family": model, "codec": codec, "music": music})}
    config |= record({"adam": adam, "seed": options.seed})
    if process[0] == 0:
        write(workdir / "config.json", {**config, "steps": steps, "options": record(options)})
    measure = likelihood(model, pieces, codec, music, options)

    def validate(params: Params) -> dict[str, float]:
        metrics = measure(params, "validation")
        return {"valid": metrics["nll"], **{f"valid_{k}": v for k, v in metrics.items()}}

    trained = {"tx": adam.rule(steps), "steps": steps, "workdir": workdir, "options": options}
    outcome = loop.fit(model, batches, **trained, meta=config, validate=validate)
    done = workdir / "result.json"
    if outcome.first_step == 0 and done.exists():  # there was nothing left to train
        result = json.loads(done.read_text())
    else:
        best = load(workdir, mesh=shard.mesh(model=options.model))
        test = {f"test_{key}": value for key, value in measure(best.params, "test").items()}
        metrics = {**test, "best_step": best.about["step"], **outcome.figures}
        elsewhere = time.perf_counter() - began - outcome.here
        result = {"experiment": name, "metrics": metrics, **provenance(outcome.seconds + elsewhere)}
        if process[0] == 0:
            listen(best, pieces["test"], workdir / "samples", name, samples, options.seed)
            write(done, result)
    if process[0] == 0 and options.compare:
        print(compare(name, workdir / "metrics.jsonl"), file=sys.stderr)
    return result


def listen(
    model: Trained, held_out: Pieces, folder: pathlib.Path, title: str, samples: int, seed: int
) -> None:
    """A gallery of what the model writes, beside three pieces that it was not trained on."""
    if samples:
        here = dataclasses.replace(model, params=jax.device_get(model.params))
        real = [model.codec.decode(piece) for piece in held_out[:3]]
        gallery(here.sample(samples, seed), folder, title=title, real=real)


def likelihood(
    model: Family, pieces: dict[str, Pieces], codec: Codec, music: Music, options: loop.Options
) -> Callable[[Params, str], dict[str, float]]:
    """Returns `(params, split) -> metrics` over every piece of a split, whole."""
    process = (jax.process_index(), jax.process_count())
    mesh = shard.mesh(model=options.model)
    measure = evaluator(model, mesh=mesh, context=precision.context(options.bf16))

    def over(params: Params, split: str) -> dict[str, float]:
        metrics = measure(params, whole(pieces[split], codec, music.batch, process))
        return {key.partition("/")[2]: value for key, value in metrics.items()}

    return over


def xla_cache() -> pathlib.Path:
    """Where compiled programs are kept from one run to the next."""
    return data_root().parent / "xla"


def launch(experiment: Callable[..., Any], args: list[str] | None = None) -> None:
    """Runs `experiment` from the command line. Exits 2 where the request is wrong, 1 on failure."""
    jax.config.update("jax_compilation_cache_dir", str(xla_cache()))
    exit_on_error(lambda: tyro.cli(experiment, args=args, config=(tyro.conf.OmitArgPrefixes,)))
