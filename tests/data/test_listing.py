"""Folders with links, loops, pipes, and folders that cannot be opened."""

import os

from zoo.data.corpora import listing
from zoo.data.corpora.listing import list_files, readable


def keys(root):
    found = list_files(root, {".mid"})
    return [file.key for file in found.files], {
        name: refused.detail for name, refused in found.refused
    }


def test_links_are_followed_once_and_loops_are_cut(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "b").mkdir(parents=True)
    other.mkdir()
    for path in (root / "b" / "1.mid", other / "2.MID", tmp_path / "outside.mid"):
        path.touch()
    (root / "a").symlink_to(root / "b")  # is listed as b
    (root / "b" / "loop").symlink_to(root)
    (root / "linked").symlink_to(other)
    (root / "again").symlink_to(other)
    (root / "up").symlink_to(tmp_path)
    (root / "3.mid").symlink_to(other / "2.MID")
    (root / "text.txt").touch()
    found, refused = keys(root)
    assert found == ["3.mid", "again/2.MID", "b/1.mid"]
    assert not refused
    labels = [file.label for file in list_files(root, {".mid"}).files]
    assert labels == ["root", "again", "b"]


def test_what_cannot_be_opened_is_listed_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "lost.mid").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.mid").symlink_to(tmp_path / "self.mid")
    os.mkfifo(tmp_path / "pipe.mid")
    scandir = os.scandir

    def closed(folder):  # root may open any folder
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(listing.os, "scandir", closed)
    found, refused = keys(tmp_path)
    assert not found
    assert refused == {
        "closed/": "Permission denied; check it.",
        "lost.mid": "No such file or directory; check it.",
        "pipe.mid": "It is not a file; leave it out.",
        "self.mid": "Too many levels of symbolic links; check it.",
    }


def test_names_are_text():
    assert readable(os.fsdecode(b"caf\xe9 \xc3\xa9")) == "caf\\xe9 \u00e9"
