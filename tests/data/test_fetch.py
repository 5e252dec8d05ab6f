"""Downloads from a local server: interrupted, resumed, wrong, absent."""

import hashlib

import numpy as np
import pytest
from file_server import serving

from zoo.data.corpora import fetch as fetching
from zoo.data.corpora.fetch import Remote, fetch
from zoo.errors import ZooError

DATA = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        server.files["/music.zip"] = DATA
        yield server


def remote(server, path="/music.zip", data=DATA):
    return Remote(
        "maestro",
        "music.zip",
        url=server.url(path),
        sha256=hashlib.sha256(data).hexdigest(),
        page="example.org/music",
        megabytes=0.3,
        licence="CC BY 4.0.",
    )


def test_a_file_is_fetched_once_and_its_licence_told_before(server, tmp_path, capsys):
    file = remote(server)
    path = fetch(file, tmp_path)
    assert path.read_bytes() == DATA
    told = capsys.readouterr().err
    assert told.startswith(f"maestro: CC BY 4.0.\nfetching {file.url} (about 0.3 MB)")
    assert fetch(file, tmp_path) == path
    assert server.requests == [("/music.zip", None)]
    assert [x.name for x in path.parent.iterdir() if x.suffix != ".lock"] == [path.name]


def test_a_connection_that_breaks_is_continued_where_it_stopped(server, tmp_path):
    server.cuts = [100_000, 0, 50_000]
    assert fetch(remote(server), tmp_path).read_bytes() == DATA
    ranges = [asked for _, asked in server.requests]
    assert ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_an_interrupted_download_is_resumed_by_the_next_call(
    server, tmp_path, monkeypatch
):
    def interrupt(response, file, report):
        file.write(response.read(70_000))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "append", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(remote(server), tmp_path)
    assert not list(tmp_path.rglob("music.zip"))
    assert fetch(remote(server), tmp_path).read_bytes() == DATA
    assert server.requests[-1][1] == "bytes=70000-"


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.ranges, server.cuts = False, [100_000]
    assert fetch(remote(server), tmp_path).read_bytes() == DATA


def test_a_download_that_was_complete_is_only_verified(server, tmp_path):
    path = fetch(remote(server), tmp_path)
    path.rename(path.with_name("music.zip.part"))
    assert fetch(remote(server), tmp_path).read_bytes() == DATA


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.codes = [503, 429]
    assert fetch(remote(server), tmp_path).read_bytes() == DATA


def test_a_connection_that_brings_nothing_ends_with_what_to_do(server, tmp_path):
    server.cuts = [1000] + [0] * 50
    with pytest.raises(
        ZooError, match=r"stopped at 1,000 bytes \(the connection .* maestro:/PATH/TO/"
    ):
        fetch(remote(server), tmp_path)
    server.cuts = []
    assert fetch(remote(server), tmp_path).read_bytes() == DATA


def test_another_file_is_refused_with_both_digests_and_removed(server, tmp_path):
    file = remote(server, data=b"what was expected")
    found = hashlib.sha256(DATA).hexdigest()
    with pytest.raises(ZooError, match=f"SHA-256 {found}, and {file.sha256} was exp"):
        fetch(file, tmp_path)
    assert not list(tmp_path.rglob("music.zip*part"))


def test_a_file_that_is_not_there_says_where_to_get_it(server, tmp_path):
    with pytest.raises(
        ZooError,
        match=r"answers 404 Not Found: fetch music\.zip by hand \(see example\.org/"
        r"music\) and give maestro:/PATH/TO/music\.zip\.$",
    ):
        fetch(remote(server, "/other.zip"), tmp_path)
    assert len(server.requests) == 1


def test_without_a_network_it_says_what_to_do(tmp_path):
    with serving() as server:
        file = remote(server)
    with pytest.raises(
        ZooError, match=r"cannot be reached \(Connection refused\): run .* by hand"
    ):
        fetch(file, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match="could not be written"):
        fetch(remote(server), tmp_path / "file")
