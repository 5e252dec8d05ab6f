"""Excerpts of notes are as long in evaluation as in training."""

from zoo.tasks import NoteRows


def test_rows_have_the_length_of_the_task(abc_folder, corpora, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(corpora))
    for length in (5, 16, 40):
        task = NoteRows(corpus=f"folder:{abc_folder}", length=length, batch=4)
        assert task.train_batches()[0]["tokens"].shape == (4, length, 7)
        shapes = {batch["tokens"].shape for batch in task.eval_batches("test")}
        assert shapes == {(4, length, 7)}
