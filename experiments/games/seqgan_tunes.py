"""SeqGAN on the notes of dance tunes: taught by likelihood, and from there on by its critic.

python experiments/games/seqgan_tunes.py --workdir runs/seqgan_tunes

Both stages are runs of their own: the first one's model, in WORKDIR/likelihood, is what the second
goes on from and is compared with. `--data folder:/path` takes any other music.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from zoo.runner.experiment import Frames, frames, launch

from zoo.evaluation.compound import figures
from zoo.inference.model import load
from zoo.models import SeqGAN
from zoo.train.optim import Adam
from zoo.train.options import Options

FILTERS = ((1, 64), (2, 128), (3, 128), (4, 128), (6, 128), (8, 64))
NOTES = Frames("tunes", batch=32, length=32, codec="compound", excerpts=True)


def seqgan_tunes(
    workdir: Path = Path("runs/seqgan_tunes"),
    warm: int = 3000,
    tutor: int = 1500,
    turns: int = 200,
    every: int = 3,
    rollouts: int = 8,
    lessons: int = 0,
    estimator: Literal["reinforce", "relax"] = "reinforce",
    heat: float = 1.0,
    embed: int = 64,
    width: int = 256,
    game: str = "non-saturating",
    rate: float = 2e-3,
    turn_rate: float = 1e-4,
    judge_rate: float = 3e-4,
    notes: Frames = NOTES,
    options: Options = Options(save_every=500),
    samples: int = 8,
    drawn: int = 1000,
    name: str = "seqgan_tunes",
) -> dict[str, Any]:
    """Trains a SeqGAN, and measures how like real music it writes before and after the game.

    Args:
        workdir: where everything about the runs is kept; the same one goes on.
        warm: steps of likelihood.
        tutor: steps of the critic alone.
        turns: moves of the generator against its critic.
        every: moves of the critic for one of these.
        rollouts: completions of each prefix.
        lessons: steps of the game for one of likelihood; 0 for none of it.
        estimator: of the generator's gradient, by roll-outs or through relaxed draws.
        heat: of these.
        embed: of each value of a note.
        width: of the generator's LSTM.
        game: how critic and generator are paired.
        rate: learning rate of the likelihood.
        turn_rate: of the generator in the game.
        judge_rate: of its critic.
        notes: the music and how it is cut.
        options: how the runs are run.
        samples: pieces to write at the end of each.
        drawn: excerpts to draw for the comparison.
        name: what the result is called.
    """

    rules = {
        "likelihood": Adam(rate),
        "critic": Adam(judge_rate),
        "generator": Adam(turn_rate),
        "interleaved_likelihood": Adam(turn_rate),
    }

    def stage(
        home: Path, options: Options, steps: int, warm: int, **more: Any
    ) -> dict[str, Any]:
        def family(_: int) -> SeqGAN:
            return SeqGAN(
                length=notes.length,
                embed=embed,
                width=width,
                styles=notes.styles,
                filters=FILTERS,
                warmup=warm,
                critic_warmup=tutor,
                critic_steps=every,
                rollouts=rollouts,
                likelihood_every=lessons,
                estimator=estimator,
                temperature=heat,
                game=game,
            )

        return frames(
            family,
            name=name,
            workdir=home,
            steps=steps,
            frames=notes,
            adam=rules,
            options=options,
            samples=samples,
            **more,
        )

    first = workdir / "likelihood"
    stage(first, options, warm, warm)
    options = dataclasses.replace(options, init_from=str(first))
    finish = lambda model, whole: figures(model, load(first), whole, drawn)
    return stage(workdir, options, tutor + turns * every, 0, finish=finish)


if __name__ == "__main__":
    launch(seqgan_tunes)
