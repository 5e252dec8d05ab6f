"""Worker processes with readers that hang, crash or fail."""

import itertools
import os
import signal
import time
from pathlib import Path

import pytest
import specimens

from zoo.data.corpora.workers import MAX_AHEAD_FILES, read_all
from zoo.data.refusal import Refused
from zoo.data.scores.limits import Limits, Piece
from zoo.data.scores.read import read
from zoo.errors import ZooError

QUICK = Limits(seconds=1.0, memory=512 << 20)


def misbehave(path: Path) -> list[Piece]:
    """Behaves as the file's name says."""
    word = path.stem.split("-")[0]
    if word == "hang":
        time.sleep(3600)
    elif word == "exit":
        os._exit(3)
    elif word == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif word == "memory":
        bytearray(8 << 30)
    elif word == "fail":
        raise RuntimeError("a bug")
    elif word == "full":
        raise ZooError("The disk is full.")
    elif word == "print":
        print("noise on standard output")
    return read(path, QUICK)


@pytest.fixture
def folder(tmp_path):
    def write(*names: str) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path in paths:
            data = specimens.midi() if path.suffix == ".mid" else specimens.ABC.encode()
            path.write_bytes(data)
        return paths

    return write


def test_a_failure_is_attributed_to_its_file(folder, capfd):
    names = (
        "good-1.abc", "hang.mid", "good-2.mid", "exit.abc", "good-3.abc",
        "segfault.mid", "good-4.mid", "memory.abc", "good-5.abc", "fail.mid",
        "print.abc", "good-6.mid",
    )  # fmt: skip
    found = dict(read_all(folder(*names), misbehave, QUICK))
    reasons = {
        path.name: result.reason
        for path, result in found.items()
        if isinstance(result, Refused)
    }
    assert [path.name for path in found] == list(names)
    assert reasons == {
        "hang.mid": "timeout",
        "exit.abc": "crash",
        "segfault.mid": "crash",
        "memory.abc": "too-much-memory",
        "fail.mid": "reader-failed",
    }
    details = {path.name: str(result) for path, result in found.items()}
    assert "code 3" in details["exit.abc"]
    assert "SIGSEGV" in details["segfault.mid"]
    assert "a bug" in details["fail.mid"]
    assert not capfd.readouterr().out


def test_pieces_are_unchanged_and_paths_are_consumed_lazily(folder):
    paths = folder("a.abc", "b.mid", "hang.abc")
    consumed = 0

    def endless():
        nonlocal consumed
        yield from paths[:2]
        for consumed in itertools.count(3):  # noqa: B007 (read outside)
            yield paths[2]

    found = read_all(endless(), misbehave, Limits(), workers=1)
    assert [next(found), next(found)] == [(path, read(path)) for path in paths[:2]]
    assert consumed <= MAX_AHEAD_FILES + 2
    begun = time.monotonic()
    found.close()
    assert time.monotonic() - begun < 60  # although its worker sleeps for an hour


def test_an_error_of_the_disk_is_not_a_refusal(folder):
    with pytest.raises(ZooError, match=r"The disk is full\.") as caught:
        list(read_all(folder("a.abc", "full.mid"), misbehave, QUICK))
    assert not isinstance(caught.value, Refused)


def test_no_files_need_no_workers():
    assert list(read_all([], misbehave, QUICK)) == []


def test_the_error_of_workers_that_cannot_start(folder, monkeypatch, tmp_path):
    (tmp_path / "note_seq.py").write_text("raise SystemExit(9)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZooError, match="exit code 9"):
        list(read_all(folder("a.abc"), misbehave, QUICK))
