"""Built corpora against the readers, and builds that are interrupted or fail."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow_datasets as tfds
import tunes

from zoo.data.corpora import build as module
from zoo.data.corpora.build import build, data_root, open_split, progress_bar
from zoo.data.scores.limits import Limits
from zoo.data.scores.read import read
from zoo.errors import UsageError, ZooError
from zoo.files import xla_cache

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of twelve tunes and a malformed file, the root, and the report."""
    folder = tunes.folder(tmp_path_factory.mktemp("scores") / "mine")
    root = tmp_path_factory.mktemp("data")
    calls: list[tuple[int, int]] = []
    report = build(
        f"folder:{folder}",
        root,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 13) for done in range(14)]
    return folder, root, report


def test_a_metre_that_the_spec_states_replaces_those_of_the_files(tmp_path):
    folder = tunes.folder(tmp_path / "scores", 6)
    report = build(f"folder:{folder}@3/4", tmp_path / "data")
    assert set(report.metres) == {"3/4"}


def test_records_match_the_readers(built):
    folder, root, _ = built
    records = [
        r for split in SPLITS for r in open_split(f"folder:{folder}", split, root)
    ]
    assert len(records) == 12
    for record in records:
        path = folder / record.id.removeprefix("mine/")
        (piece,) = read(path)
        piece.sequence.id = record.id
        assert record.sequence == piece.sequence
        assert (record.style, record.source) == (path.parent.name, "mine")
        assert "your own files" in record.licence


def test_the_report_counts_pieces_and_is_saved(built):
    folder, root, report = built
    assert report.kept == {"mine": 12}
    assert report.styles == {"jigs": 6, "reels": 6}
    assert report.dropped["mine"].counts.total() == 1
    assert report.splits.total() == 12
    assert set(report.splits) == set(SPLITS)
    assert build(f"folder:{folder}", root) == report


def test_random_access(built):
    folder, root, report = built
    split = open_split(f"folder:{folder}", "train", root)
    assert len(split) == report.splits["train"]
    assert split[-1] == split[len(split) - 1] == split[-2:][1]
    assert pickle.loads(pickle.dumps(split))[0] == split[0]
    with pytest.raises(IndexError):
        split[len(split)]


def test_tfds_reads_it_too(built):
    _, root, report = built
    (folder,) = root.glob("*/music/*")
    builder = tfds.builder_from_directory(folder)
    assert {k: v.num_examples for k, v in builder.info.splits.items()} == report.splits
    assert builder.info.file_format.value == "array_record"
    example = builder.as_data_source("test")[0]
    assert set(example) == {"id", "style", "source", "licence", "sequence"}


def test_no_staging_files_are_left(built):
    _, root, _ = built
    assert {path.name for path in root.glob("*/*")} == {"music", "lock"}


def test_variants_share_a_split(tmp_path):
    (tmp_path / "scores").mkdir()
    for seed in range(8):
        notes = tunes.melody(seed)
        fifth_up = [(degree + 4, eighths) for degree, eighths in notes]
        high = [
            (degree + 7 if degree < 7 else degree, eighths) for degree, eighths in notes
        ]
        book = [tunes.abc(notes, 1), tunes.abc(fifth_up, 2, "G", 2), tunes.abc(high, 3)]
        (tmp_path / "scores" / f"{seed}.abc").write_text("\n".join(book))
    spec = f"folder:{tmp_path}/scores"
    files = [
        {
            record.id.partition("#")[0]
            for record in open_split(spec, split, tmp_path / "data")
        }
        for split in SPLITS
    ]
    assert sum(map(len, files)) == len(set.union(*files)) == 8


def test_other_limits_build_again(built):
    folder, root, _ = built
    spec, small = f"folder:{folder}", Limits(notes=47)
    with pytest.raises(
        ZooError, match="12 of 13 pieces were dropped as too-many-notes"
    ):
        build(spec, root, limits=small)
    assert len(open_split(spec, "train", root)) > 0  # the old build is kept
    report = build(spec, root, limits=Limits(notes=48))
    assert report.kept.total() == 12
    assert report.limits["notes"] == 48
    assert build(spec, root) == report


def test_a_full_disk_keeps_the_old_build(built, monkeypatch):
    folder, root, _ = built

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(ZooError, match="No space left on device"):
        build(f"folder:{folder}", root, force=True)
    monkeypatch.undo()
    assert len(open_split(f"folder:{folder}", "train", root)) > 0


def test_names_links_and_closed_folders_are_kept_or_listed(tmp_path):
    scores = tunes.folder(tmp_path / "scores", 4)
    strange = os.fsencode(scores) + b"/caf\xe9"
    os.mkdir(strange)
    with open(strange + b"/\xff\x1b.abc", "w") as file:
        file.write(tunes.abc(tunes.melody(9)))
    (scores / "loop").symlink_to(scores)
    (scores / "lost.abc").symlink_to(tmp_path / "nowhere")
    spec = f"folder:{scores}"
    report = build(spec, tmp_path / "data")
    assert report.styles == {"jigs": 2, "reels": 2, r"caf\xe9": 1}
    assert "scores/caf\\xe9/\\xff\x1b.abc" in {
        record.id
        for split in report.splits
        for record in open_split(spec, split, tmp_path / "data")
    }
    assert [*report.list_drops()] == [
        "dropped as truncated: scores/reels/broken.mid: Track 0 is missing; download "
        "the file again.",
        "dropped as unreadable: scores/lost.abc: No such file or directory; check it.",
    ]


def test_no_home_is_in_what_is_written(tmp_path, monkeypatch):
    scores = tunes.folder(tmp_path / "scores", 4)
    monkeypatch.setenv("HOME", str(tmp_path))
    report = build("folder:~/scores", tmp_path / "data")
    assert report == build(f"folder:{scores}", tmp_path / "data")
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()


def test_a_single_piece_is_in_the_train_split(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "tune.abc").write_text(tunes.abc(tunes.melody(0)))
    spec = f"folder:{tmp_path}/one"
    assert [record.id for record in open_split(spec, "train", tmp_path)] == [
        "one/tune.abc"
    ]
    with pytest.raises(ZooError, match="too small for a test split"):
        open_split(spec, "test", tmp_path)


def test_errors_of_invalid_requests(tmp_path):
    with pytest.raises(UsageError, match="There is no split 'dev'"):
        open_split("tunes", "dev", tmp_path)
    (tmp_path / "file").write_text("")
    folder = tunes.folder(tmp_path / "scores", 1)
    with pytest.raises(ZooError, match="could not be written below"):
        build(f"folder:{folder}", tmp_path / "file")


def test_the_default_root(monkeypatch):
    monkeypatch.setenv("ZOO_DATA", "/somewhere/else")
    assert data_root() == Path("/somewhere/else")
    assert xla_cache().is_relative_to("/somewhere/else")
    monkeypatch.delenv("ZOO_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_root() == Path("/cache/music-zoo/data")
    assert xla_cache() == Path("/cache/music-zoo/xla")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert data_root() == Path.home() / ".cache" / "music-zoo" / "data"


CHILD = """
import sys
from zoo.data.corpora import ingest
from zoo.data.corpora.build import build
ingest.CHUNK_FILES = 4
progress = lambda done, total: print(done, flush=True)
build(sys.argv[1], sys.argv[2], workers=1, progress=progress)
assert not {"tensorflow", "music21", "jax"} & set(sys.modules)
"""


def test_the_progress_bar_appears_with_the_first_call(capsys):
    with pytest.raises(UsageError), progress_bar("reading nosuch") as progress:
        build("nosuch", progress=progress)
    assert capsys.readouterr().err == ""
    with progress_bar("reading") as progress:
        progress(2, 2)
    assert "2/2" in capsys.readouterr().err


def test_a_killed_build_is_resumed(tmp_path):
    spec, root = f"folder:{tunes.folder(tmp_path / 'scores', 40)}", tmp_path / "data"
    command = [sys.executable, "-W", "ignore", "-c", CHILD, spec, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while int(child.stdout.readline()) < 9:
            pass
        child.send_signal(signal.SIGKILL)
    assert len(list(root.glob("*/staging-*/*.json"))) >= 2
    assert not list(root.glob("*/music/*"))
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    assert int(done[0]) >= 8
    assert int(done[-1]) == 41
    fresh = build(spec, tmp_path / "fresh")
    again = build(spec, root)
    again.build_seconds = fresh.build_seconds
    assert again == fresh


def test_two_builds_at_once_make_one(tmp_path):
    spec, root = f"folder:{tunes.folder(tmp_path / 'scores', 6)}", tmp_path / "data"
    command = [sys.executable, "-W", "ignore", "-c", CHILD, spec, str(root)]
    began = time.monotonic()
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0], time.monotonic() - began
    assert sorted(len(output.split()) for output in outputs) == [0, 8]
