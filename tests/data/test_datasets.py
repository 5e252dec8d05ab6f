"""Audio folders as datasets: splits without common audio, in bounded memory."""

import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest
import soundfile

from zoo.data.audio import excerpt_spec
from zoo.data.audio.batches import AudioBatches, audio_eval_batches
from zoo.data.audio.datasets import audio_dataset, build, open_split
from zoo.data.audio.decode import Decoder
from zoo.data.audio.folder import AudioFolder
from zoo.data.corpora.dedup import SPLITS
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

RATE = 1000


def tone(hz, seconds):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Twenty-two recordings with two labels, one with two copies, and invalid files."""
    home = tmp_path_factory.mktemp("sounds")
    for name in ("low", "high"):
        (home / name).mkdir()
    for i in range(10):
        soundfile.write(home / "low" / f"{i}.wav", tone(40 + i, 2.5), RATE)
        soundfile.write(home / "high" / f"{i}.flac", tone(200 + i, 1.5), RATE)
    for copy in ("copy", "again"):
        shutil.copy(home / "low" / "3.wav", home / "high" / f"{copy}.wav")
    (home / "high" / "text.wav").write_text("I am no sound.")
    soundfile.write(home / "silence.wav", np.zeros(RATE), RATE)
    soundfile.write(home / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    return home


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def built(place, root):
    of = AudioFolder(place, rate=RATE, seconds=1.0)
    return of, build(of, root)


def test_the_report_counts_files_kept_and_dropped(built):
    of, report = built
    assert report.kept == {of.path.name: 22}
    assert report.reasons.counts == {"unreadable": 1, "silent": 1, "not-finite": 1}
    assert report.styles == {"low": 30, "high": 20 + 6}
    assert report.seconds == 10 * 4 + 2 * 2.5
    assert report.splits.total() == 56


def test_recordings_and_identical_audio_share_a_split(built, root):
    of, report = built
    splits_by_recording, splits_by_audio = {}, {}
    for split in SPLITS:
        found = open_split(of, split, root)
        assert len(found) == report.splits[split] > 0
        for one in found:
            splits_by_recording.setdefault(one.id.split("#")[0], set()).add(split)
            splits_by_audio.setdefault(one.audio.tobytes(), set()).add(split)
            assert one.label == one.id.split("/")[0]
    assert len(splits_by_recording) == 22
    groups = [*splits_by_recording.values(), *splits_by_audio.values()]
    assert all(len(splits) == 1 for splits in groups)


def test_excerpts_are_the_recorded_audio(built, root):
    of, _ = built
    known = {one.id: one for split in SPLITS for one in open_split(of, split, root)}
    expected = tone(44, 2.5)
    for number in range(3):
        part = known[f"low/4.wav#{number}"].audio / 32767
        np.testing.assert_allclose(part, expected[number * RATE :][:RATE], atol=1e-3)


def test_a_dataset_is_built_again_only_if_a_file_changes(place, built, root, tmp_path):
    of, report = built
    assert build(of, root).to_json() == report.to_json()
    other = tmp_path / place.name
    shutil.copytree(place, other)
    soundfile.write(other / "low" / "0.wav", tone(60, 1), RATE)
    assert build(AudioFolder(other, rate=RATE, seconds=1.0), root).styles["low"] == 28
    assert of.home(root) != AudioFolder(place, rate=RATE, seconds=2.0).home(root)


def test_an_interrupted_scan_is_resumed(place, tmp_path, monkeypatch):
    of, calls = AudioFolder(place, rate=RATE, seconds=1.0), []

    def killed(done, total):
        calls.append(done)
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(of, tmp_path, workers=1, progress=killed)
    notes = of.home(tmp_path) / "staging" / "survey.jsonl"
    assert len(notes.read_text().splitlines()) >= 9
    with notes.open("a") as file:
        file.write('{"key": "low/')  # a truncated line
    calls.clear()
    whole = build(of, tmp_path, progress=lambda done, total: calls.append(done))
    assert calls[0] >= 9
    assert 25 in calls
    assert calls[-1] == 56  # the excerpts written
    assert whole.kept.total() == 22


def test_a_long_recording_is_divided_in_bounded_memory(tmp_path, monkeypatch):
    """The peak for ten minutes of noise is about two shards."""
    monkeypatch.setattr(excerpt_spec, "SHARD_SAMPLES", 1 << 20)
    long = tmp_path / "long"
    long.mkdir()
    noise = np.random.default_rng(0).normal(size=600 * 8000) * 0.1
    soundfile.write(long / "a.wav", noise, 8000)
    of = AudioFolder(long, rate=8000, seconds=2.0)
    tracemalloc.start()
    report = build(of, tmp_path / "data")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.splits.keys() == SPLITS.keys()
    assert report.splits.total() == 300
    assert peak < 6e6 < noise.size * 2


def test_a_file_that_is_lost_after_it_was_read_loses_nothing(tmp_path, monkeypatch):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for i in range(4):
        soundfile.write(sounds / f"{i}.wav", tone(40 + i, 1.0), RATE)
    (sounds / "4.wav").write_bytes((sounds / "3.wav").read_bytes()[:30])

    def removed(done, total):
        if done == total:
            shutil.rmtree(sounds, ignore_errors=True)

    of = AudioFolder(sounds, rate=RATE, seconds=1.0)
    report = build(of, tmp_path / "data", progress=removed)
    assert report.kept.total() == 4
    assert report.splits.total() == 4
    ((name, _),) = report.reasons.pieces["unreadable"]
    assert name == "4.wav"


def test_names_that_are_not_utf8_are_kept(tmp_path):
    sounds = os.fsencode(tmp_path / "sounds")
    os.makedirs(sounds + b"/caf\xe9")
    soundfile.write(sounds + b"/caf\xe9/\xff.wav", tone(40, 1.0), RATE, format="WAV")
    of = AudioFolder(tmp_path / "sounds", rate=RATE, seconds=1.0)
    report = build(of, tmp_path / "data")
    assert report.styles == {r"caf\xe9": 1}
    (one,) = open_split(of, "train", tmp_path / "data")
    assert (one.id, one.label) == (r"caf\xe9/\xff.wav#0", r"caf\xe9")


def test_samples_that_cannot_be_written_refuse_no_recording(tmp_path):
    soundfile.write(tmp_path / "0.wav", tone(40, 1.0), RATE)
    decoder = Decoder(tmp_path / "nowhere", RATE, RATE)
    with pytest.raises(ZooError, match=r"could not be written .* ZOO_DATA") as caught:
        decoder(tmp_path / "0.wav")
    assert not isinstance(caught.value, Refused)


def test_batches_are_functions_of_their_step(built, root):
    of, _ = built
    train = open_split(of, "train", root)
    batches = AudioBatches(train, 8, 300, seed=1)
    one, again = batches[5]["audio"], AudioBatches(train, 8, 300, seed=1)[5]["audio"]
    assert one.shape == (8, 300)
    assert one.dtype == np.int16
    assert np.array_equal(one, again)
    assert not np.array_equal(one, batches[6]["audio"])
    halves = [
        AudioBatches(train, 8, 300, seed=1, process=(i, 2))[5]["audio"]
        for i in range(2)
    ]
    assert {row.tobytes() for row in np.concatenate(halves)} == {
        row.tobytes() for row in one
    }
    whole = [one.audio.tobytes() for one in train]
    for row in one:
        there = row.tobytes().rstrip(b"\0")
        assert any(there in other for other in whole)


def test_evaluation_has_every_excerpt_once(built, root):
    test = open_split(built[0], "test", root)
    rows = list(audio_eval_batches(test, 4, 200))
    assert sum(row["mask"].sum() for row in rows) == len(test)
    assert {row["audio"].shape for row in rows} == {(4, 200)}
    found = np.concatenate([row["audio"][row["mask"]] for row in rows])
    assert np.array_equal(found[0], test[0].audio[:200])


def test_errors_of_invalid_requests(tmp_path, built, root):
    with pytest.raises(UsageError, match="no audio dataset"):
        audio_dataset("folder:/x")
    with pytest.raises(UsageError, match="There is no folder"):
        build(audio_dataset(f"audio_folder:{tmp_path / 'nowhere'}"), tmp_path)
    with pytest.raises(UsageError, match="contains no recording"):
        build(AudioFolder(tmp_path), tmp_path / "data")
    with pytest.raises(UsageError, match="`seconds` is 0"):
        AudioFolder(tmp_path, seconds=0)
    (tmp_path / "a.wav").write_text("no")
    with pytest.raises(ZooError, match="dropped as unreadable"):
        build(AudioFolder(tmp_path), tmp_path / "data")
    with pytest.raises(UsageError, match="reduce batch"):
        AudioBatches(open_split(built[0], "test", root), 1000, 10)


def test_the_report_is_saved(built, root):
    of, report = built
    path = next(of.home(root).rglob("report.json"))
    assert json.loads(path.read_text())["kept"] == dict(report.kept)
