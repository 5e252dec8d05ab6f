"""Tunes that a model continues: what it reads of a primer, and how many bars follow."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from small_models import FAMILIES, MELODY, VOICES, score, trained, with_thirds

from zoo.data.bars import bar_lines, model_begins
from zoo.data.codecs import Performance
from zoo.data.proto import NoteSequence, metres, quarters
from zoo.errors import UsageError
from zoo.inference.model import Model

HYMN = score(
    *(" ".join([x] * 3) for x in ("72 71 69 67", "64 65 66 67")),
    *(" ".join([x] * 3) for x in ("60 62 60 59", "48 50 52 55")),
)
TUNE = score(" ".join(["60 62 64 65"] * 40))
STREAMS = ("lstm", "transformer", "attention_rnn", "markov")
FRAMES = ("coconet", "note_transformer", "polyphonic_rnn")
# two bars are 33 events, and leave room for two more: few programs for many primers
LENGTH = 80


@functools.cache
def writer(name: str) -> Model:
    """The model of that name, of pieces that are long enough for a primer."""
    model = trained(name)
    family = dataclasses.replace(model.family, length=160)
    return dataclasses.replace(model, family=family)


@pytest.fixture(scope="module")
def lstm() -> Model:
    return writer("lstm")


def bars_around(piece: NoteSequence) -> tuple[float, float]:
    """Returns the bars before the mark and after it, in bars of the last metre."""
    beat, begins = quarters(piece), model_begins(piece)
    bar = metres(piece)[-1].bar
    start, end = beat(np.array([begins or 0.0, piece.total_time])) / bar
    return round(start, 4), round(end - start, 4)


@pytest.mark.parametrize("name", [*STREAMS, *FRAMES, "seqgan"])
def test_so_many_bars_follow_a_primer(name):
    model = writer(name)
    primer = HYMN if model.codec is VOICES else score("62 63 61 60 62 63 61 60")
    piece, *_ = pieces = model.sample(2, seed=1, primer=primer, bars=3)
    assert len(pieces) == 2
    for piece in pieces:
        begins = model_begins(piece)
        assert begins is not None
        line = 6.0 if primer is HYMN else 4.0
        assert begins == pytest.approx(line) or begins < line  # in its last bar
        end = line + 3 * 2.0 if name not in STREAMS else piece.total_time
        assert piece.total_time == pytest.approx(end)
        lines = bar_lines(piece, float(quarters(piece)(np.array(piece.total_time))))
        assert (lines >= float(quarters(piece)(np.array(line))) - 1e-3).sum() == 4
        kept = [x.pitch for x in piece.notes if x.start_time < begins - 1e-6]
        read = model.codec.decode_like(model.prime(primer).array, primer)
        assert kept == [x.pitch for x in read.notes if x.start_time < begins - 1e-6]


@pytest.mark.parametrize("name", ["lstm", "coconet", "polyphonic_rnn"])
def test_so_many_bars_are_written_without_a_primer(name):
    for piece in writer(name).sample(2, seed=3, bars=2):
        assert model_begins(piece) is None
        end = float(quarters(piece)(np.array(piece.total_time)))
        lines = bar_lines(piece, end)
        assert len(lines) == 3
        assert lines[-1] == pytest.approx(end)


def test_a_piece_of_bars_does_not_depend_on_the_others(lstm):
    one = lstm.sample(1, seed=4, primer=TUNE, primer_bars=2, bars=3)
    several = lstm.sample(2, seed=4, primer=TUNE, primer_bars=2, bars=3)
    assert one[0] == several[0]


def test_the_last_bars_of_a_primer_are_read(lstm):
    pieces = lstm.sample(1, primer=TUNE, primer_bars=3, bars=1)
    assert pieces.remarks == ("primer: the last 3 of its 40 bars are read",)
    assert model_begins(pieces[0]) == 6.0
    assert [x.pitch for x in pieces[0].notes][:12] == [60, 62, 64, 65] * 3


def test_a_primer_longer_than_a_piece_is_trimmed(lstm):
    """40 bars are 641 events, and 8 bars 129."""
    [piece] = pieces = lstm.sample(1, primer=TUNE, length=160)
    assert pieces.remarks == ("primer: the last 8 of its 40 bars are read",)
    assert model_begins(piece) == 16.0
    [piece] = pieces = lstm.sample(1, primer=TUNE, length=LENGTH)
    assert pieces.remarks == ("primer: the last 2 of its 40 bars are read",)
    assert model_begins(piece) == 4.0


def test_requested_bars_are_read_even_if_they_fill_a_piece(lstm):
    """Ten bars are 161 events, and a piece of this model has 160."""
    [piece] = lstm.sample(1, primer=TUNE, primer_bars=10)
    assert model_begins(piece) == 20.0


def test_bars_without_notes_at_the_end_are_left_out(lstm):
    primer = score(" ".join(["60 62 64 65"] * 2))
    primer.total_time = 24.0  # ten bars of rests follow
    [piece] = lstm.sample(1, primer=primer, length=LENGTH)
    assert model_begins(piece) == 4.0


def test_an_end_that_is_no_piece_is_refused(lstm):
    """The last bar has one note, where a melody has two or more."""
    primer = score("60 62 64 65")
    primer.notes.add(pitch=65, velocity=80, start_time=2.0, end_time=4.0)
    primer.total_time = 4.0
    with pytest.raises(UsageError, match="the end of the primer, `primer_bars=1`"):
        lstm.sample(1, primer=primer, primer_bars=1)
    assert lstm.sample(1, primer=primer, primer_bars=2, length=LENGTH)


def test_a_note_that_sounds_where_the_primer_is_cut_is_struck_there(lstm):
    primer = score("60 62 64")
    primer.notes.add(pitch=65, velocity=80, start_time=1.5, end_time=3.5)
    primer.notes.add(pitch=64, velocity=80, start_time=3.5, end_time=4.0)
    primer.total_time = 4.0
    [piece] = lstm.sample(1, primer=primer, primer_bars=1, bars=1)
    first = piece.notes[0]
    assert (first.pitch, first.start_time, first.end_time) == (65, 0.0, 1.5)


def test_a_pickup_is_a_bar_of_its_own(lstm):
    """A pickup of a quarter, and three bars of 4/4."""
    primer = NoteSequence(ticks_per_quarter=220)
    primer.time_signatures.add(time=0, numerator=1, denominator=4)
    primer.time_signatures.add(time=0.5, numerator=4, denominator=4)
    for i in range(13):
        primer.notes.add(
            pitch=60 + i % 5, velocity=80, start_time=i / 2, end_time=(i + 1) / 2
        )
    primer.total_time = 6.5
    [whole] = pieces = lstm.sample(1, primer=primer, length=LENGTH)
    assert (pieces.remarks, model_begins(whole)) == ((), 6.5)
    [two] = pieces = lstm.sample(1, primer=primer, primer_bars=2, length=LENGTH)
    assert pieces.remarks == ("primer: the last 2 of its 4 bars are read",)
    assert model_begins(two) == 4.0
    assert two.notes[0].pitch == 60 + 5 % 5


def test_the_bar_in_which_the_primer_ends_is_filled_first():
    model = writer("polyphonic_rnn")
    [piece] = model.sample(1, primer=score("62 63"), bars=2)
    assert (model_begins(piece), piece.total_time) == (1.0, 6.0)


def test_a_continuation_has_the_tempo_of_the_primer(lstm):
    primer = score("62 63 61 60")
    primer.tempos.add(time=0, qpm=120)
    slow = score("62 63 61 60")
    for note in slow.notes:
        note.start_time, note.end_time = 2 * note.start_time, 2 * note.end_time
    slow.tempos.add(time=0, qpm=60)
    slow.total_time = 4.0
    [piece] = lstm.sample(1, primer=primer, bars=2)
    [slower] = pieces = lstm.sample(1, primer=slow, bars=2)
    assert pieces.remarks == ()
    assert [tempo.qpm for tempo in slower.tempos] == [60]
    assert (model_begins(slower), slower.total_time) == (4.0, 2 * piece.total_time)
    assert [x.pitch for x in slower.notes] == [x.pitch for x in piece.notes]
    slow.tempos.add(time=3.0, qpm=90)
    remarks = lstm.sample(1, primer=slow, bars=1).remarks
    assert remarks == ("tempo: 60 quarters per minute throughout",)


def test_a_performance_beside_the_grid_is_continued_at_its_own_tempo():
    """Notes at 100 to the minute in a file that states 120 and 1/4, a third late."""
    model = writer("polyphonic_rnn")
    primer = score(" ".join(["60 60 64 65 63 65 64 62"] * 8))
    primer.source_info.encoding_type = primer.source_info.MIDI
    del primer.time_signatures[:]
    primer.time_signatures.add(numerator=1, denominator=4)
    primer.tempos.add(qpm=120)
    for note in primer.notes:
        note.start_time = 1.2 * note.start_time + 0.05
        note.end_time = 1.2 * note.end_time + 0.05
    primer.total_time = 1.2 * primer.total_time + 0.05
    [piece] = pieces = model.sample(1, primer=primer, primer_bars=4, bars=2)
    assert pieces.remarks[1].startswith("aligned: to 100.0 quarters per minute")
    assert piece.tempos[0].qpm == pytest.approx(100, abs=0.1)
    before, new = bars_around(piece)
    assert 3 < before <= 4  # the inferred bars may begin with a pickup
    assert before + new == pytest.approx(6, abs=0.01)


def test_chords_that_the_codec_drops_are_said_to_be_dropped(lstm):
    """Every note has a lower third: half of all, where a corpus allows a tenth."""
    primer = with_thirds(score("64 65 67 69"))
    pieces = lstm.sample(1, primer=primer, bars=1)
    assert pieces.remarks == ("chords: 4 lower notes dropped",)
    assert [x.pitch for x in pieces[0].notes][:4] == [64, 65, 67, 69]


def test_remarks_are_about_the_bars_that_are_read(lstm):
    primer = with_thirds(score(" ".join(["64 65 67 69"] * 3)), 2)
    assert lstm.prime(primer).remarks == ("chords: 2 lower notes dropped",)
    remarks = lstm.prime(primer, 2).remarks
    assert remarks == ("primer: the last 2 of its 3 bars are read",)


def test_frames_keep_the_metre_of_the_primer():
    """A piano roll has no metre; bars are those of the primer, and in its metre."""
    model = writer("polyphonic_rnn")
    primer = score(" ".join(["62 63 61"] * 4), beats=3)
    [piece] = model.sample(1, primer=primer, primer_bars=2, bars=2)
    assert [(x.numerator, x.denominator) for x in piece.time_signatures] == [(3, 4)]
    assert bars_around(piece) == (2, 2)


def test_a_performance_keeps_seconds_and_the_bars_of_its_primer():
    codec = Performance()
    family = dataclasses.replace(FAMILIES["lstm"].TINY, vocab=codec.vocab)
    params = jax.jit(family.init)(jax.random.key(0), family.example(2))
    model = Model(family, params, codec)
    primer = score(" ".join(["62 63 61 60"] * 4))
    primer.total_time += 0.01
    primer.notes[-1].end_time += 0.01  # no bar begins there
    read = model.prime(primer, 2)
    assert read.remarks[0] == "primer: the last 2 of its 4 bars are read"
    music = codec.decode_like(read.array, read.source)
    assert [x.pitch for x in music.notes] == [62, 63, 61, 60] * 2
    assert music.total_time == 4.01
    [piece] = model.sample(1, primer=primer, primer_bars=2, bars=1)
    assert (model_begins(piece), piece.total_time) == (4.01, 6.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"primer_bars": 0}, "`primer_bars` is 0, and the primer has 40 bars"),
        ({"primer_bars": 41}, "`primer_bars` is 41, and the primer has 40 bars"),
        ({"bars": 0}, "`bars` is 0: choose a whole number from 1"),
        ({"bars": 4, "length": 64}, "give `bars` or `length`, but not both"),
        ({"bars": 4, "beam": 2}, "leave `bars` or `beam` out"),
        ({"bars": 4, "grammar": False}, "the grammar keeps a piece from ending"),
        ({"bars": 4, "span": (0, 4)}, "leave `bars` out"),
    ],
)
def test_what_cannot_be_continued_is_said(lstm, options, says):
    with pytest.raises(UsageError, match=says):
        lstm.sample(1, primer=TUNE, **options)


def test_a_metre_that_the_model_does_not_have_is_refused(lstm):
    with pytest.raises(UsageError, match="A bar is in 5/4; it needs a model of"):
        lstm.sample(1, primer=score("62 63 61 62 63 61 62 63 61 60", beats=5))
    assert MELODY.metres == ("4/4", "6/8")


def test_a_model_of_phrases_writes_no_more_bars_than_it_has():
    """Four phrases of a bar of 1/4 each."""
    model = trained("latent_mdn")
    primer = score("62 63 61 60 62 63", beats=1)
    read = model.prime(primer, room=model.family.length, new=1)
    assert read.remarks[0] == "primer: the last 3 of its 6 bars are read"
    [piece] = model.sample(1, primer=primer, primer_bars=2, bars=1)
    assert bars_around(piece) == (2, 1)
    with pytest.raises(UsageError, match="writes 4 bars, of which the primer has 2"):
        model.sample(1, primer=primer, primer_bars=2, bars=3)
    vae = trained("music_vae")
    with pytest.raises(UsageError, match="MusicVAE writes 2 bars: choose at most 2"):
        vae.sample(1, bars=3)
    [phrase] = vae.sample(1, bars=1)
    assert bars_around(phrase) == (0, 1)
