"""`zoo reconstruct` and `zoo blend`: recordings through a vocoder."""

import pathlib

from tyro.conf import Positional


def reconstruct(
    file: Positional[pathlib.Path],
    /,
    run: str,
    out: pathlib.Path = pathlib.Path("reconstructed.wav"),
    like: pathlib.Path | None = None,
    share: float = 1.0,
    seed: int = 0,
) -> None:
    """Give back a recording as a model of sound has it, in its latents and out of them.

    Args:
        file: a WAV, FLAC, OGG or MP3 file.
        run: a directory that training of a VariationalVocoder has written.
        out: the WAV file to write.
        like: another recording, whose latents' means and deviations it is given.
        share: how far it is to go to those: 0 for not at all.
        seed: of the noise that is in it.
    """
    from zoo.inference.model import load
    from zoo.inference.resynthesis import resynthesise

    seconds, rate = resynthesise(load(run), file, out, seed, like, share)
    print(f"{seconds:.1f} seconds at {rate} Hz in {out}")


def blend(
    one: Positional[pathlib.Path],
    other: Positional[pathlib.Path],
    /,
    run: str,
    out: pathlib.Path = pathlib.Path("blended"),
    steps: int = 5,
    seconds: float = 10.0,
    seed: int = 0,
) -> None:
    """Go from one recording to another in the latents of a model of sound, and write a page.

    Args:
        one: a WAV, FLAC, OGG or MP3 file.
        other: another.
        run: a directory that training of a VariationalVocoder has written.
        out: the directory of the page, and of a WAV of each step.
        steps: how many, both ends among them.
        seconds: the most of each that is heard.
        seed: of the noise that is in it.
    """
    from zoo.inference.model import load
    from zoo.inference.resynthesis import blended

    print(blended(load(run), one, other, out, steps, seconds, seed))
