"""Notes rendered by a SoundFont: features, pitches, splits and qualities."""

import numpy as np
import pytest

from zoo.data.audio.datasets import build, open_split
from zoo.data.audio.nsynth_qualities import QUALITIES, measure_qualities
from zoo.data.audio.soundfont_notes import (
    FAMILIES,
    FAMILY_STARTS,
    SOURCES,
    SoundfontNotes,
    family_of,
    source_of,
)
from zoo.data.corpora.dedup import SPLITS
from zoo.errors import UsageError

FEW = SoundfontNotes(
    programs=(0, 40, 56, 73), pitches=(48, 84), every=12, velocities=(60, 120)
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    report = build(FEW, root)
    return (
        report,
        [one for split in SPLITS for one in open_split(FEW, split, root)],
        root,
    )


def test_every_note_occurs_once_with_its_features(built):
    report, notes, _ = built
    assert (
        report.kept.total() == len(notes) == len({one.id for one in notes}) == 4 * 4 * 2
    )
    assert report.styles == {"keyboard": 8, "string": 8, "brass": 8, "flute": 8}
    for one in notes:
        about, (_, pitch, velocity) = one.features, one.id.split("-")
        assert (about["pitch"], about["velocity"]) == (int(pitch), int(velocity))
        of = about["instrument"]
        assert one.label == FAMILIES[of["family"]]
        assert one.id.startswith(
            f"{one.label}_{SOURCES[of['source']]}_{of['label']:03d}-"
        )
        assert about["qualities"].keys() == set(QUALITIES)
        assert one.audio.shape == (64_000,)
        assert one.rate == 16_000


def test_notes_have_their_pitch_and_their_velocity(built):
    _, notes, _ = built
    loud = {one.id: np.sqrt((one.audio / 32767.0) ** 2).mean() for one in notes}
    for one in notes:
        window = np.hanning(16_000)
        strongest = np.abs(
            np.fft.rfft(one.audio[4000:20_000] * window, 1 << 18)
        ).argmax()
        partials = (
            strongest
            * 16_000
            / (1 << 18)
            / (440 * 2 ** ((one.features["pitch"] - 69) / 12))
        )
        assert abs(1200 * np.log2(partials / round(partials))) < 15, one.id
        assert round(partials) <= 8, one.id
        assert np.abs(one.audio).max() < 32767, one.id
        if one.id.endswith("060"):
            assert loud[one.id] < 0.5 * loud[f"{one.id[:-3]}120"]


def test_all_velocities_of_a_pitch_share_a_split(built):
    _, _, root = built
    where = {}
    for split in SPLITS:
        for one in open_split(FEW, split, root):
            where.setdefault(one.id[:-4], set()).add(split)
    assert {len(splits) for splits in where.values()} == {1}
    assert set().union(*where.values()) == set(SPLITS)


def test_rendering_is_reproducible(built, tmp_path):
    build(FEW, tmp_path)
    for split in SPLITS:
        again = open_split(FEW, split, tmp_path)
        known = {one.id: one for one in built[1]}
        assert all(np.array_equal(one.audio, known[one.id].audio) for one in again)
    assert FEW.home(tmp_path) != SoundfontNotes(programs=(0, 1)).home(tmp_path)


def test_every_program_has_a_family():
    assert {family for _, family in FAMILY_STARTS} == set(FAMILIES)
    assert [family_of(p) for p in (0, 21, 22, 33, 47, 53, 57, 127)] == [
        *("keyboard", "organ", "reed", "bass", "mallet", "vocal", "brass", "effect")
    ]
    assert {source_of(p) for p in range(128)} == set(SOURCES)


def test_qualities_are_measured():
    t = np.arange(64_000) / 16_000
    of = lambda x: {
        k
        for k, v in measure_qualities(x.astype(np.float32), 16_000, 0.75, False).items()
        if v
    }
    hum, hiss = 0.3 * np.sin(2 * np.pi * 200 * t), 0.3 * np.sin(2 * np.pi * 4000 * t)
    assert of(hum) == {"dark", "long_release"}
    assert of(hiss) == {"bright", "long_release"}
    assert of(hum * np.exp(-4 * t)) == {"dark", "fast_decay", "percussive"}
    assert of(np.where(t < 3, hum, 1e-6 * hum)) == {"dark"}
    assert of(hum * (1.2 + np.sin(2 * np.pi * t))) == {
        "dark",
        "long_release",
        "nonlinear_env",
    }
    assert measure_qualities(hum, 16_000, 0.75, True)["distortion"]


def test_errors_of_invalid_requests():
    with pytest.raises(UsageError, match="make 0 notes"):
        SoundfontNotes(programs=())
    with pytest.raises(UsageError, match="from 24 to 128"):
        SoundfontNotes(programs=(40,), velocities=(128,))
    with pytest.raises(UsageError, match="`seconds` is 0"):
        SoundfontNotes(seconds=0)
