"""`zoo sample`: pieces of a trained model."""

import pathlib
from collections.abc import Mapping
from typing import Any, Literal

from zoo.cli.models import Chosen
from zoo.cli.output import Flat, Output
from zoo.ranges import (
    Bars,
    Count,
    Length,
    Pieces,
    Position,
    PositiveShare,
    Seed,
    Several,
    Share,
    Temperature,
    TopK,
)

Voice = Literal["soprano", "alto", "tenor", "bass"]


def sample(
    run: Chosen,
    /,
    n: Pieces = 8,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK | None = None,
    top_p: PositiveShare = 1.0,
    min_p: Share = 0.0,
    no_repeat: Several | None = None,
    length: Length | None = None,
    primer: pathlib.Path | None = None,
    primer_bars: Bars | None = None,
    bars: Bars | None = None,
    rewrite: tuple[Voice, ...] = (),
    span: tuple[Position, Position] | None = None,
    grammar: bool = True,
    best_of: Count = 1,
    judge: Literal["likelihood", "critic"] = "likelihood",
    beam: Count | None = None,
    style: str | None = None,
    metre: str | None = None,
    program: str | None = None,
    out: pathlib.Path = pathlib.Path("samples"),
    output: Flat = Output(),
) -> None:
    """Write pieces: MIDI, WAV, piano roll and score, and a page that plays them.

    Args:
        run: the model.
        n: number of pieces.
        seed: seed of the sampling; the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event.
        top_k: sample from that many likeliest events only.
        top_p: sample from the likeliest events whose probabilities add up to this.
        min_p: sample from events at least this fraction as likely as the likeliest.
        no_repeat: let no run of that many events occur twice in a piece.
        length: maximum length of a piece, in events or steps.
        primer: a MIDI, ABC or MusicXML file to continue or, with rewrite or span, to
            change.
        primer_bars: bars of the primer to read, from its end; by default all, or 8
            if that leaves no bar to write.
        bars: bars of new music; by default the model ends a piece.
        rewrite: voices of the primer to rewrite, if the model can.
        span: the steps of the primer to rewrite: the first, and the one after the last.
            A model of phrases rewrites all phrases that these steps are in.
        grammar: sample only what the codec can write, so that every piece is music.
        best_of: pieces to draw for each one; the best is kept.
        judge: what selects the best: the likelihood, or the model's critic.
        beam: width of a beam search for the likeliest pieces, instead of sampling.
        style: the style to write in, one of the model's.
        metre: the metre of the primer, such as 3/4, in place of those that it states;
            in a model of note rows, the metre of every bar.
        program: the General MIDI name or number of every note, or drums, likewise.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    from zoo.cli.scores import open_score, print_remarks
    from zoo.nn.sequence.sampling import Draw

    draw = Draw(temperature, top_k, top_p, min_p=min_p, no_repeat=no_repeat)
    begin = None if primer is None else open_score(primer, metre)
    model = run.load()
    fixed: dict[str, str] = {}
    if program is not None:
        fixed["instrument"] = program
    if metre is not None and (primer is None or model.codec.lists_notes):
        fixed["metre"] = metre
    pieces = model.sample(
        n,
        seed,
        length=length,
        draw=draw,
        primer=begin,
        primer_bars=primer_bars,
        bars=bars,
        rewrite=rewrite,
        span=span,
        grammar=grammar,
        best_of=best_of,
        judge=judge,
        beam=beam,
        style=style,
        fixed=fixed,
    )
    if primer is not None:
        print_remarks(primer, pieces.remarks)
    page = output.write(pieces, out, title=f"{model.title}, seed {seed}")
    print(f"{len(pieces)} pieces in {out}; open {page}")


def verb_of(options: Mapping[str, Any]) -> str:
    """Returns the verb that the options of `sample` ask for."""
    if options.get("rewrite"):
        return "harmonise"
    if options.get("span") is not None:
        return "rewrite"
    return "sample" if options.get("primer") is None else "continue"
