"""Phrases of four voices agree with those of each voice alone."""

import jax
import numpy as np
import pytest
from scores import Tune, played, sequence

from zoo.data.batching.phrases import extract_phrases
from zoo.data.codecs import Phrase, Quartet
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.inference.attribute_steering import Steering
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.models import MusicVAE

QUARTET = Quartet(metres=("4/4",))
LINES = [  # soprano to bass, in 16ths: 4 of pickup, then four bars
    [(74, 4), *((72 + i % 4, 4) for i in range(16))],
    [(67, 10), *((64 + i % 5, 6) for i in range(9)), (None, 4)],
    [(None, 4), (55, 40), (57, 24)],
    [(50, 4), *((43 + i % 7, 8) for i in range(8))],
]


def score(lines=LINES, metre=(4, 4)) -> NoteSequence:
    whole = NoteSequence()
    for instrument, notes in enumerate(lines):
        line = sequence(Tune(metre, 4, notes))
        for note in line.notes:
            note.instrument = instrument
        whole.MergeFrom(line)
        whole.total_time = max(whole.total_time, line.total_time)
    return whole


def test_each_column_is_the_phrase_of_its_voice():
    stream = QUARTET.source.encode(score())
    one = Phrase(metres=("4/4",), high=84)
    columns = [
        one.crops(one.source.encode(sequence(Tune((4, 4), 4, line)))) for line in LINES
    ]
    found = QUARTET.crops(stream)
    assert len(found) == 3
    for phrase, lines in zip(found, zip(*columns, strict=True), strict=True):
        assert phrase.shape == (32, 4)
        np.testing.assert_array_equal(phrase, np.stack(lines, axis=1))
    stepped = QUARTET.crops(stream, 2)
    np.testing.assert_array_equal(stepped, found[::2])
    np.testing.assert_array_equal(QUARTET.encode(score()), found[0])


def test_the_music_comes_back():
    """A tenor that sounds at the start is struck; the rest is two bars of it."""
    back = QUARTET.decode(QUARTET.encode(score()))
    cut_off = [
        (p, max(a, 4) - 4, min(b, 36) - 4)
        for p, a, b in played(score())
        if a < 36 and b > 4
    ]
    assert played(back) == sorted(cut_off)
    assert {x.program for x in back.notes} == {52}
    up = QUARTET.transpose(QUARTET.encode(score()), 3)
    assert played(QUARTET.decode(up)) == [(p + 3, a, b) for p, a, b in played(back)]


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (score(LINES[:3]), "voices"),
        (score([[(74 - 8 * i, 8)] for i in range(4)]), "short"),
        (score(metre=(3, 4)), "metre"),
    ],
)
def test_refusals_state_their_reason(piece, reason):
    with pytest.raises(Refused) as refused:
        QUARTET.encode(piece)
    assert refused.value.reason == reason


def test_a_latent_space_of_quartets(tmp_path):
    """An untrained model encodes, interpolates, decodes, selects the best sample."""
    rows = extract_phrases([QUARTET.source.encode(score())], QUARTET)[:]
    assert len(rows) == 3
    family = MusicVAE(
        QUARTET.vocab,
        2,
        16,
        voices=QUARTET.voices,
        latent=4,
        encoder=(8,),
        decoder=(8,),
    )
    params = jax.jit(family.init)(jax.random.key(0), family.example(1))
    space = LatentSpace(Model(family, params, QUARTET))
    z = space.interpolate(score(), score(LINES[::-1]), 3)
    music = space.decode(z, best_of=2)
    assert z.shape == (3, 4)
    assert all(len({note.instrument for note in piece.notes}) > 1 for piece in music)
    with pytest.raises(UsageError, match="this needs melodies"):
        Steering.load(space)
