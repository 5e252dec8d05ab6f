"""Primers in a key that a model does not know: a Markov chain of tunes in C major."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import score

from zoo.data.codecs import Melody
from zoo.inference.known_keys import likeliest_transposition
from zoo.inference.model import Model
from zoo.models import Markov
from zoo.tasks import Events

MELODY = Melody()
TUNE = score("60 62 64 65 67 69 71 72 67 64 60 62 64 60 67 64")
ROWS = np.stack([MELODY.encode(TUNE)] * 4)


@pytest.fixture(scope="module")
def model():
    family = Markov(MELODY.vocab, 3, 2**12, length=256)
    net = family.init(jax.random.key(0), family.example(1))["net"]
    counts = jax.jit(family.count)(net, ROWS, np.ones(ROWS.shape, bool))
    params = {"net": jax.tree.map(jnp.add, net, counts)}
    return Model(family, params, MELODY, task=Events(transpose=0))


def moved(semitones):
    piece = copy.deepcopy(TUNE)
    for note in piece.notes:
        note.pitch += semitones
    return piece


def pitches(piece):
    return [note.pitch for note in piece.notes]


@pytest.mark.parametrize("semitones", [0, 1, -6, 5])
def test_the_likeliest_key_is_that_of_the_music_it_counted(model, semitones):
    array = MELODY.encode(moved(semitones))[:-1]
    assert likeliest_transposition(array, model.sampler) == -semitones


def test_a_primer_in_another_key_is_continued_as_in_its_own(model):
    (own,) = known = model.sample(1, seed=0, primer=TUNE, bars=1)
    (higher,) = pieces = model.sample(1, seed=0, primer=moved(1), bars=1)
    assert not known.remarks
    assert pieces.remarks[-1].startswith("transposed: by -1 semitones for the model")
    assert pitches(higher) == [pitch + 1 for pitch in pitches(own)]
    assert len(higher.notes) > len(TUNE.notes)


def test_a_model_that_learnt_all_keys_reads_a_primer_as_it_is(model):
    learnt = Model(model.family, model.params, MELODY, task=Events(transpose=5))
    assert not learnt.sample(1, seed=0, primer=moved(1), bars=1).remarks
