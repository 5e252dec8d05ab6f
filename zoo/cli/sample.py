"""`zoo sample`: pieces of a trained model."""

import pathlib
from typing import Literal

from tyro.conf import Positional

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
    from zoo.data.scores.read import open_score
    from zoo.inference.model import load
    from zoo.listen.gallery import write_gallery
    from zoo.nn.sequence.sampling import Draw

    draw = Draw(temperature, top_k, top_p, min_p=min_p, no_repeat=no_repeat)
    begin = None if primer is None else open_score(primer)
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
