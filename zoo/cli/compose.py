"""`zoo compose`: tunes to words."""

import pathlib

from zoo.cli.models import Chosen
from zoo.cli.output import Flat, Output
from zoo.ranges import Count, Pieces, Pitch, Seed, Temperature


def compose(
    run: Chosen,
    /,
    lyrics: str,
    n: Pieces = 4,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    candidates: Count = 16,
    metre: str = "4/4",
    compass: tuple[Pitch, Pitch] = (59, 76),
    out: pathlib.Path = pathlib.Path("composed"),
    output: Flat = Output(),
) -> None:
    """Write tunes to an English text, with one note for each syllable.

    Args:
        run: the model.
        lyrics: the text, or a .txt file of it; each of its lines takes full bars.
        n: number of tunes, the best first.
        seed: seed of the sampling; the same seed writes the same music.
        temperature: below 1 is safer, above 1 wilder; 0 takes the likeliest event.
        candidates: tunes to draw for each one that is kept, by its likelihood and by
            how well stresses meet accents.
        metre: the metre, such as 3/4.
        compass: the lowest and the highest MIDI pitch.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    from zoo.cli.scores import open_text
    from zoo.errors import printable
    from zoo.inference import composition
    from zoo.nn.sequence.sampling import Draw

    text = open_text(lyrics)
    tunes = composition.compose(
        run.load(),
        text,
        n,
        seed,
        metre=metre,
        compass=compass,
        candidates=candidates,
        draw=Draw(temperature),
    )
    for remark in tunes.remarks:
        print(printable(remark))
    page = output.write(tunes, out, title=f"{text.strip().splitlines()[0]}")
    print(f"{len(tunes)} tunes in {out}; open {page}")
