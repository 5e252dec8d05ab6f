"""Training that starts from weights for non-commercial use asks first."""

import dataclasses
import importlib
import inspect

import pytest
from small_models import trained

from zoo.errors import UsageError
from zoo.inference import shipped
from zoo.inference.loading import load
from zoo.models import LSTM
from zoo.runner import train, train_on_latents
from zoo.runner.results import write
from zoo.runner.run import source
from zoo.runner.ship import ship
from zoo.runner.terms import inherited, licences_of
from zoo.tasks import Events, LatentSequences
from zoo.train.options import Options
from zoo.train.weights import WeightFile

ASKS = "non-commercial use only, as is the music .*: give `accept_licence` to agree"
LICENCE = "For non-commercial use only."
AGREED = Options(accept_licence=True)
MODELS = {  # by experiment: its arguments that are models
    "harmonise": ("model",),
    "latent_diffusion": ("vae",),
    "latent_mdn": ("vae",),
    "music_vae_prior": ("vae",),
    "rate_accuracy": ("vae",),
    "reconstruct": ("vae",),
    "style_transfer": ("vae", "guide", "judge"),
    "vocoder_refined": ("vocoder",),
}


@pytest.fixture
def weights(tmp_path):
    """The weights of a small LSTM, for non-commercial use."""
    card = {"non_commercial": True, "corpus": "essen", "licences": {"essen": LICENCE}}
    model = dataclasses.replace(trained("lstm"), about={"card": card})
    return model.save(tmp_path / "a_nc.safetensors")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_experiment_on_a_model_asks_once(name, weights, tmp_path):
    run = getattr(importlib.import_module(name), name)
    arguments = dict.fromkeys(MODELS[name], weights)
    if name == "reconstruct":
        arguments["corpus"] = "chorales"
    with pytest.raises(UsageError, match=ASKS):
        run(**arguments, workdir=tmp_path / "run")
    by_options = "options" in inspect.signature(run).parameters
    agreed = {"options": AGREED} if by_options else {"accept_licence": True}
    with pytest.raises((UsageError, AttributeError)) as caught:  # it is an LSTM
        run(**arguments, **agreed, workdir=tmp_path / "run")
    assert "non-commercial" not in str(caught.value)


def test_training_on_latents_asks(weights):
    for options, says in ((Options(), ASKS), (AGREED, "LSTM has no latent space")):
        with pytest.raises(UsageError, match=says):
            train_on_latents(
                trained("latent_mdn").family,
                LatentSequences(),
                vae=weights,
                options=options,
                name="a",
                workdir=weights.parent / "run",
                steps=1,
            )


def test_the_initial_parameters_ask(
    weights, tmp_path, abc_folder, corpora, monkeypatch, capsys
):
    """They are those of a file, or of a shipped model by its name."""
    monkeypatch.setenv("ZOO_DATA", str(corpora))
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    assert source("a_nc") == str(weights)
    assert [source(x) for x in (None, "runs/mine")] == [None, "runs/mine"]
    options = Options(init_from="a_nc", quiet=True)

    def begin(options: Options):
        return train(
            LSTM(embed=8, width=8, layers=1),
            Events(f"folder:{abc_folder}", batch=8, length=64),
            name="little",
            workdir=tmp_path / "run",
            steps=1,
            options=options,
            samples=0,
        )

    with pytest.raises(UsageError, match=ASKS):
        begin(options)
    begin(dataclasses.replace(options, accept_licence=True, quiet=False))
    assert f"tensors loaded from {weights}" in capsys.readouterr().err
    ship(tmp_path / "run", out=tmp_path / "out", cards=tmp_path / "out")
    card = WeightFile(tmp_path / "out" / "little_nc.safetensors").about["card"]
    assert card["licences"].items() > {"essen": LICENCE}.items()
    saved = load(tmp_path / "run").save(
        tmp_path / "saved.safetensors"
    )  # without a card
    assert licences_of(saved) == card["licences"]


def test_a_run_inherits_the_licences_of_what_it_began_with(weights, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    assert inherited(run, [weights, tmp_path / "nowhere"]) == {"essen": LICENCE}
    trained("lstm").save(other)
    write(other / "config.json", {"licences": {"essen": LICENCE}})
    assert inherited(run, [other]) == {"essen": LICENCE}
    assert inherited(other, []) == {"essen": LICENCE}  # its origin may be gone
    assert inherited(run, []) == {}
