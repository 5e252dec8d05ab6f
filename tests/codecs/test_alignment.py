"""Music beside the grid is put on it; metres that no music has are inferred."""

import numpy as np
import pytest
from performances import Music, Timing, arrangement, perform, right_share
from scores import FREE_TIME, barred

from zoo.data.codecs import Compound, Drums, Melody, Multitrack, Performance, Pianoroll
from zoo.data.codecs.pulse import find
from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused

CLEAN = {
    "shift": Timing(start=0.04, qpm=97),
    "other tempo": Timing(start=0.7, qpm=97.3, written=120),
    "slow": Timing(start=0.2, qpm=43, written=120),
    "fast": Timing(start=1.3, qpm=233, written=120),
    "drift": Timing(qpm=110, written=120, drift=0.1),
    "rubato": Timing(qpm=95, written=120, rubato=0.03),
    "swing": Timing(start=0.02, qpm=140, swing=0.667),
    "swing, other tempo": Timing(start=0.5, qpm=130, written=100, swing=0.6),
}
PLAYED = {
    "jitter": Timing(qpm=100, written=100, jitter=0.025),
    "jitter, other tempo": Timing(start=0.3, qpm=88, written=120, jitter=0.025),
    "jitter, rubato": Timing(qpm=104, written=120, jitter=0.025, rubato=0.02),
}
METRES = [(4, 4), (3, 4), (6, 8)]


def put(music: Music, timing: Timing, seed: int | np.random.Generator) -> float:
    """Returns the share of notes that are put on the right step."""
    sequence = perform(music, timing, np.random.default_rng(seed))
    onset = np.array([note.start_time for note in sequence.notes])
    truth = np.array([note[0] for note in music.notes])
    own = quarters(sequence)(onset)
    pulse = find(onset, own)
    assert pulse is not None
    beats = own if pulse.own else pulse.quarters(onset)
    return right_share(np.rint(4 * pulse.lattice.snapped(beats)), truth)


def music(seed: int, timing: Timing, parts: int = 3) -> Music:
    rng = np.random.default_rng(seed)
    metre = METRES[seed % 3] if timing.swing == 0.5 else (4, 4)
    pickup = (0, 2, 4)[seed % 3]
    finest = 2 if timing.qpm > 180 or timing.swing != 0.5 else 1
    return arrangement(rng, metre, pickup=pickup, finest=finest, parts=parts, bars=16)


@pytest.mark.parametrize("timing", CLEAN.values(), ids=CLEAN)
def test_without_jitter_notes_are_put_on_the_right_step(timing):
    assert min(put(music(seed, timing), timing, seed) for seed in range(3)) >= 0.99


@pytest.mark.parametrize("timing", PLAYED.values(), ids=PLAYED)
def test_with_a_jitter_of_25_ms_most_notes_are_put_on_the_right_step(timing):
    shares = [put(music(seed, timing), timing, seed) for seed in range(3)]
    assert min(shares) >= 0.97


@pytest.mark.parametrize("parts", [1, 3])
def test_long_and_short_notes_in_6_8_are_not_swing_or_of_another_tempo(parts):
    rng = np.random.default_rng(2)
    piece = arrangement(rng, (6, 8), pickup=4, parts=parts)
    timing = Timing(qpm=86.657, written=120, jitter=0.025)
    assert put(piece, timing, rng) >= 0.97


@pytest.mark.parametrize("seed", [0, 1])
def test_swing_is_not_even_music_of_another_tempo(seed):
    rng = np.random.default_rng(seed)
    piece = arrangement(rng, (4, 4), finest=2)
    timing = Timing(qpm=140, written=120, swing=0.65, jitter=0.02)
    assert put(piece, timing, rng) >= 0.97


def test_swing_whose_second_eighths_are_stronger_than_its_beats_is_read():
    rng = np.random.default_rng(11)
    piece = arrangement(rng, (2, 4), pickup=2)
    timing = Timing(start=0.02, qpm=121.254, swing=0.6363)
    assert put(piece, timing, rng) >= 0.99


def test_a_melody_alone_has_a_pulse():
    timing = Timing(start=0.4, qpm=111, written=120, drift=0.05)
    assert put(music(1, timing, parts=1), timing, 1) >= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_free_time_has_no_pulse(seed):
    rng = np.random.default_rng(seed)
    onset = np.cumsum(rng.gamma(3, 0.1, 300))
    chords = np.sort(np.repeat(onset, 3) + rng.normal(0, 0.01, 900)).clip(0)
    assert find(onset, 2 * onset) is None
    assert find(chords, 2 * chords) is None


def test_a_shift_is_taken_back_exactly_and_remarked_on():
    straight = arrangement(np.random.default_rng(0), parts=1)
    there = perform(straight, Timing(), np.random.default_rng(0), (4, 4))
    shifted = perform(
        straight, Timing(start=0.125 / 3), np.random.default_rng(0), (4, 4)
    )
    moved = Melody().fit(shifted)
    assert moved.array.tolist() == Melody().encode(there).tolist()
    assert "aligned: by -0.33 of a step" in moved.remarks


def test_music_on_the_grid_is_encoded_as_it_is():
    piece = arrangement(np.random.default_rng(4))
    score = perform(piece, Timing(qpm=90), np.random.default_rng(4), (4, 4))
    before = score.SerializeToString()
    remarks = Compound().fit(score).remarks
    assert not [x for x in remarks if x.startswith(("aligned", "metre", "swing"))]
    assert score.SerializeToString() == before


def test_another_tempo_is_found_with_its_bars_and_its_duration():
    piece = arrangement(np.random.default_rng(7), (3, 4), pickup=4)
    timing = Timing(start=0.3, qpm=101.7, written=120)
    score = perform(piece, timing, np.random.default_rng(7), (3, 4))
    fit = Compound().fit(score)
    assert "aligned: to 101.7 quarters per minute, where the file states 120" in (
        fit.remarks
    )
    decoded = Compound().decode(fit.array, qpm=101.7)
    (pickup, *_), *_ = barred(decoded)
    assert {row[1:] for row in barred(decoded)} == {(3, 4)}
    first = min(note.start_time for note in decoded.notes)
    length = max(note.end_time for note in decoded.notes) - first
    assert length == pytest.approx(score.total_time - 0.3, abs=0.3)
    assert pickup == 0
    assert round(first * 101.7 / 15) % 12 == 8  # a pickup of a quarter before a bar


@pytest.mark.parametrize("stated", [(1, 4), (1, 8), (32, 4), None])
def test_a_metre_that_no_music_has_is_inferred(stated):
    piece = arrangement(np.random.default_rng(2), (3, 4))
    score = perform(piece, Timing(), np.random.default_rng(2), stated)
    fit = Compound().fit(score)
    words = "none" if stated is None else "{}/{}".format(*stated)
    assert f"metre: 3/4 inferred, where the file states {words}" in fit.remarks
    assert {row[1:] for row in barred(Compound().decode(fit.array))} == {(3, 4)}


def test_a_metre_of_music_is_believed():
    piece = arrangement(np.random.default_rng(2), (4, 4))
    score = perform(piece, Timing(), np.random.default_rng(2), (5, 4))
    assert {x[1:] for x in barred(Compound().decode(Compound().encode(score)))} == {
        (5, 4)
    }


def test_free_time_is_refused_with_advice():
    score = NoteSequence()
    for i, onset in enumerate(FREE_TIME):
        score.notes.add(
            pitch=60 + i % 5,
            start_time=onset / 8,
            end_time=onset / 8 + 0.1,
            velocity=80,
        )
    for codec in (Melody(), Compound(), Multitrack(), Pianoroll()):
        with pytest.raises(Refused, match="Performance codec") as refused:
            codec.encode(score)
        assert refused.value.reason == "off-grid"
    assert len(Performance().encode(score))


def test_drums_are_aligned():
    score = NoteSequence()
    score.time_signatures.add(numerator=4, denominator=4)
    for i in range(64):
        time = 0.06 + i * 0.15  # eighths at 200, where 120 is the default
        score.notes.add(
            pitch=36 if i % 4 == 0 else 42,
            start_time=time,
            end_time=time + 0.05,
            velocity=100 if i % 4 == 0 else 60,
            is_drum=True,
        )
    score.total_time = 10.0
    fit = Drums(off_grid=0.25).fit(score)
    assert any(x.startswith("aligned") for x in fit.remarks)
    struck = np.flatnonzero(fit.array > 1)
    assert len(set(np.diff(struck).tolist())) == 1


def test_a_collection_of_pop_arrangements_is_kept():
    """First beats a third of a 16th beside the grid, and 1/4 as the metre."""
    codecs, kept = (Melody(low=30), Compound(), Multitrack()), np.zeros(3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        qpm = float(rng.integers(60, 140))
        step = 15 / qpm
        timing = Timing(qpm=qpm, start=step / 3, jitter=0.03 * step)
        piece = arrangement(rng, bars=24, pickup=int(rng.choice([0, 0, 4])))
        score = perform(piece, timing, rng, (1, 4))
        for i, codec in enumerate(codecs):
            try:
                codec.encode(score)
            except Refused:
                continue
            kept[i] += 1
    assert (kept >= [17, 18, 18]).all()
