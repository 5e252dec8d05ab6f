"""Arenas: one representation of what different codecs and players make of a piece."""

import numpy as np
import pytest
from small_models import score

from zoo.data.codecs import Melody, Pianoroll, Quartet, Voices
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.evaluation.arena import Chorales, Excerpts, Tunes
from zoo.evaluation.excerpt_corruptions import CORRUPTIONS, labelled
from zoo.evaluation.part_tokens import VOCAB, parts_as_tokens

SCALE = "60 62 64 65 67 69 71 72"
HYMN = score("72 74 76 77", "67 67 69 69", "64 64 65 65", "48 50 52 53")
TUNES, CHORALES = Tunes(bars=1), Chorales(bars=1)


def played(piece: NoteSequence, *, qpm: float, velocity: int, program: int):
    """Returns a piece as another player plays it."""
    other = NoteSequence()
    other.CopyFrom(piece)
    del other.tempos[:]
    other.tempos.add(qpm=qpm)
    for note in other.notes:
        note.start_time *= 120 / qpm
        note.end_time *= 120 / qpm
        note.velocity, note.program = velocity, program
    other.total_time *= 120 / qpm
    return other


@pytest.mark.parametrize(("arena", "piece"), [(TUNES, score(SCALE)), (CHORALES, HYMN)])
def test_tempo_velocity_and_program_are_not_seen(arena, piece):
    other = played(piece, qpm=75, velocity=31, program=40)
    assert np.array_equal(arena.cut(piece), arena.cut(other))


def test_a_tune_is_cut_into_excerpts_that_do_not_overlap():
    excerpts = TUNES.cut(score(SCALE))
    notes = [[x.pitch for x in TUNES.decode(excerpt).notes] for excerpt in excerpts]
    assert notes == [[60, 62, 64, 65], [67, 69, 71, 72]]


def test_two_bars_of_two_four_are_one_of_four_four():
    halves = score(SCALE, beats=2)
    assert np.array_equal(TUNES.cut(halves), TUNES.cut(score(SCALE)))


def test_other_metres_have_no_excerpt():
    with pytest.raises(Refused):
        TUNES.cut(score(SCALE, beats=3))
    with pytest.raises(Refused, match="no 1 full bars"):
        CHORALES.cut(score("60 62 64", "55 57 59", beats=3))


@pytest.mark.parametrize(
    "codec", [Quartet(bars=1), Voices(), Pianoroll(onsets=False), Pianoroll()], ids=repr
)
def test_codecs_of_four_voices_are_not_told_apart(codec):
    (expected,) = CHORALES.cut(HYMN)
    (found,) = CHORALES.cut(codec.decode(codec.encode(HYMN)))
    assert np.array_equal(found, expected)


def test_a_coarser_grid_is_met_halfway():
    """A roll of quarters is that of 16ths at each quarter."""
    coarse = Pianoroll(steps_per_quarter=1, onsets=False)
    (found,) = Chorales(1, 1).cut(coarse.decode(coarse.encode(HYMN)))
    assert np.array_equal(found, CHORALES.cut(HYMN)[0][::4])


@pytest.mark.parametrize("grid", [1, 2, 3, 4, 5, 6, 8])
def test_a_roll_has_the_steps_of_its_grid(grid):
    (found,) = Chorales(1, grid).cut(HYMN)
    assert len(found) == 4 * grid
    assert np.array_equal(found[::grid], CHORALES.cut(HYMN)[0][::4])


def test_excerpts_begin_after_the_pickup():
    piece = score("60 62 64 65 67", "55 57 59 60 62")
    del piece.time_signatures[:]
    piece.time_signatures.add(numerator=1, denominator=4)
    piece.time_signatures.add(time=0.5, numerator=4, denominator=4)
    (excerpt,) = CHORALES.cut(piece)
    pitch, _ = CHORALES.parts(excerpt[None])
    assert pitch[0, ::4, 0].tolist() == [62, 64, 65, 67]


def test_parts_are_sorted_and_doubled_pitches_are_one():
    piece = score("60 60 60 60", "72 72 72 72", "60 60 60 60", "48 48 64 64")
    pitch, onset = CHORALES.parts(CHORALES.cut(piece)[0][None])
    assert pitch[0, 0].tolist() == [72, 60, 48, -1]
    assert pitch[0, 8].tolist() == [72, 64, 60, -1]
    assert onset[0, 0].tolist() == [True, True, True, False]
    assert onset[0, 8].tolist() == [False, True, False, False]
    lines = CHORALES.lines(CHORALES.cut(piece)[0][None])
    assert (lines[0, 1:] == 1).all()  # one held note


def test_tokens_name_pitches_and_intervals():
    tokens = TUNES.tokens(np.array(TUNES.cut(score(SCALE))[:1]))
    up = TUNES.tokens(np.array(TUNES.cut(score("65 67 69 70"))))
    assert tokens.max() < VOCAB
    assert (up[..., 0] - tokens[..., 0] == 5).all()  # transposed by a fourth
    assert np.array_equal(up[..., 1:], tokens[..., 1:])
    assert len({*tokens[0, ::4, 1].tolist()}) == 3  # none, a tone and a semitone


def test_leaps_of_the_bass_are_not_those_of_the_top():
    pitch = np.array([[[72, 48], [74, 48], [74, 50]]])
    onset = np.array([[[True, True], [True, False], [False, True]]])
    tokens = parts_as_tokens(pitch, onset, 1)[0]
    bass, top = tokens[:, 3], tokens[:, 4]
    assert (bass > 0).tolist() == [False, True, True]
    assert (top > 0).tolist() == [False, True, False]
    assert len({bass[1], bass[2], top[1]}) == 3  # a unison, and a tone of each


def test_excerpts_keep_their_pieces():
    refused = score("60 61")
    excerpts, reasons = TUNES.excerpts([score(SCALE), refused, score(SCALE)])
    assert excerpts.groups.tolist() == [0, 0, 2, 2]
    assert len(reasons) == 1
    assert len(excerpts.take(excerpts.groups == 2)) == 2
    assert len(Excerpts(excerpts.arrays[:0], excerpts.groups[:0])) == 0


def test_corruptions_are_labelled_and_keep_the_shape():
    arena = Tunes(bars=2)
    excerpts = np.array(arena.cut(score(f"{SCALE} {SCALE}"))[:1] * 6)
    arrays, label = labelled(arena, excerpts, np.random.default_rng(0))
    assert arrays.shape == (6 * (1 + len(CORRUPTIONS)), arena.length)
    assert (arrays[label == 0] == excerpts).all()
    names = ("real", *CORRUPTIONS)
    changed = {
        names[i]: (arrays[label == i] != excerpts).any() for i in range(len(names))
    }
    # bars of equal excerpts can be mixed without a change
    expected = {name: name not in ("real", "mixed bars") for name in names}
    assert changed == expected


def test_the_melody_codec_reads_what_the_arena_writes():
    (excerpt,) = TUNES.cut(score("60 62 64 65"))
    assert Melody().fit(TUNES.decode(excerpt)).array.size
