"""`zoo`: sample, mix, vary and the other commands."""

import pathlib
import shlex
from collections.abc import Callable
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from zoo.cli.audio import blend, reconstruct
from zoo.cli.latent import classify, interpolate, mix, transfer, vary
from zoo.errors import exit_on_error

Voice = Literal["soprano", "alto", "tenor", "bass"]


def sample(
    run: Positional[str],
    /,
    n: int = 8,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    no_repeat: int | None = None,
    length: int | None = None,
    primer: pathlib.Path | None = None,
    rewrite: tuple[Voice, ...] = (),
    span: tuple[int, int] | None = None,
    grammar: bool = True,
    best_of: int = 1,
    judge: Literal["likelihood", "critic"] = "likelihood",
    beam: int | None = None,
    style: str | None = None,
    metre: str | None = None,
    program: str | None = None,
    out: pathlib.Path = pathlib.Path("samples"),
) -> None:
    """Write pieces: MIDI, WAV, piano roll and score, and a page to hear them on.

    Args:
        run: a directory that training has written, or the name of shipped weights (`zoo list`).
        n: how many pieces.
        seed: the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event each time.
        top_k: draw from that many likeliest events only.
        top_p: draw from the likeliest events whose probability adds up to this.
        min_p: draw from events at least this fraction as likely as the likeliest.
        no_repeat: let no run of that many events come twice in a piece.
        length: most events, or steps, in a piece.
        primer: a MIDI, ABC or MusicXML file that every piece goes on from, or is a version of.
        rewrite: voices of the primer to write anew, where the model can.
        span: the steps of the primer to write anew, from the first up to the second, or, where a
            model writes phrases, all of those that these steps are in.
        grammar: draw nothing but what the codec writes, so that every piece is music.
        best_of: draw that many for each piece, and keep the likeliest, or what `judge` likes best.
        judge: whether likelihood or the model's critic says which of them is kept.
        beam: search for the likeliest pieces, with that many beginnings kept, instead of drawing.
        style: of the styles that the model knows, the one to write in.
        metre: of every bar, such as 3/4, where the model writes note by note with its metre.
        program: of every note, a General MIDI name or number, or drums, where it writes that too.
        out: where to put them.
    """
    from zoo.data.scores.read import asked
    from zoo.inference.model import load
    from zoo.listen.gallery import write_gallery
    from zoo.nn.sequence.sampling import Draw

    draw = Draw(temperature, top_k, top_p, min_p, no_repeat)
    begin = None if primer is None else asked(primer)
    model = load(run)
    pieces = model.sample(
        n,
        seed,
        length=length,
        draw=draw,
        primer=begin,
        rewrite=rewrite,
        span=span,
        grammar=grammar,
        best_of=best_of,
        judge=judge,
        beam=beam,
        style=style,
        fixed={
            k: v
            for k, v in (("metre", metre), ("instrument", program))
            if v is not None
        },
    )
    page = write_gallery(pieces, out, title=f"{model.about['experiment']}, seed {seed}")
    print(f"{len(pieces)} pieces in {out}; open {page}")


def evaluate(
    run: Positional[str],
    /,
    corpus: str | None = None,
    split: Literal["train", "validation", "test"] = "test",
    batch: int = 32,
    samples: int = 64,
    seed: int = 0,
) -> None:
    """Measure a model's likelihood on music it was not trained on, and its pieces beside that.

    Args:
        run: a directory that training has written, or the name of shipped weights.
        corpus: what to measure it on, a corpus or a file; by default what it was trained on.
        split: which part of it.
        batch: rows at a time.
        samples: pieces to draw and hold beside as many real ones, by `zoo.metrics`; 0 for none.
        seed: the same seed draws the same pieces.
    """
    from rich.console import Console
    from rich.table import Table

    from zoo.cli.evaluate import asked, beside, tabulated
    from zoo.data.codecs.waveform import Waveform
    from zoo.inference.model import load
    from zoo.runner.experiment import held_out
    from zoo.train.evaluate import evaluator, plain

    model = load(run)
    music = model.about["music"]
    trained_on = music.get("corpus") or music["data"]
    spec = corpus or trained_on
    metrics = evaluator(model.family)(model.params, held_out(model, spec, split, batch))
    table = Table("metric", "value", title=f"{run} on {spec}, {split}")
    for name, value in plain(metrics).items():
        table.add_row(name, f"{value:,.4f}")
    Console().print(table)
    writes = not (isinstance(model.codec, Waveform) or model.sampler.takes("batch"))
    if samples and writes:  # and neither gives sound back, nor only tells styles apart
        count, rows = beside(model, spec, split, samples, seed, trained_on)
        Console().print(
            tabulated(rows, f"{count} pieces of {run}, and as many of {spec}, {split}")
        )
        if "critic" in model.params:
            Console().print(asked(model, spec, split, batch, samples, seed))


def export(
    run: Positional[str],
    /,
    to: Literal["stablehlo"] = "stablehlo",
    out: pathlib.Path = pathlib.Path("exported"),
    batch: int | None = None,
    platform: Literal["cpu", "cuda", "rocm", "tpu"] = "cpu",
) -> None:
    """Write a model's streaming step, for programs without zoo: jax.export's files, and MLIR.

    Args:
        run: a directory that training has written, or the name of shipped weights.
        to: the format.
        out: the folder to put the files in.
        batch: how many streams at a time; by default any number.
        platform: what they are to run on.
    """
    from zoo.inference.export import export
    from zoo.inference.model import load

    folder = export(load(run), out, batch=batch, platform=platform)
    print(f"{to} in {folder}; {folder / 'about.json'} names what goes in and out")


def data(
    action: Positional[Literal["build"]],
    corpus: Positional[str],
    /,
    for_: Annotated[str | None, tyro.conf.arg(name="for")] = None,
    force: bool = False,
    workers: int = 2,
    beam: str | None = None,
    rate: int = 16_000,
    seconds: float = 4.0,
) -> None:
    """Build a corpus, where it is not built yet, and say what was kept, what dropped, and why.

    Args:
        action: what to do.
        corpus: tunes, essen, chorales, folder:/path, or a union such as tunes+essen; of sound,
            soundfont_notes, audio_folder:/path, rendered:tunes (or any corpus), or tfds:nsynth.
        for_: a codec; adds what it would refuse.
        force: build it again.
        workers: processes that read files.
        beam: run on Apache Beam, under these flags of its own, such as "--runner=DirectRunner".
        rate: of sound, in samples per second.
        seconds: of a note, or an excerpt of recordings.
    """
    from zoo.data.audio import datasets
    from zoo.data.codecs import make
    from zoo.data.corpora.build import build, open_split, progress_bar
    from zoo.data.corpora.dedup import SPLITS

    codec = make(for_) if for_ else None
    with progress_bar(f"reading {corpus}") as progress:
        if corpus.startswith(datasets.ALL):
            of = datasets.sounds(corpus, rate, seconds)
            datasets.build(of, workers=workers, force=force, progress=progress).print()
            return
        flags = None if beam is None else shlex.split(beam)
        report = build(
            corpus, force=force, workers=workers, progress=progress, beam_flags=flags
        )
    if codec:
        records = (record for split in SPLITS for record in open_split(corpus, split))
        report = report.with_codec(codec, records)
    report.print()


def list_() -> None:
    """Name the families, codecs, corpora and weights there are."""
    from zoo.data.codecs import CODECS
    from zoo.data.corpora.registry import KNOWN
    from zoo.inference.model import weights
    from zoo.models import families

    named: dict[str, dict[str, str | None]] = {
        "families": {name: module.__doc__ for name, module in families().items()},
        "codecs": {name: codec.__doc__ for name, codec in CODECS.items()},
        "corpora": {name: source.__doc__ for name, source in KNOWN.items()},
        "weights": dict.fromkeys(weights(), "shipped with the package"),
    }
    for kind, members in named.items():
        print(kind)
        for name, text in members.items():
            print(f"  {name:12} {(text or '').strip().splitlines()[0]}")


def doctor() -> None:
    """Print versions installed against tested, devices, and where caches live."""
    from zoo.cli.doctor import doctor

    doctor()


def main() -> None:
    """The entry point of the `zoo` command."""
    commands: dict[str, Callable[..., None]] = {
        "sample": sample,
        "interpolate": interpolate,
        "mix": mix,
        "vary": vary,
        "transfer": transfer,
        "classify": classify,
        "reconstruct": reconstruct,
        "blend": blend,
        "evaluate": evaluate,
        "export": export,
        "data": data,
        "list": list_,
        "doctor": doctor,
    }
    exit_on_error(lambda: tyro.extras.subcommand_cli_from_dict(commands, prog="zoo"))
