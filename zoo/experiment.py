"""What an experiment over events does: corpus, codec, training, likelihood, samples, record.

An experiment is a function whose keyword defaults are its configuration; `launch` turns it into a
command line, and `events` is the body that such functions share.
"""

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
import tyro

from zoo.core import Batch, Family, Params
from zoo.data.codecs import Phrase, make
from zoo.data.codecs.base import Codec
from zoo.data.pieces import Pieces, corpus_pieces
from zoo.data.pipeline import Batches, Crops, whole, whole_frames
from zoo.data.polyphonic import KEYS, Arrays, read
from zoo.data.records import data_root
from zoo.data.windows import cut
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


@dataclasses.dataclass(frozen=True)
class Frames:
    """The same for models that read a frame of several values at a step."""

    data: str
    """A .mat of piano rolls, a .json of chorales, or a corpus such as chorales or folder:/path."""
    batch: int = 16
    """Rows in a batch, over all devices."""
    length: int = 256
    """Frames in a row; a row is (a crop of) one piece."""
    transpose: int = 0
    """Most semitones up or down by which a crop is moved, at random, in training."""
    codec: str = "pianoroll"
    """How the scores of a corpus become frames: pianoroll or voices."""
    steps_per_quarter: int = 1
    """Steps of a .mat in a quarter, for listening alone: 1 in JSB_Chorales, 2 in Nottingham."""


@dataclasses.dataclass(frozen=True)
class Bars:
    """The same for models that read phrases of so many bars as a whole."""

    corpus: str = "tunes"
    """tunes, essen, folder:/path/to/your/files, or a union such as tunes+essen."""
    bars: int = 2
    """Bars of a phrase."""
    metres: tuple[str, ...] = ("4/4", "2/2")
    """The metres that are read, whose bars are of one length."""
    batch: int = 128
    """Phrases in a batch, over all devices."""
    transpose: int = 5
    """Most semitones up or down by which a phrase is moved, at random, in training."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What a model is trained on and measured by, and what it is told to be named after."""

    name: str
    codec: Codec
    batches: Batches | Crops
    whole: Callable[[str], Iterable[Batch]]
    """A split, every piece of it once."""
    real: list[np.ndarray]
    """A few pieces that no model is trained on."""
    music: Music | Frames | Bars


Finish = Callable[[Trained, Callable[[str], Iterable[Batch]]], dict[str, Any]]


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
    finish: Finish | None = None,
) -> dict[str, Any]:
    """Trains `family(vocabulary)` on events, measures it on the test split, and writes samples.

    Leaves config.json, metrics.jsonl, tensorboard/, checkpoints/, samples/ and result.json in
    `workdir`, and returns what is in the last. `finish(model, whole)` may measure more.
    """
    began = time.perf_counter()
    process = connected(options, music.batch)
    codec = make(music.codec)
    pieces = {split: corpus_pieces(music.corpus, split, codec) for split in SPLITS}
    if pieces["train"].shape:
        raise UsageError(f"{name} reads one event at a time: give --codec melody or performance.")
    size = (music.batch, music.length, options.seed, music.transpose, process)
    batches = Batches(pieces["train"], codec, *size)
    over = lambda split: whole(pieces[split], codec, music.batch, process)
    task = Task(name, codec, batches, over, pieces["test"][:3], music)
    return run(family(codec.vocab), task, workdir, steps, adam, options, samples, finish, began)


def frames(
    family: Callable[[int], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    frames: Frames,
    adam: Adam = Adam(),
    options: loop.Options = loop.Options(),
    samples: int = 8,
    finish: Finish | None = None,
) -> dict[str, Any]:
    """As `events`, for `family(values per frame)`, which reads a frame of several values a step."""
    began = time.perf_counter()
    process = connected(options, frames.batch)
    codec, pieces = source(frames)
    values = pieces["train"].shape[0]
    size = (frames.batch, frames.length, options.seed, frames.transpose, process)
    batches = Crops(pieces["train"], codec, *size)
    over = lambda split: whole_frames(pieces[split], frames.batch, process)
    task = Task(name, codec, batches, over, pieces["test"][:3], frames)
    return run(family(values), task, workdir, steps, adam, options, samples, finish, began)


def phrases(
    family: Callable[[Phrase], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    bars: Bars,
    adam: Adam = Adam(),
    options: loop.Options = loop.Options(),
    samples: int = 8,
    finish: Finish | None = None,
) -> dict[str, Any]:
    """As `events`, for `family(codec)`, which reads phrases; those measured do not overlap."""
    began = time.perf_counter()
    process = connected(options, bars.batch)
    codec = Phrase(bars.bars, bars.metres)
    pieces = {split: corpus_pieces(bars.corpus, split, codec.whole) for split in SPLITS}
    rows = {split: cut(pieces[split], codec, codec.bars) for split in SPLITS[1:]}
    size = (bars.batch, codec.length, options.seed, bars.transpose, process)
    batches = Crops(cut(pieces["train"], codec), codec, *size)
    over = lambda split: whole(rows[split], codec, bars.batch, process)
    task = Task(name, codec, batches, over, rows["test"][:3], bars)
    return run(family(codec), task, workdir, steps, adam, options, samples, finish, began)


def source(frames: Frames) -> tuple[Codec, Mapping[str, Pieces | Arrays]]:
    """The codec and the splits of music that is read a frame at a time."""
    if pathlib.Path(frames.data).suffix in (".mat", ".json"):
        pieces = read(frames.data)
        rolls = pieces["train"].shape == (KEYS,)
        steps = {"steps_per_quarter": frames.steps_per_quarter} if rolls else {}
        return make("pianoroll", onsets=False, **steps) if rolls else make("voices"), pieces
    codec = make("pianoroll", onsets=False) if frames.codec == "pianoroll" else make(frames.codec)
    return codec, {split: corpus_pieces(frames.data, split, codec) for split in SPLITS}


def held_out(model: Trained, spec: str, split: str, batch: int) -> Iterable[Batch]:
    """A split of a corpus or of a .mat or .json file, every piece of it once, as `model` reads it.

    Raises UsageError where that is not what it reads.
    """
    if isinstance(codec := model.codec, Phrase):
        lines = corpus_pieces(spec, split, codec.whole)
        return whole(cut(lines, codec, codec.bars), codec, batch)
    file = pathlib.Path(spec).suffix in (".mat", ".json")
    pieces = read(spec)[split] if file else corpus_pieces(spec, split, model.codec)
    frame = model.family.example(1)["tokens"].shape[2:]
    if tuple(pieces.shape) != frame:
        name, unit = type(model.family).__name__, f"frames of {frame[0]} values" if frame else ""
        raise UsageError(
            f"{name} reads {unit or 'single events'}, and {spec} has others: measure it on what "
            "it was trained on, or on a corpus."
        )
    return whole_frames(pieces, batch) if frame else whole(pieces, model.codec, batch)


def connected(options: loop.Options, batch: int) -> tuple[int, int]:
    """Joins the hosts of a run and shares out the cores; which process this is, of how many."""
    hosts.connect(options.coordinator, options.processes, options.process)
    hosts.share_cores(batch // (options.processes or 1) // options.accumulate)
    return jax.process_index(), jax.process_count()


def run(
    model: Family,
    task: Task,
    workdir: str | pathlib.Path,
    steps: int,
    adam: Adam,
    options: loop.Options,
    samples: int,
    finish: Finish | None,
    began: float,
) -> dict[str, Any]:
    """Trains, measures at the best checkpoint, and leaves the record of it in `workdir`."""
    workdir, main = pathlib.Path(workdir), jax.process_index() == 0
    config = {"experiment": task.name, **record({"family": model, "codec": task.codec})}
    config |= record({"music": task.music, "adam": adam, "seed": options.seed})
    if main:
        write(workdir / "config.json", {**config, "steps": steps, "options": record(options)})
    measure = likelihood(model, task, options)

    def validate(params: Params) -> dict[str, float]:
        metrics = measure(params, "validation")
        # what is descended: a likelihood, or that and what its latents are charged for
        return {"valid": metrics["loss"], **{f"valid_{k}": v for k, v in metrics.items()}}

    trained = {"tx": adam.rule(steps), "steps": steps, "workdir": workdir, "options": options}
    outcome = loop.fit(model, task.batches, **trained, meta=config, validate=validate)
    done = workdir / "result.json"
    if outcome.first_step == 0 and done.exists():  # there was nothing left to train
        result = json.loads(done.read_text())
    else:
        best = load(workdir, mesh=shard.mesh(model=options.model))
        test = {f"test_{key}": value for key, value in measure(best.params, "test").items()}
        valid = {"valid_nll": measure(best.params, "validation")["nll"]}
        more = finish(best, task.whole) if finish else {}
        metrics = {**test, **valid, **more, "best_step": best.about["step"], **outcome.figures}
        elsewhere = time.perf_counter() - began - outcome.here
        result = {"experiment": task.name, "metrics": metrics}
        result |= provenance(outcome.seconds + elsewhere)
        if main:
            listen(best, task, workdir / "samples", samples, options.seed)
            write(done, result)
    if main and options.compare:
        print(compare(task.name, workdir / "metrics.jsonl"), file=sys.stderr)
    return result


def listen(model: Trained, task: Task, folder: pathlib.Path, samples: int, seed: int) -> None:
    """A gallery of what the model writes, beside a few pieces that it was not trained on."""
    if samples:
        here = dataclasses.replace(model, params=jax.device_get(model.params))
        real = [task.codec.decode(piece) for piece in task.real]
        gallery(here.sample(samples, seed), folder, title=task.name, real=real)


def likelihood(
    model: Family, task: Task, options: loop.Options
) -> Callable[[Params, str], dict[str, float]]:
    """Returns `(params, split) -> metrics` over every piece of a split, whole."""
    mesh = shard.mesh(model=options.model)
    measure = evaluator(model, mesh=mesh, context=precision.context(options.bf16))

    def over(params: Params, split: str) -> dict[str, float]:
        metrics = measure(params, task.whole(split))
        return {key.partition("/")[2]: value for key, value in metrics.items()}

    return over


def xla_cache() -> pathlib.Path:
    """Where compiled programs are kept from one run to the next."""
    return data_root().parent / "xla"


def launch(experiment: Callable[..., Any], args: list[str] | None = None) -> None:
    """Runs `experiment` from the command line. Exits 2 where the request is wrong, 1 on failure."""
    jax.config.update("jax_compilation_cache_dir", str(xla_cache()))
    exit_on_error(lambda: tyro.cli(experiment, args=args, config=(tyro.conf.OmitArgPrefixes,)))
