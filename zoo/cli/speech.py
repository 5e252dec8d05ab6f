"""`zoo speak`: a text as speech."""

import pathlib

from tyro.conf import Positional

from zoo.cli.models import Chosen
from zoo.ranges import Pace, Seed, Weight


def speak(
    text: Positional[str],
    /,
    run: Chosen,
    voice: dict[str, Weight] | None = None,
    pace: Pace = 1.0,
    vocoder: str | None = None,
    seed: Seed = 0,
    out: pathlib.Path = pathlib.Path("spoken.wav"),
) -> None:
    """Speak an English text, and write a WAV.

    Args:
        text: the text, or a .txt file of it.
        run: the model.
        voice: a voice of the model and its weight, or several, such as flite/slt 0.6
            flite/rms 0.4; by default the first of the model.
        pace: factor of speed.
        vocoder: a run or shipped model that decodes the model's mel spectra; by
            default the algorithm of Griffin & Lim.
        seed: seed of the sampling.
        out: the WAV file to write.
    """
    from zoo.cli.scores import open_text
    from zoo.errors import printable
    from zoo.inference.speech import require_speech
    from zoo.listen.synth import write_wav

    model = require_speech(run.load())
    words = open_text(text)
    decoder = None if vocoder is None else run.load(vocoder)
    audio = model.speak(words, voice, seed, pace=pace, vocoder=decoder)
    for remark in model.read(words).remarks:
        print(printable(remark))
    rate = model.family.rate
    write_wav(out, audio[:, None], rate)
    print(f"{len(audio) / rate:.1f} seconds at {rate} Hz in {out}")
