"""MuseGAN on two bars of Bach's chorales, told whether they are in major or in minor.

python experiments/games/musegan_chorales.py --workdir runs/musegan_chorales
"""

from pathlib import Path
from typing import Any, Literal

from zoo.runner.experiment import Bars, launch, phrases

from zoo.data.codecs import Multitrack
from zoo.evaluation.multitrack import figures
from zoo.models import MuseGAN
from zoo.train.optim import Adam
from zoo.train.options import Options

BARS = Bars(
    "chorales",
    codec="multitrack",
    metres=("4/4",),
    batch=4,
    styles=("major", "minor"),
    label="mode",
    transpose=0,  # in eleven keys as many steps came half as near
)


def musegan_chorales(
    workdir: Path = Path("runs/musegan_chorales"),
    steps: int = 20_000,
    given: tuple[str, ...] = (),
    game: str = "least-squares",
    neurons: Literal["none", "deterministic", "stochastic", "single"] = "single",
    chords: tuple[str, ...] = (),
    r1: float = 1.0,
    latent: int = 32,
    width: int = 128,
    reader: int = 64,
    every: int = 1,
    bars: Bars = BARS,
    adam: Adam = Adam(5e-4),
    options: Options = Options(ema=0.99, save_every=2000),
    samples: int = 8,
    drawn: int = 256,
    name: str = "musegan_chorales",
) -> dict[str, Any]:
    """Trains a GAN of piano rolls, and measures how like real ones its phrases are.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        given: tracks that are not written but accompanied.
        game: how critic and generator are paired: minimax, non-saturating, least-squares,
            wasserstein, wasserstein-slope, hinge or relativistic.
        neurons: how rolls are made binary; "single" is for voices, of one key at a time.
        chords: tracks that are none.
        r1: what the critic is charged for its gradient, in a game that does not hold it back.
        latent: of each of the latents that a bar is made of.
        width: of the generator.
        reader: of the critic.
        every: steps of the critic for one of the generator.
        bars: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        drawn: phrases to draw for the comparison; 0 for none of it.
        name: what the result is called.
    """

    def family(codec: Any) -> MuseGAN:
        assert isinstance(codec, Multitrack)
        return MuseGAN(
            codec.tracks,
            given,
            codec.bars,
            steps=codec.bar,
            pitches=codec.shape[1],
            styles=bars.styles,
            latent=latent,
            width=width,
            critic_width=reader,
            critic_steps=every,
            neurons=neurons,
            game=game,
            polyphonic=chords,
            r1=r1,
        )

    return phrases(
        family,
        name=name,
        workdir=workdir,
        steps=steps,
        bars=bars,
        adam=adam,
        options=options,
        samples=0 if given else samples,
        finish=(lambda model, whole: figures(model, whole, drawn)) if drawn else None,
    )


if __name__ == "__main__":
    launch(musegan_chorales)
