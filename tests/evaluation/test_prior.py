"""A prior on the latents of four voices, from training to its figures."""

import functools

import numpy as np
import pytest
from small_models import score

from zoo.evaluation.vae import prior_metrics
from zoo.inference.latent_space import LatentSpace
from zoo.inference.loading import load
from zoo.listen.synth import write_midi
from zoo.models import LatentDiffusion, MusicVAE
from zoo.runner import train, train_on_latents
from zoo.tasks import LatentSequences, Phrases
from zoo.train.options import Options

OPTIONS = Options(quiet=True)


def chorale(rng: np.random.Generator, bars: int):
    """Returns a piece of four voices, each of which walks within a sixth."""
    lines = [
        " ".join(map(str, low + rng.integers(0, 9, 4 * bars)))
        for low in (67, 60, 53, 45)
    ]
    return score(*lines)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("chorales"), np.random.default_rng(0)
    for number in range(24):
        piece = chorale(rng, 4)
        write_midi(piece, folder / f"{number}.mid")
    return f"folder:{folder}"


def test_a_prior_of_four_voices_is_measured(corpus, tmp_path, monkeypatch, corpora):
    monkeypatch.setenv("ZOO_DATA", str(corpora))
    stage = functools.partial(train, options=OPTIONS, samples=0, steps=2)
    stage(
        MusicVAE(latent=4, encoder=(8,), decoder=(8,)),
        Phrases(corpus, 1, ("4/4",), batch=8, codec="quartet"),
        name="vae",
        workdir=tmp_path / "vae",
    )
    result = train_on_latents(
        LatentDiffusion(parts=1, width=8, layers=1, heads=1),
        LatentSequences(parts=1, batch=8),
        vae=tmp_path / "vae",
        evaluate=functools.partial(prior_metrics, workdir=tmp_path),
        options=OPTIONS,
        name="prior",
        workdir=tmp_path / "prior",
        steps=2,
        samples=1,
    )
    metrics = result["metrics"]
    costs = [name for name in metrics if name.startswith(("between_cost", "prior_"))]
    assert len(costs) == 6
    assert all(np.isfinite(metrics[name]) for name in costs)
    assert metrics["accuracy_inverted"] > 0.99  # the denoiser is still linear
    assert (tmp_path / "path.png").exists()
    assert not (tmp_path / "attributes.npz").exists()  # of melodies alone

    model = load(tmp_path / "prior")
    (piece,) = model.sample(1)
    assert {note.instrument for note in piece.notes} <= set(range(4))
    ends = [chorale(np.random.default_rng(seed), 1) for seed in (1, 2)]
    space = LatentSpace.of(model)
    points = space.interpolate(*ends, 3)
    np.testing.assert_array_equal(points[[0, -1]], space.encode(ends))
