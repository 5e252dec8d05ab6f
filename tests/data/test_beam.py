"""Builds on Apache Beam have the same records."""

import importlib.util

import pytest
import tunes

from zoo.data.corpora import beam, ingest
from zoo.data.corpora.build import build, open_split
from zoo.errors import ZooError

INSTALLED = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not INSTALLED, reason="apache-beam is not installed")


@needs_beam
@pytest.mark.filterwarnings("ignore")  # warnings of Beam
def test_the_direct_runner_builds_the_same_dataset(tmp_path, monkeypatch):
    spec = f"folder:{tunes.folder(tmp_path / 'scores')}"
    monkeypatch.setattr(ingest, "CHUNK_FILES", 5)
    here = build(spec, tmp_path / "here")
    there = build(spec, tmp_path / "there", beam_flags=["--runner=DirectRunner"])
    there.build_seconds = here.build_seconds
    assert there == here
    for split in here.splits:
        ours, theirs = (
            open_split(spec, split, tmp_path / name) for name in ("here", "there")
        )
        assert list(ours) == list(theirs)


@needs_beam
def test_the_flags_choose_the_runner():
    assert beam.runner(["--runner=FlinkRunner"]) == "FlinkRunner"
    assert beam.runner([]) == "DirectRunner"


@pytest.mark.skipif(INSTALLED, reason="apache-beam is installed")
def test_without_beam_the_extra_is_named(tmp_path):
    spec = f"folder:{tunes.folder(tmp_path / 'scores', 1)}"
    with pytest.raises(ZooError, match=r"pip install 'music-zoo\[beam\]'"):
        build(spec, tmp_path / "data", beam_flags=[])
