"""`zoo reconstruct`: a recording through a vocoder."""

import pathlib

from tyro.conf import Positional


def reconstruct(
    file: Positional[pathlib.Path],
    /,
    run: str,
    out: pathlib.Path = pathlib.Path("reconstructed.wav"),
    seed: int = 0,
) -> None:
    """Give back a recording as a model of sound has it, in its latents and out of them.

    Args:
        file: a WAV, FLAC, OGG or MP3 file.
        run: a directory that training of a VariationalVocoder has written.
        out: the WAV file to write.
        seed: of the noise that is in it.
    """
    from zoo.resynthesis import resynthesise
    from zoo.trained import load

    seconds, rate = resynthesise(load(run), file, out, seed)
    print(f"{seconds:.1f} seconds at {rate} Hz in {out}")
