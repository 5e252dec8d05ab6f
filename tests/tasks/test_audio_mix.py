"""Audio of several corpora, in equal shares."""

import dataclasses

import numpy as np
import pytest
import soundfile

from zoo.errors import UsageError
from zoo.tasks import Audio

RATE = 800


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Loud recordings, and quiet ones of which there are more."""
    home = tmp_path_factory.mktemp("mixed")
    for name, level, count in (("loud", 0.5, 4), ("quiet", 0.05, 8)):
        (home / name).mkdir()
        for i in range(count):
            tone = level * np.sin(np.arange(2 * RATE) * (0.1 + 0.02 * i))
            soundfile.write(home / name / f"{i}.wav", tone, RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(home / "data"))
        corpus = f"audio_folder:{home / 'loud'},audio_folder:{home / 'quiet'}"
        yield Audio(corpus, RATE, seconds=1.0, length=128, batch=4)


def test_a_batch_has_equal_shares_of_each_corpus(task):
    batches = task.train_batches(seed=3)
    for step in range(5):
        levels = np.abs(batches[step]["audio"].astype(int)).max(axis=1)
        assert (levels[:2] > 8000).all()
        assert (levels[2:] < 3000).all()


def test_a_batch_is_a_function_of_seed_and_step(task):
    later = task.train_batches(seed=3)[7]["audio"]
    twin = dataclasses.replace(task).train_batches(seed=3)
    for step in range(8):
        batch = twin[step]["audio"]
    assert np.array_equal(batch, later)
    assert not np.array_equal(task.train_batches(seed=4)[7]["audio"], later)


def test_the_excerpts_of_a_split_follow_each_other(task):
    parts = [
        dataclasses.replace(task, corpus=corpus).excerpts("train")
        for corpus in task.corpus.split(",")
    ]
    both = task.excerpts("train")
    assert len(both) == len(parts[0]) + len(parts[1])
    ids = [excerpt.id for part in parts for excerpt in part]
    assert [excerpt.id for excerpt in both] == ids
    assert both[-1].id == parts[1][-1].id
    with pytest.raises(IndexError):
        both[len(both)]
    rows = sum(int(batch["mask"].sum()) for batch in task.eval_batches("train"))
    assert rows == len(both)


def test_the_digest_names_every_corpus(task):
    assert task.data_digest().count(",") == 1


def test_a_batch_that_cannot_be_shared_is_refused(task):
    with pytest.raises(UsageError, match="batch=5 is not a multiple of the 2 corpora"):
        dataclasses.replace(task, batch=5).train_batches()
