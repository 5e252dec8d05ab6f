"""Spoken sentences as a dataset, and the batches of the task `Speech`."""

import collections
import importlib.util

import numpy as np
import pytest

from zoo.data.audio.datasets import audio_dataset, build
from zoo.data.audio.spoken import SHIPPED, split_of
from zoo.data.text.phonemes import Phonemes
from zoo.errors import UsageError
from zoo.tasks.speech import Speech

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None,
    reason="espeakng-loader is not installed",
)
VOICES = ("espeak/en-us", "espeak/en-us+f2")
RATE, SECONDS = 8000, 3.0
COUNTS = {"train": 4, "validation": 1, "test": 2}
LONG = "and then " * 20 + "it was over."


def chosen():
    """Returns a few sentences, of every split."""
    lines = [x for x in SHIPPED.read_text().splitlines() if x[0] != "#"]
    counts = {"train": 4, "validation": 1, "test": 2}
    short = [line for line in lines if len(line) < 30]
    return [
        x for s, n in counts.items() for x in [y for y in short if split_of(y) == s][:n]
    ]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The task on a few sentences, and the report of the built dataset."""
    file = tmp_path_factory.mktemp("texts") / "sentences.txt"
    file.write_text("\n".join(["# a remark", *chosen(), LONG]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(tmp_path_factory.mktemp("data")))
        task = Speech(f"spoken:{'+'.join(VOICES)}@{file}", RATE, SECONDS, batch=3)
        yield task, build(task.dataset(), workers=1)


def test_spec_names_voices_and_file(task):
    task, _ = task
    dataset = task.dataset()
    assert dataset.voices == VOICES
    assert dataset.spec == task.corpus
    assert dataset.texts == (*chosen(), LONG)


def test_the_shipped_sentences_are_divided_as_stated():
    lines = [x for x in SHIPPED.read_text().splitlines() if x[0] != "#"]
    counts = collections.Counter(map(split_of, lines))
    for split, share in {"train": 0.94, "validation": 0.03, "test": 0.03}.items():
        spread = (share * (1 - share) * len(lines)) ** 0.5
        assert abs(counts[split] - share * len(lines)) < 3 * spread
    first = collections.Counter(map(split_of, lines[:500]))
    assert len(first) == 3


def test_a_sentence_of_all_voices_is_in_one_split(task):
    task, report = task
    assert report.splits == {split: 2 * count for split, count in COUNTS.items()}
    for split in COUNTS:
        for one in task.excerpts(split):
            assert split_of(one.features["text"].decode()) == split
            assert one.label in VOICES
            assert "GPL" in one.licence


def test_long_sentences_are_reported(task):
    _, report = task
    counts = [drops.counts for drops in report.dropped.values()]
    assert counts == [{"long": 1}, {"long": 1}]


def test_tokens_are_those_of_the_codec(task):
    task, _ = task
    for one in task.excerpts("train"):
        tokens, ends = one.features["phonemes"], one.features["ends"]
        np.testing.assert_array_equal(
            tokens, Phonemes().encode(one.features["text"].decode())
        )
        assert len(ends) == len(tokens)
        assert (np.diff(ends) >= 0).all()
        assert ends[-1] == len(one.audio) <= RATE * SECONDS


def test_batches_have_fixed_shapes_and_padding(task):
    task, _ = task
    batches = task.train_batches(seed=1)
    batch = batches[5]
    assert {name: (x.shape, x.dtype) for name, x in batch.items()} == {
        "phonemes": ((3, 112), np.int32),
        "ends": ((3, 112), np.int32),
        "audio": ((3, 24_000), np.int16),
        "samples": ((3,), np.int32),
        "voice": ((3,), np.int32),
    }
    np.testing.assert_array_equal(batch["ends"][:, -1], batch["samples"])
    for row, samples in zip(batch["audio"], batch["samples"], strict=True):
        assert not row[samples:].any()
    again = task.train_batches(seed=1)[5]
    for name, rows in batch.items():
        np.testing.assert_array_equal(rows, again[name])


def test_an_epoch_has_every_sentence(task):
    task, _ = task
    batches = task.train_batches()
    rows = [
        (tuple(row), voice)
        for step in range(8)
        for row, voice in zip(
            batches[step]["phonemes"], batches[step]["voice"], strict=True
        )
    ]
    counts = {row: rows.count(row) for row in rows}
    assert set(counts.values()) == {3}  # 24 rows are three epochs of 8
    assert len(counts) == 8


def test_evaluation_masks_the_rows_that_fill(task):
    task, _ = task
    batches = list(task.eval_batches("test"))
    masks = [batch["mask"].tolist() for batch in batches]
    assert masks == [[True, True, True], [True, False, False]]
    assert task.sizes["voices"] == VOICES


def test_processes_share_a_batch(task):
    task, _ = task
    whole = Speech(task.corpus, RATE, SECONDS, batch=2)
    shares = [whole.train_batches(process=(i, 2))[3]["phonemes"] for i in range(2)]
    assert [len(share) for share in shares] == [1, 1]


def test_rows_that_are_too_short_are_refused(task):
    task, _ = task
    small = Speech(task.corpus, RATE, SECONDS, tokens=4, batch=2)
    with pytest.raises(UsageError, match="raise `tokens`"):
        small.train_batches()[0]


@pytest.mark.parametrize("spec", ["spoken:flite", "spoken:espeak/en-us@/nowhere.txt"])
def test_unknown_voices_and_files_are_refused(spec):
    with pytest.raises(UsageError):
        audio_dataset(spec)


def test_other_corpora_are_refused():
    with pytest.raises(UsageError, match="no corpus of speech"):
        Speech("soundfont_notes").dataset()
