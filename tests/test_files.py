"""Files that are written whole or not at all, and places that do not exist."""

import contextlib
import pathlib
import pwd
import resource

import pytest

from zoo.errors import UsageError, ZooError
from zoo.files import (
    cache_root,
    folder_aside,
    require_place,
    without_home,
    written_aside,
    written_whole,
)


@contextlib.contextmanager
def files_of_at_most(size: int):
    """Makes the system refuse larger files, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(sizes, folder: pathlib.Path, suffix: str = "") -> pathlib.Path:
    for number, size in enumerate(sizes):
        (folder / f"{number}{suffix}").write_bytes(bytes(size))
    return folder / f"0{suffix}"


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    out = tmp_path / "some" / "samples"
    with (
        files_of_at_most(10_000),
        pytest.raises(ZooError, match=r"samples could not be written \(File too large"),
    ):
        written_whole(write)([1000, 20_000], out)
    assert not out.exists()
    assert written_whole(write)([1000, 20_000], out, suffix=".mid") == out / "0.mid"
    with files_of_at_most(10_000), pytest.raises(ZooError):
        written_whole(write)([5, 20_000], out, suffix=".mid")
    assert {x.name: x.stat().st_size for x in out.iterdir()} == {
        "0.mid": 1000,
        "1.mid": 20_000,
    }


def test_other_files_of_a_folder_are_kept(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with folder_aside(tmp_path) as staging:
        (staging / "a").write_text("new")
        assert not (tmp_path / "a").exists()
    assert {x.name for x in tmp_path.iterdir()} == {"notes.txt", "a"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZooError])
def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path, error):
    path = tmp_path / "a.wav"
    path.write_text("old")

    def fail():
        with written_aside(path) as unfinished:
            unfinished.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [(x.name, x.read_text()) for x in tmp_path.iterdir()] == [("a.wav", "old")]
    with written_aside(path) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"


def test_places_are_checked_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    require_place(tmp_path / "new" / "folder", folder=True)
    require_place(tmp_path, folder=True)
    require_place(tmp_path / "file", folder=False)
    with pytest.raises(UsageError, match="file is a file: choose another folder"):
        require_place(tmp_path / "file", folder=True)
    with pytest.raises(UsageError, match="is a folder: choose another file"):
        require_place(tmp_path, folder=False)
    with pytest.raises(UsageError, match="cannot be written"):
        require_place(tmp_path / "file" / "below", folder=True)


def test_homes(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert without_home("folder:/home/someone/a b") == "folder:~/a b"
    assert without_home("folder:/home/someoneelse/a") == "folder:/home/someoneelse/a"
    assert cache_root() == pathlib.Path("/home/someone/.cache/music-zoo")
    monkeypatch.delenv("HOME")

    def unknown(uid):
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert without_home("folder:/home/someone/a") == "folder:/home/someone/a"
    with pytest.raises(UsageError, match="set HOME"):
        cache_root()
