"""Speech of texts by small models."""

import dataclasses

import jax
import numpy as np
import pytest
from small_models import FAMILIES

from zoo.data.codecs.spoken_text import SpokenText
from zoo.data.text.phonemes import Phonemes
from zoo.errors import UsageError
from zoo.inference.loading import assembled
from zoo.inference.model import Model
from zoo.inference.speech import SpeechModel, voice_weights

TEXT = "The sea."


@pytest.fixture(scope="module")
def model():
    family = dataclasses.replace(
        FAMILIES["tacotron"].TINY,
        vocab=Phonemes().vocab,
        hop=16,  # with fewer samples, bands are empty
    )
    params = jax.jit(family.init)(jax.random.key(0), family.example(2))
    return assembled(
        family, params, SpokenText(1600), task=None, about={"experiment": "speech"}
    )


def test_a_text_is_spoken_by_a_seed(model):
    assert isinstance(model, SpeechModel)
    assert model.verbs == ("speak", "evaluate")
    audio = model.speak(TEXT, "high", seed=1)
    assert audio.ndim == 1
    assert 0 < len(audio) <= model.family.length * model.family.hop
    assert np.abs(audio).max() <= 1
    assert (model.speak(TEXT, "high", seed=1) == audio).all()


def test_voices_are_mixed_by_weights():
    names = ("low", "high")
    assert voice_weights(names, None).tolist() == [1, 0]
    assert voice_weights(names, "high").tolist() == [0, 1]
    mixed = voice_weights(names, {"high": 3.0, "low": 1.0})
    assert mixed.tolist() == [0.25, 0.75]
    with pytest.raises(UsageError, match="no voice 'alto': choose from low, high"):
        voice_weights(names, "alto")
    with pytest.raises(UsageError, match="of which one is above 0"):
        voice_weights(names, {"low": 0.0})


@pytest.mark.parametrize("text", ["", "...", "Москва"])
def test_what_cannot_be_spoken_is_said(model, text):
    with pytest.raises(UsageError, match="the text cannot be spoken: "):
        model.speak(text)


def test_a_vocoder_of_other_spectra_is_refused(model):
    other = FAMILIES["mel_gan"].TINY  # of 4 bands
    mel = np.zeros((1, 4, 8), np.float32)
    for family in (other, FAMILIES["lstm"].TINY):
        vocoder = Model(family, {}, about={"experiment": "other"})
        with pytest.raises(UsageError, match="other does not decode the mel spectra"):
            model.vocoded(mel, jax.random.key(0), vocoder)


def test_it_writes_no_music(model):
    with pytest.raises(UsageError, match="use `speak`"):
        model.sample()
