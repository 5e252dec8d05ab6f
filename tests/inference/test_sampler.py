"""One set of controls for every family: what each does with them, or says that it does
not."""

import dataclasses
import functools

import numpy as np
import pytest
from small_models import FAMILIES, VOICES, score, trained

from zoo.core import BOUNDARY
from zoo.data.bars import model_begins
from zoo.errors import UsageError
from zoo.inference.model import Model
from zoo.inference.sampler import Request, Sampler
from zoo.models import LSTM
from zoo.nn.sequence.sampling import Draw

SOUND = "variational_vocoder", "mel_vocoder", "mel_gan", "tacotron"
WRITERS = [name for name in FAMILIES if name not in ("latent_classifier", *SOUND)]


@pytest.fixture(scope="module", params=WRITERS)
def model(request) -> Model:
    return trained(request.param)


@pytest.fixture(scope="module")
def lstm() -> Model:
    return trained("lstm")


@pytest.fixture(scope="module")
def coconet() -> Model:
    return trained("coconet")


HYMN = score("72 71 69 67", "64 65 66 67", "60 62 60 59", "48 50 52 55")


def primer(model):
    if hasattr(model.family, "vae"):
        return score("62 63", beats=1)
    return HYMN if model.codec is VOICES else score("62 63 61 60")


def test_every_family_writes_music_and_goes_on_from_a_primer(model):
    scored, goes_on = hasattr(model.family, "log_prob"), model.sampler.takes("primer")
    if not scored:
        with pytest.raises(UsageError, match="has no likelihood"):
            model.sample(2, best_of=2)
    whole = not goes_on or hasattr(model.family, "vae")  # of one length
    size = model.family.length if whole else 30
    asked = {
        "length": None if whole else size,
        "primer": primer(model) if goes_on else None,
    }
    piece, *_ = pieces = model.sample(2, seed=1, best_of=1 + scored, **asked)
    assert len(pieces) == 2
    assert all(piece.notes for piece in pieces)
    if not goes_on:
        with pytest.raises(UsageError, match="leave the primer out"):
            model.tokens(2, primer=model.codec.encode(piece))
        return
    begun = model.prime(primer(model)).array
    rows = model.tokens(4, seed=1, length=asked["length"], primer=begun)
    assert rows.shape[:2] == (4, size)
    assert (rows[:, : len(begun)] == begun).all()


def test_a_classifier_writes_nothing_and_says_so():
    with pytest.raises(UsageError, match="LatentClassifier classifies music"):
        trained("latent_classifier").sample(1)
    with pytest.raises(UsageError, match="LatentClassifier classifies music"):
        trained("latent_classifier").sample(1, primer=HYMN)


def test_a_family_searches_with_beams_or_says_that_it_does_not(model):
    if not model.sampler.streams:
        with pytest.raises(UsageError, match="does not write event by event"):
            model.sample(2, beam=3)
        return
    rows = model.sampler.search(4, Request(length=20))
    rules = model.codec.grammar()
    assert len(rows) == 4
    assert all(rules.first_illegal(np.trim_zeros(row)) is None for row in rows)


def test_no_repeat_is_for_events(model):
    if not model.sampler.takes("grammar"):
        with pytest.raises(UsageError, match="no_repeat is about events"):
            model.sample(1, draw=Draw(no_repeat=8))


def test_lengths_of_one_bucket_share_a_program_and_their_draws(lstm):
    traced = []

    class Counted(LSTM):
        @functools.wraps(LSTM.sample)
        def sample(self, *args, **kwargs):
            traced.append(kwargs["length"])
            return super().sample(*args, **kwargs)

    fields = {
        x.name: getattr(lstm.family, x.name) for x in dataclasses.fields(lstm.family)
    }
    sampler = Sampler(Counted(**fields), lstm.params, lstm.codec)
    free = [
        sampler.draw(8, 3, Request(length=length, grammar=False))
        for length in (34, 50, 64)
    ]
    kept = [sampler.draw(8, 3, Request(length=length)) for length in (34, 50, 64)]
    assert traced == [64, 64]  # once without the grammar's tables, once with them
    for rows in (free, kept):
        assert [row.shape for row in rows] == [(8, 34), (8, 50), (8, 64)]
        np.testing.assert_array_equal(rows[0][:, :30], rows[2][:, :30])
    assert not np.array_equal(free[0], kept[0])


def test_the_best_of_several_is_the_likeliest(lstm):
    all_rows = lstm.sampler.draw(12, 5, Request(length=32))
    best = lstm.sampler.draw(3, 5, Request(length=32, best_of=4))
    ends = all_rows == BOUNDARY
    mask = np.cumsum(ends, axis=1) - ends == 0
    rate = np.asarray(lstm.family.log_prob(lstm.params, all_rows, mask)) / mask.sum(
        axis=1
    )
    for i, row in enumerate(best):
        group = slice(4 * i, 4 * i + 4)
        np.testing.assert_array_equal(row, all_rows[group][rate[group].argmax()])


def test_every_sample_under_the_grammar_is_music_whatever_its_length(lstm):
    for length in (3, 4, 9):
        assert all(
            lstm.codec.decode(row).notes for row in lstm.tokens(40, length=length)
        )


@pytest.mark.parametrize(
    ("events", "length", "says"),
    [
        ([3, 1], 32, "event 2 of the primer, hold, may not stand there"),
        ([99], 32, "event 1 of the primer"),
        ([3] + [2] * 30, 32, "has 33 events or more, and 32 were requested"),
        ([3] + [5] * 31, 32, "32 events and a piece of 32 was requested"),
    ],
)
def test_a_primer_that_no_piece_begins_with_is_refused(lstm, events, length, says):
    with pytest.raises(UsageError, match=says):
        lstm.tokens(1, primer=np.array(events), length=length)


def test_without_the_grammar_any_primer_goes(lstm):
    rows = lstm.tokens(2, primer=np.array([3, 1]), length=8, grammar=False)
    assert (rows[:, :2] == [3, 1]).all()


def test_voices_and_spans_are_written_anew_and_all_else_kept(coconet):
    begun = coconet.prime(HYMN).array
    free = coconet.region(begun, ("alto", "tenor"), (4, 12))
    assert free.sum() == 16
    rows = coconet.sampler.draw(2, 1, Request(primer=begun, free=free))
    for row in rows:
        np.testing.assert_array_equal(row[~free], begun[~free])
    assert (rows[:, free] != begun[free]).any()
    assert coconet.sample(
        2, seed=1, primer=HYMN, rewrite=("alto", "tenor"), span=(4, 12)
    )


def test_a_soprano_alone_is_harmonised(coconet):
    line = score("72 71 69 67")
    piece = coconet.sample(1, seed=2, primer=line, rewrite=("alto", "tenor", "bass"))[0]
    soprano = [x.pitch for x in piece.notes if x.instrument == 0]
    assert soprano == [72, 71, 69, 67]
    assert len({x.instrument for x in piece.notes}) > 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rewrite": ("alto",)}, "nothing to rewrite"),
        ({"rewrite": ("viola",), "primer": HYMN}, "there is no voice viola"),
        ({"span": (8, 20), "primer": HYMN}, "it has 16 steps"),
        ({"span": (3, 3), "primer": HYMN}, "is not within the primer"),
        ({"primer": score("60 62", "64 65")}, "2 of the four voices: name the others"),
        ({"primer": score(*["60 62"] * 5)}, "5 voices, where a chorale has four"),
        (
            {"primer": score("60 62", "64 65"), "rewrite": ("alto",)},
            "give soprano and tenor and bass alone, or all four",
        ),
        ({"primer": HYMN, "length": 8}, "a piece of 8 was requested"),
    ],
)
def test_what_cannot_be_rewritten_is_said(coconet, options, says):
    with pytest.raises(UsageError, match=says):
        coconet.sample(1, **options)


def test_a_span_of_latents_is_written_anew_by_the_phrase():
    """A piece of four phrases of four steps, of which the span is in the second and the
    third."""
    model = trained("latent_diffusion")
    piece = score("62 63 61 60", beats=1)
    begun = model.prime(piece).array
    free = model.region(begun, (), (6, 9))
    rows = model.sampler.draw(4, 1, Request(primer=begun, free=free)).reshape(4, 4, 4)
    assert (rows[:, [0, 3]] == begun.reshape(4, 4)[[0, 3]]).all()
    assert (rows[:, [1, 2]] != begun.reshape(4, 4)[[1, 2]]).any(axis=(1, 2)).all()
    assert model.sample(1, primer=piece, span=(6, 9))
    [longer] = samples = model.sample(1, primer=piece)
    assert samples.remarks[0] == "primer: the last 2 of its 4 bars are read"
    assert model_begins(longer) == 1.0
    with pytest.raises(UsageError, match="give a shorter primer, or a span of it"):
        model.sampler.draw(1, 0, Request(primer=begun))
    with pytest.raises(UsageError, match="has no separate voices"):
        model.sample(1, primer=piece, rewrite=("alto",))
    with pytest.raises(UsageError, match="LatentMDN continues primers"):
        trained("latent_mdn").sample(1, primer=piece, span=(6, 9))


def test_a_melody_is_harmonised_by_itself_or_with_all_voices(coconet):
    rewrite = ("alto", "tenor", "bass")
    melody = score("72 71 69 67")
    [hymn] = coconet.sample(1, primer=melody, rewrite=rewrite)
    soprano = [x.pitch for x in hymn.notes if x.instrument == 0]
    assert soprano == [72, 71, 69, 67]
    assert model_begins(hymn) is None
    with pytest.raises(UsageError, match="2 of the four voices: give soprano alone"):
        coconet.sample(1, primer=score("72 71", "64 65"), rewrite=rewrite)


def test_most_families_rewrite_nothing(lstm):
    with pytest.raises(UsageError, match="LSTM writes from left to right"):
        lstm.sample(1, primer=primer(lstm), span=(0, 4))
