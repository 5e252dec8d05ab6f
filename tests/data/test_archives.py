"""Public collections, from tiny archives in the layouts of the real ones."""

import dataclasses
import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
import tunes
from file_server import serving
from note_seq import midi_io

from zoo.data.batching.encoded import corpus_pieces, file_codec
from zoo.data.corpora import fetch
from zoo.data.corpora.build import build, open_split
from zoo.data.corpora.public import BENCHMARKS, COLLECTIONS
from zoo.data.corpora.registry import benchmark_path, corpus, descriptions
from zoo.errors import UsageError, ZooError
from zoo.tasks import Frames

MAESTRO = ("midi_filename", "canonical_composer", "split")
MAESTRO_ROWS = [
    ("2004/a.midi", "Alban Berg", "train"),
    ("2004/b.midi", "Franz Liszt", "validation"),
    ("2018/c, d.midi", "Franz Liszt", "test"),
]
GROOVE = (
    "drummer,id,style,bpm,midi_filename,split\n"
    "drummer1,1,funk/groove1,138,drummer1/session1/1_funk.mid,train\n"
    "drummer1,2,rock,100,drummer1/session1/2_rock.mid,validation\n"
    "drummer2,3,jazz/swing,90,drummer2/eval/3_jazz.mid,test\n"
)


def midi(seed):
    """Returns a MIDI file of a random melody."""
    notes = [(60 + degree, 0.25 * n) for degree, n in tunes.melody(seed)]
    file = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(tunes.sequence(notes)).write(file)
    return file.getvalue()


def table(rows):
    header = "canonical_composer,canonical_title,split,year,midi_filename,duration"
    lines = [f'{composer},x,{split},2004,"{name}",9' for name, composer, split in rows]
    return "\n".join([header, *lines, ""]).encode()


def columns(rows):
    return json.dumps(
        {
            name: {str(i): row[k] for i, row in enumerate(rows)}
            for k, name in enumerate(MAESTRO)
        }
    ).encode()


LAYOUTS = {
    "maestro": {
        "maestro-v3.0.0/maestro-v3.0.0.csv": table(MAESTRO_ROWS),
        "maestro-v3.0.0/LICENSE": b"terms",
        **{f"maestro-v3.0.0/{row[0]}": midi(i) for i, row in enumerate(MAESTRO_ROWS)},
    },
    "lakh": {
        "clean_midi/ABBA/Waterloo.mid": midi(0),
        "clean_midi/ABBA/Waterloo.1.mid": midi(1),
        "clean_midi/Alice in Chains/Rooster.mid": midi(2),
    },
    "lakh-full": {
        f"lmd_full/{i}/{i}{'f8b9a90823dd6af25ac67eaf8fef6a4'}.mid": midi(i)
        for i in range(3)
    },
    "pop909": {
        "POP909-Dataset-d83e/POP909.zip": b"the same once more",
        "POP909-Dataset-d83e/POP909/index.xlsx": b"",
        **{
            f"POP909-Dataset-d83e/POP909/00{i}/{name}": midi(i)
            for i in (1, 2, 3)
            for name in (f"00{i}.mid", f"versions/00{i}-v1.mid")
        },
    },
    "nottingham": {
        "Nottingham/train/ashover_simple_chords_1.mid": midi(0),
        "Nottingham/train/reelsa-c_simple_chords_4.mid": midi(3),
        "Nottingham/valid/reelsd-g_simple_chords_7.mid": midi(1),
        "Nottingham/test/waltzes_simple_chords_2.mid": midi(2),
        "__MACOSX/Nottingham/test/._waltzes_simple_chords_2.mid": b"no music",
    },
    "groove": {
        "groove/info.csv": GROOVE.encode(),
        "groove/README": b"",
        "groove/drummer1/session1/1_funk.mid": midi(0),
        "groove/drummer1/session1/2_rock.mid": midi(1),
        "groove/drummer2/eval/3_jazz.mid": midi(2),
    },
}
EXPECTED = {
    "maestro": set(MAESTRO_ROWS),
    "lakh": {
        ("ABBA/Waterloo.mid", "ABBA", ""),
        ("ABBA/Waterloo.1.mid", "ABBA", ""),
        ("Alice in Chains/Rooster.mid", "Alice in Chains", ""),
    },
    "lakh-full": {
        (f"{i}/{i}f8b9a90823dd6af25ac67eaf8fef6a4.mid", "lakh", "") for i in range(3)
    },
    "pop909": {(f"00{i}/00{i}.mid", "pop", "") for i in (1, 2, 3)},
    "nottingham": {
        ("train/ashover_simple_chords_1.mid", "ashover", "train"),
        ("train/reelsa-c_simple_chords_4.mid", "reels", "train"),
        ("valid/reelsd-g_simple_chords_7.mid", "reels", "validation"),
        ("test/waltzes_simple_chords_2.mid", "waltzes", "test"),
    },
    "groove": {
        ("drummer1/session1/1_funk.mid", "funk", "train"),
        ("drummer1/session1/2_rock.mid", "rock", "validation"),
        ("drummer2/eval/3_jazz.mid", "jazz", "test"),
    },
}


def packed(name):
    """Returns the archive of a layout."""
    file = io.BytesIO()
    if COLLECTIONS[name].remote.file.endswith(".zip"):
        with zipfile.ZipFile(file, "w") as archive:
            for path, data in LAYOUTS[name].items():
                archive.writestr(path, data)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for path, data in LAYOUTS[name].items():
                entry = tarfile.TarInfo(path)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def unpacked(name, folder):
    for path, data in LAYOUTS[name].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture(autouse=True)
def data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "root"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "root"


@pytest.fixture
def server():
    with serving() as server:
        yield server


def publish(server, monkeypatch, entries, name, data):
    """Puts a file on the server, and makes it the public one of `name`."""
    entry = entries[name]
    server.files[f"/{name}"] = data
    remote = dataclasses.replace(
        entry.remote,
        url=server.url(f"/{name}"),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    monkeypatch.setitem(entries, name, dataclasses.replace(entry, remote=remote))


def files(spec):
    (source,) = corpus(spec).sources
    return {(file.key, file.style, file.split) for file in source.files}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_collection_is_fetched_and_keeps_its_styles_and_splits(
    name, server, monkeypatch, capsys
):
    publish(server, monkeypatch, COLLECTIONS, name, packed(name))
    assert files(name) == EXPECTED[name]
    assert COLLECTIONS[name].remote.licence in capsys.readouterr().err
    found = corpus(name)
    assert all(file.path.is_file() for _, file in found.files)
    assert found.key == corpus(name).key
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_copy_by_hand_is_read_packed_or_unpacked(name, tmp_path, capsys):
    archive = tmp_path / COLLECTIONS[name].remote.file
    archive.write_bytes(packed(name))
    assert files(f"{name}:{archive}") == EXPECTED[name]
    assert "is not the public" in capsys.readouterr().err
    folder = unpacked(name, tmp_path / "my + copy")
    assert files(f"{name}:{folder}") == EXPECTED[name]
    (inner,) = (x for x in folder.iterdir() if x.name != "__MACOSX")
    assert files(f"{name}:{inner}") == EXPECTED[name]


def test_a_build_keeps_the_splits_of_the_collection(tmp_path):
    spec = f"maestro:{unpacked('maestro', tmp_path / 'copy')}"
    report = build(spec, workers=1)
    assert report.splits == {"train": 1, "validation": 1, "test": 1}
    assert report.licences == {"maestro": COLLECTIONS["maestro"].remote.licence}
    (record,) = open_split(spec, "test")
    assert (record.id, record.style) == ("maestro/2018/c, d.midi", "Franz Liszt")


def test_collections_stand_in_unions(tmp_path):
    folder = unpacked("nottingham", tmp_path / "a+b")
    other = tunes.folder(tmp_path / "own")
    found = corpus(f"nottingham:{folder}+folder:{other}")
    assert [source.name for source in found.sources] == ["nottingham", "own"]


@pytest.mark.parametrize("table", [columns, "rows"])
def test_maestro_has_its_splits_in_json_too(table, tmp_path):
    folder = unpacked("maestro", tmp_path) / "maestro-v3.0.0"
    (folder / "maestro-v3.0.0.csv").unlink()
    rows = [dict(zip(MAESTRO, row, strict=True)) for row in MAESTRO_ROWS]
    text = json.dumps(rows).encode() if table == "rows" else table(MAESTRO_ROWS)
    (folder / "maestro-v3.0.0.json").write_bytes(text)
    assert files(f"maestro:{folder}") == EXPECTED["maestro"]
    (folder / "maestro-v3.0.0.json").write_text("{}")
    with pytest.raises(ZooError, match="is not a table of MAESTRO"):
        files(f"maestro:{folder}")


def test_files_of_the_table_that_are_missing_are_counted(tmp_path):
    folder = unpacked("maestro", tmp_path)
    (folder / "maestro-v3.0.0" / "2004" / "a.midi").unlink()
    (source,) = corpus(f"maestro:{folder}").sources
    assert len(source.files) == 2
    assert "1 of 3 files are not in" in source.notice


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("maestro", r"no maestro-v\*\.csv or maestro-v\*\.json: give the folder"),
        ("nottingham", "no valid, test, train: give"),
        ("pop909", r"no 001/001\.mid: give"),
        ("groove", r"no info\.csv: give"),
        ("lakh", "none of the files of lakh: fetch clean_midi.tar.gz by hand"),
    ],
)
def test_a_folder_of_something_else_is_refused(name, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        corpus(f"{name}:{tmp_path}")
    with pytest.raises(UsageError, match=r"There is no file or folder .* by hand"):
        corpus(f"{name}:{tmp_path}/absent")


def archive_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_an_archive_cannot_write_outside_its_folder(tmp_path, data_root):
    outside = {"../../x.mid": midi(0), "/x.mid": midi(1), "a\\..\\..\\y.mid": midi(2)}
    path = archive_of(tmp_path / "a.zip", {**LAYOUTS["maestro"], **outside})
    assert files(f"maestro:{path}") == EXPECTED["maestro"]
    names = {x.name for x in tmp_path.rglob("*") if x.is_file()}
    assert not names & {"x.mid", "y.mid"}


def test_links_in_an_archive_are_left_out(tmp_path):
    path = tmp_path / "clean_midi.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in (("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(f"clean_midi/ABBA/{name}.mid")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("clean_midi/ABBA/a.mid")
        entry.size = len(midi(0))
        archive.addfile(entry, io.BytesIO(midi(0)))
    assert files(f"lakh:{path}") == {("ABBA/a.mid", "ABBA", "")}


@pytest.mark.parametrize("damage", ["halved", "flipped", "text", "empty"])
@pytest.mark.parametrize("name", ["maestro", "lakh"])
def test_a_damaged_archive_leaves_nothing(name, damage, tmp_path, data_root):
    data = bytearray(packed(name))
    if damage == "flipped":
        at = len(data) // 2
        data[at : at + 40] = bytes(x ^ 0xFF for x in data[at : at + 40])
    bad = {"halved": data[: len(data) // 2], "text": b"no archive", "empty": b""}
    path = tmp_path / COLLECTIONS[name].remote.file
    path.write_bytes(bad.get(damage, data))
    with pytest.raises(ZooError, match=r"download it again|neither a zip nor a tar"):
        corpus(f"{name}:{path}")
    assert [x for x in data_root.rglob("*") if x.is_dir()] == [data_root / "archives"]


def mat(most):
    """Returns the bytes of a file of piano rolls, as those of MuseData."""
    splits = {}
    for number, key in enumerate(("traindata", "validdata", "testdata"), 1):
        cell = np.empty((1, number), object)
        for i in range(number):
            cell[0, i] = np.zeros((4, 88))
            cell[0, i][1, 10 : 10 + most] = 1
        splits[key] = cell
    file = io.BytesIO()
    scipy.io.savemat(file, splits)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "steps"),
    [("jsb-rolls", 1), ("nottingham-rolls", 2), ("musedata", 1), ("piano-midi", 1)],
)
def test_piano_rolls_are_fetched_and_keep_their_splits(
    name, steps, server, monkeypatch
):
    publish(server, monkeypatch, BENCHMARKS, name, mat(15))
    task = Frames(name)
    assert task.coder.steps_per_quarter == steps
    assert not server.requests  # the codec is known without the file
    assert [len(task.pieces(s)) for s in ("train", "validation", "test")] == [1, 2, 3]
    assert task.minima(name)["slots"] == 15
    assert benchmark_path(name).name == BENCHMARKS[name].remote.file
    assert len(server.requests) == 1


def test_chorales_are_read_by_hand(tmp_path):
    file = tmp_path / "Jsb16thSeparated.json"
    rows = {key: [[[72, 67, 64, 48]]] for key in ("train", "valid", "test")}
    file.write_text(json.dumps(rows))
    for spec in (f"jsb16:{file}", f"jsb16:{tmp_path}"):
        assert len(corpus_pieces(spec, "train", file_codec(spec))) == 1
    with pytest.raises(UsageError, match=r"no file .*fetch Jsb16thSeparated\.json by"):
        benchmark_path("jsb16:/absent")


def test_piano_rolls_are_no_corpus_of_scores():
    with pytest.raises(UsageError, match="musedata contains encoded pieces"):
        corpus("musedata")


def test_a_file_that_cannot_be_fetched_says_what_to_do(server, monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    publish(server, monkeypatch, COLLECTIONS, "lakh", b"")
    server.files.clear()
    with pytest.raises(
        ZooError,
        match=r"404 Not Found: fetch clean_midi\.tar\.gz by hand \(see colinraffel\."
        r"com/projects/lmd\) and give lakh:/PATH/TO/clean_midi\.tar\.gz\.$",
    ):
        corpus("lakh")


def test_each_public_corpus_has_terms_a_source_and_a_digest():
    for name, entry in {**COLLECTIONS, **BENCHMARKS}.items():
        remote = entry.remote
        assert remote.name == name
        assert remote.url.startswith("http")
        assert len(bytes.fromhex(remote.sha256)) == 32
        assert remote.licence.endswith(".")
        assert remote.page
        assert descriptions()[name].endswith(".")
    assert all(entry.citation for entry in COLLECTIONS.values())
