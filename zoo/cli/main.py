"""`zoo`: sample, mix, vary and the other commands."""

import pathlib
import shlex
from collections.abc import Callable
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from zoo.cli.audio import blend, reconstruct
from zoo.cli.compose import compose
from zoo.cli.evaluate import evaluate
from zoo.cli.latent import classify, interpolate, mix, transfer, vary
from zoo.cli.leaderboard import gallery, leaderboard
from zoo.cli.listing import list_
from zoo.cli.models import Chosen, with_model
from zoo.cli.places import with_place
from zoo.cli.play import play
from zoo.cli.sample import sample, verb_of
from zoo.cli.ship import ship
from zoo.cli.speech import speak
from zoo.errors import UsageError, exit_on_error
from zoo.ranges import BatchSize, Count, Hertz, Seconds, checked


def export(
    run: Chosen,
    /,
    to: Literal["stablehlo"] = "stablehlo",
    out: pathlib.Path = pathlib.Path("exported"),
    batch: BatchSize | None = None,
    platform: Literal["cpu", "cuda", "rocm", "tpu"] = "cpu",
) -> None:
    """Write a model's streaming step for programs without zoo: jax.export and MLIR.

    Args:
        run: the model.
        to: the format.
        out: the folder to write.
        batch: number of streams at a time; by default any number.
        platform: the platform to run on.
    """
    from zoo.inference.export import export

    folder = export(run.load(), out, batch=batch, platform=platform)
    print(f"{to} in {folder}; {folder / 'about.json'} names what goes in and out")


def data(
    action: Positional[Literal["build"]],
    corpus: Positional[str],
    /,
    for_: Annotated[str | None, tyro.conf.arg(name="for")] = None,
    force: bool = False,
    workers: Count = 2,
    beam: str | None = None,
    rate: Hertz = 16_000,
    seconds: Seconds = 4.0,
    list_: Annotated[bool, tyro.conf.arg(name="list")] = False,
    metre: str = "",
    metres: tuple[str, ...] = (),
) -> None:
    """Build a corpus, if it is not built yet, and print what was kept and dropped.

    Args:
        action: what to do.
        corpus: tunes, essen, chorales, maestro, lakh, pop909, nottingham, groove,
            folder:/path, or a union such as tunes+essen; of sound, soundfont_notes,
            audio_folder:/path, rendered:tunes (or any corpus), sung:tunes/flite/slt,
            spoken:flite/slt+flite/rms (or other voices), or tfds:nsynth.
        for_: also print which pieces this codec refuses, and why.
        force: build it again.
        workers: number of processes that read files.
        beam: run on Apache Beam, with these flags, such as "--runner=DirectRunner".
        rate: sample rate of sound, in hertz.
        seconds: length of a note or an excerpt of sound, in seconds.
        list_: also print every piece that was dropped, with the reason.
        metre: the metre of all pieces, such as 3/4, in place of those that they state.
        metres: metres that the codec of `for` reads; by default its own.
    """
    from zoo.data.audio import datasets
    from zoo.data.codecs import make
    from zoo.data.corpora.build import build, open_split, progress_bar
    from zoo.data.corpora.dedup import SPLITS
    from zoo.data.corpora.registry import with_metre

    if metres and not for_:
        raise UsageError("`metres` are those of a codec: name the codec by `for`.")
    if metre and corpus.startswith(datasets.SPECS):
        raise UsageError(f"{corpus} is sound, which states no metre: leave it out.")
    codec = make(for_, **{"metres": metres} if metres else {}) if for_ else None
    corpus = with_metre(corpus, metre)
    with progress_bar(f"reading {corpus}") as progress:
        if corpus.startswith(datasets.SPECS):
            of = datasets.audio_dataset(corpus, rate, seconds)
            report = datasets.build(of, workers=workers, force=force, progress=progress)
            codec = None
        else:
            flags = None if beam is None else shlex.split(beam)
            report = build(
                corpus,
                force=force,
                workers=workers,
                progress=progress,
                beam_flags=flags,
            )
    if codec:
        records = (record for split in SPLITS for record in open_split(corpus, split))
        report = report.with_codec(codec, records)
    report.print()
    if list_:
        for line in report.list_drops():
            print(line)


def doctor() -> None:
    """Print versions installed against tested, devices, and where caches live."""
    from zoo.cli.doctor import doctor

    doctor()


COMMANDS: dict[str, Callable[..., None]] = {
    "sample": with_model(sample, verb_of),
    "compose": with_model(compose, "compose"),
    "play": play,
    "interpolate": with_model(interpolate, "interpolate"),
    "mix": with_model(mix, "mix"),
    "vary": with_model(vary, "vary"),
    "transfer": with_model(transfer, "transfer"),
    "classify": with_model(classify, "classify"),
    "reconstruct": with_model(reconstruct, "reconstruct"),
    "blend": with_model(blend, "blend"),
    "speak": with_model(speak, "speak"),
    "evaluate": with_model(evaluate, "evaluate"),
    "leaderboard": leaderboard,
    "gallery": gallery,
    "export": with_model(export, "export"),
    "data": data,
    "list": list_,
    "ship": ship,
    "doctor": doctor,
}


def main() -> None:
    """The entry point of the `zoo` command."""

    def run() -> None:
        commands = {name: checked(with_place(x)) for name, x in COMMANDS.items()}
        tyro.extras.subcommand_cli_from_dict(commands, prog="zoo")

    exit_on_error(run)


if __name__ == "__main__":
    main()
