"""What an experiment over events does: corpus, codec, training, likelihood, samples, record.

An experiment is a function whose keyword defaults are its configuration; `launch` turns it into a
command line, and `events` is the body that such functions share.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

import jax
import tyro

from zoo.core import Batch, Family
from zoo.data.batching.batches import Batches, Crops, whole, whole_frames
from zoo.data.batching.encoded import Pieces, corpus_pieces
from zoo.data.batching.phrases import cut, excerpts, there, told
from zoo.data.codecs import Phrased, make
from zoo.data.codecs.base import Codec
from zoo.data.codecs.chorale import VOICES
from zoo.data.codecs.waveform import Waveform
from zoo.data.corpora.benchmark_files import KEYS, Arrays, read
from zoo.data.corpora.records import data_root
from zoo.errors import UsageError, exit_on_error
from zoo.inference.model import Trained
from zoo.runner import latent_pieces, sounding
from zoo.runner.run import Finish, Rules, Task, connected, run
from zoo.train.optim import Adam
from zoo.train.options import Options

SPLITS = ("train", "validation", "test")
Label = Literal["style", "mode", "metre"]


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
    """How the scores of a corpus become frames: pianoroll or voices; or rows of notes: compound."""
    excerpts: bool = False
    """Whether rows are excerpts from anywhere, each a whole to the model, and not parts of pieces
    whose beginnings are told apart."""
    styles: tuple[str, ...] = ()
    """The styles that a model is told of, and no other is read; none for all, untold."""
    label: Label = "style"
    """What they are: irish and german, major and minor, or 4/4 and 2/4."""
    steps_per_quarter: int = 1
    """Steps of a .mat in a quarter, for listening alone: 1 in JSB_Chorales, 2 in Nottingham."""


@dataclasses.dataclass(frozen=True)
class Bars:
    """The same for models that read phrases of so many bars as a whole."""

    corpus: str = "tunes"
    """tunes, essen, folder:/path/to/your/files, or a union such as tunes+essen."""
    bars: int = 2
    """Bars of a phrase."""
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    """The metres that are read: the first, and others whose bars make up one of it."""
    batch: int = 128
    """Phrases in a batch, over all devices."""
    transpose: int = 5
    """Most semitones up or down by which a phrase is moved, at random, in training."""
    styles: tuple[str, ...] = ()
    """The styles that a model is told of, and no other is read; none for all, untold."""
    codec: Literal["phrase", "quartet", "drums", "multitrack"] = "phrase"
    """What is read of a piece: one line, four voices, the drums, or piano rolls of tracks."""
    tracks: tuple[str, ...] = VOICES
    """The tracks of piano rolls: these, or some of melody, drums, bass, guitar, piano, strings."""
    keys: tuple[int, int] = (36, 83)
    """The lowest and the highest key of piano rolls."""
    label: Label = "style"
    """What they are: irish and german, major and minor, or 4/4 and 2/4."""


def events(
    family: Callable[[int], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    music: Music = Music(),
    adam: Adam = Adam(),
    options: Options = Options(),
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
        raise UsageError(
            f"{name} reads one event at a time: give --codec melody or performance."
        )
    size = (music.batch, music.length, options.seed, music.transpose, process)
    batches = Batches(pieces["train"], codec, *size)
    over = lambda split: whole(pieces[split], codec, music.batch, process)
    task = Task(name, codec, batches, over, pieces["test"][:3], music)
    return run(
        family(codec.vocab), task, workdir, steps, adam, options, samples, finish, began
    )


def frames(
    family: Callable[[int], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    frames: Frames,
    adam: Rules = Adam(),
    options: Options = Options(),
    samples: int = 8,
    finish: Finish | None = None,
) -> dict[str, Any]:
    """As `events`, for `family(values per frame)`, which reads a frame of several values a step.

    `adam` may be one for each objective.
    """
    began = time.perf_counter()
    process = connected(options, frames.batch)
    codec, pieces = source(frames)
    values = pieces["train"].shape[0]
    size = (frames.batch, frames.length, options.seed, frames.transpose, process)
    batches = Crops(pieces["train"], codec, *size, context=not frames.excerpts)
    if frames.excerpts:
        pieces = {
            split: excerpts(rows, frames.length) for split, rows in pieces.items()
        }
    over = lambda split: whole_frames(pieces[split], frames.batch, process)
    task = Task(name, codec, batches, over, pieces["test"][:3], frames)
    return run(
        family(values), task, workdir, steps, adam, options, samples, finish, began
    )


def phrases(
    family: Callable[[Phrased], Family],
    *,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    bars: Bars,
    adam: Adam = Adam(),
    options: Options = Options(),
    samples: int = 8,
    finish: Finish | None = None,
) -> dict[str, Any]:
    """As `events`, for `family(codec)`, which reads phrases; those measured are apart."""
    began = time.perf_counter()
    process = connected(options, bars.batch)
    low, high = bars.keys
    rolls = (
        {"tracks": bars.tracks, "low": low, "high": high}
        if bars.codec == "multitrack"
        else {}
    )
    codec = make(bars.codec, bars=bars.bars, metres=bars.metres, **rolls)
    assert isinstance(codec, Phrased)
    pieces = {split: corpus_pieces(bars.corpus, split, codec.whole) for split in SPLITS}
    there(bars.styles, pieces["train"].labels(bars.label))
    cuts = lambda split, stride: cut(
        pieces[split], codec, stride, bars.styles, pieces[split].labels(bars.label)
    )
    rows = {split: cuts(split, codec.bars) for split in SPLITS}
    size = (bars.batch, codec.length, options.seed, bars.transpose, process)
    batches = Crops(cuts("train", 1), codec, *size)
    over = lambda split: whole_frames(rows[split], bars.batch, process, codec.length)
    task = Task(name, codec, batches, over, rows["test"][:3], bars)
    return run(
        family(codec), task, workdir, steps, adam, options, samples, finish, began
    )


def source(frames: Frames) -> tuple[Codec, Mapping[str, Pieces | Arrays]]:
    """The codec and the splits of music that is read a frame at a time."""
    if pathlib.Path(frames.data).suffix in (".mat", ".json"):
        pieces = read(frames.data)
        rolls = pieces["train"].shape == (KEYS,)
        steps = {"steps_per_quarter": frames.steps_per_quarter} if rolls else {}
        return make("pianoroll", onsets=False, **steps) if rolls else make(
            "voices"
        ), pieces
    codec = (
        make("pianoroll", onsets=False)
        if frames.codec == "pianoroll"
        else make(frames.codec)
    )
    corpus = {split: corpus_pieces(frames.data, split, codec) for split in SPLITS}
    there(frames.styles, corpus["train"].labels(frames.label))
    return codec, {
        split: told(pieces, frames.styles, pieces.labels(frames.label))
        for split, pieces in corpus.items()
    }


def held_out(model: Trained, spec: str, split: str, batch: int) -> Iterable[Batch]:
    """A split of a corpus or of a .mat or .json file, every piece of it once, as `model` reads it.

    Raises UsageError where that is not what it reads.
    """
    if isinstance(model.codec, Waveform):
        return sounding.held_out(model, spec, split, batch)
    if hasattr(model.family, "vae"):
        return latent_pieces.held_out(model, spec, split, batch)
    pieces = as_read(model, spec, split)
    if isinstance(model.codec, Phrased):
        return whole_frames(pieces, batch, length=model.codec.length)
    frame = model.family.example(1)["tokens"].shape[2:]
    if tuple(pieces.shape) != frame:
        name, unit = (
            type(model.family).__name__,
            f"frames of {frame[0]} values" if frame else "",
        )
        raise UsageError(
            f"{name} reads {unit or 'single events'}, and {spec} has others: measure it on what "
            "it was trained on, or on a corpus."
        )
    return whole_frames(pieces, batch) if frame else whole(pieces, model.codec, batch)


def as_read(model: Trained, spec: str, split: str) -> Pieces | Arrays:
    """A split as `model` was trained to read it: pieces, excerpts or phrases, of the styles that it
    is told of."""
    family, codec, music = cast(Any, model.family), model.codec, model.about["music"]
    styles, label = getattr(family, "styles", ()), music.get("label", "style")
    if isinstance(codec, Phrased):
        lines = corpus_pieces(spec, split, codec.whole)
        return cut(lines, codec, codec.bars, styles, lines.labels(label))
    if pathlib.Path(spec).suffix in (".mat", ".json"):
        return read(spec)[split]
    pieces = corpus_pieces(spec, split, codec)
    rows = told(pieces, styles, pieces.labels(label))
    return excerpts(rows, family.length) if music.get("excerpts") else rows


def xla_cache() -> pathlib.Path:
    """Where compiled programs are kept from one run to the next."""
    return data_root().parent / "xla"


def launch(experiment: Callable[..., Any], args: list[str] | None = None) -> None:
    """Runs `experiment` from the command line. Exits 2 where the request is wrong, 1 on failure."""
    jax.config.update("jax_compilation_cache_dir", str(xla_cache()))
    exit_on_error(
        lambda: tyro.cli(experiment, args=args, config=(tyro.conf.OmitArgPrefixes,))
    )
