"""`zoo reconstruct` and `zoo blend`: recordings through a vocoder."""

import pathlib

from tyro.conf import Positional

from zoo.cli.models import Chosen
from zoo.ranges import Seconds, Seed, Several, Share


def reconstruct(
    file: Positional[pathlib.Path],
    /,
    run: Chosen,
    out: pathlib.Path = pathlib.Path("reconstructed.wav"),
    like: pathlib.Path | None = None,
    share: Share = 1.0,
    seed: Seed = 0,
) -> None:
    """Encode a recording as latents, and write what a vocoder decodes from them.

    Args:
        file: a WAV, FLAC, OGG or MP3 file.
        run: the model.
        out: the WAV file to write.
        like: a recording whose timbre to borrow.
        share: how much of that timbre, from 0 (none) to 1 (all).
        seed: seed of the decoder's noise.
    """
    from zoo.inference.resynthesis import resynthesise
    from zoo.inference.timbre_transfer import transfer

    model = run.load()
    change = None if like is None else transfer(model, file, like, share)
    seconds, rate = resynthesise(model, file, out, seed=seed, transform=change)
    print(f"{seconds:.1f} seconds at {rate} Hz in {out}")


def blend(
    one: Positional[pathlib.Path],
    other: Positional[pathlib.Path],
    /,
    run: Chosen,
    out: pathlib.Path = pathlib.Path("blended"),
    steps: Several = 5,
    seconds: Seconds = 10.0,
    seed: Seed = 0,
) -> None:
    """Interpolate between two recordings in a vocoder's latent space, and write a page.

    Args:
        one: a WAV, FLAC, OGG or MP3 file.
        other: another.
        run: the model.
        out: the directory of the page, and of a WAV of each step.
        steps: number of steps, both ends included.
        seconds: length of each recording to use, from its beginning.
        seed: seed of the decoder's noise.
    """
    import numpy as np

    from zoo.inference.resynthesis import excerpt, require_audio
    from zoo.inference.timbre_transfer import interpolated
    from zoo.listen.audio_page import AudioComparison, write_audio_page

    model = run.load()
    require_audio(model)
    rate = model.codec.rate
    first, last = (excerpt(path, rate, seconds) for path in (one, other))
    shares = np.linspace(0, 1, steps).tolist()
    made = interpolated(model, first, last, shares, seed=seed)
    versions = {f"{share:.2f}": x for share, x in zip(shares, made, strict=True)}
    title = f"From {one.stem} to {other.stem}"
    print(write_audio_page([AudioComparison(title, versions)], out, rate, title=title))
