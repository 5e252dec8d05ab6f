"""Readers of all file types, corrections of note_seq, and refusal of invalid files."""

import gzip
import io
import struct
import zipfile

import pytest
import specimens

from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused
from zoo.data.scores.read import SUFFIXES, Limits, check, read, read_bytes


def reason(data: bytes, kind: str, limits: Limits = Limits()) -> str:
    (piece,) = read_bytes(data, kind, "x", limits)
    assert piece.sequence is None
    assert piece.refused is not None
    assert piece.refused.detail.endswith(".")
    return piece.refused.reason


def sequence(data: bytes, kind: str) -> NoteSequence:
    (piece,) = read_bytes(data, kind, "x")
    assert piece.sequence is not None, piece.refused
    return piece.sequence


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_read(suffix, tmp_path):
    plain = {
        "midi": specimens.midi(),
        "abc": specimens.ABC.encode(),
        "musicxml": specimens.musicxml(),
    }
    data = (
        specimens.mxl(plain["musicxml"])
        if suffix == ".mxl"
        else plain[SUFFIXES[suffix]]
    )
    path = tmp_path / f"A File{suffix.upper()}"
    path.write_bytes(data)
    pieces = read(path)
    assert [piece.refused for piece in pieces] == [None] * len(pieces)
    names = ["#1", "#2"] if suffix == ".abc" else [""]
    assert [piece.name for piece in pieces] == [path.name + name for name in names]


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "empty.abc").touch()
    (tmp_path / "big.mid").write_bytes(b"MThd" + bytes(1000))
    expected = {
        "none.mid": "unreadable",
        "folder.mid": "unreadable",
        "a.pdf": "unknown-suffix",
        "empty.abc": "empty",
        "big.mid": "too-large",
    }
    for name, why in expected.items():
        (piece,) = read(tmp_path / name, Limits(bytes=999))
        assert (piece.name, piece.refused.reason) == (name, why)


def test_musicxml_ties_pickup_spelling_tempo_and_grace_notes():
    (piece,) = read_bytes(specimens.musicxml(), "musicxml", "x")
    got = piece.sequence
    at = quarters(got)
    found = [
        (x.part, float(at(x.start_time)), float(at(x.end_time)), x.pitch)
        for x in got.notes
    ]
    assert found == [
        (0, 0, 1, 62),
        (0, 1, 3, 71),  # C flat 5
        (0, 3, 5, 67),  # tied over the bar line, and over the change of tempo
        (0, 5, 7, 72),  # B sharp 4
        (1, 1, 4, 55),
        (1, 4, 7, 50),  # with the first part's tempo
    ]
    assert got.notes[2].end_time - got.notes[2].start_time == pytest.approx(1.5)
    assert got.notes[5].end_time == got.total_time == pytest.approx(5)
    assert [(x.time, x.qpm) for x in got.tempos] == [(0, 120), (2, 60)]
    signatures = [(x.time, x.numerator, x.denominator) for x in got.time_signatures]
    assert signatures == [(0, 1, 4), (0.5, 3, 4)]
    assert [x.name for x in got.part_infos] == ["One", "Two"]
    assert piece.remarks == {"grace-notes": 1}


@pytest.mark.parametrize(
    ("mode", "tonic", "name"),
    [
        (b"<mode>major</mode>", 7, "MAJOR"),
        (b"<mode>minor</mode>", 4, "MINOR"),
        (b"<mode>dorian</mode>", 9, "DORIAN"),
        (b"<mode>none</mode>", 7, "NOT_SPECIFIED"),
        (b"", 7, "NOT_SPECIFIED"),
    ],
)
def test_the_mode_is_that_of_the_first_part(mode, tonic, name):
    data = specimens.musicxml().replace(b"<mode>major</mode>", mode, 1)
    (found,) = sequence(data, "musicxml").key_signatures
    assert (found.time, found.key) == (0, tonic)
    assert found.Mode.Name(found.mode) == name


def test_compressed_musicxml_is_read_alike():
    plain = specimens.musicxml()
    assert sequence(specimens.mxl(plain), "musicxml") == sequence(plain, "musicxml")


def test_zip_and_entity_bombs_are_refused():
    lol = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9))
    entities = (
        f'<!DOCTYPE a [<!ENTITY a0 "lol">{lol}]><score-partwise>&a8;</score-partwise>'
    )
    assert reason(entities.encode(), "musicxml") == "xml-entities"
    assert reason(entities.encode("utf-16"), "musicxml") == "xml-entities"
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    assert reason(deep, "musicxml") == "xml-depth"
    assert (
        reason(specimens.mxl(bytes(1 << 22)), "musicxml", Limits(bytes=1 << 20))
        == "too-large"
    )


def test_a_member_with_a_false_size_is_refused():
    data = specimens.mxl(specimens.musicxml() + b" " * (1 << 20))
    small = struct.pack("<I", 10)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = struct.pack("<I", archive.getinfo("score.xml").file_size)
    assert reason(data.replace(size, small), "musicxml") in ("mxl-zip", "xml-syntax")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"hello", "xml-syntax"),
        (b"<html/>", "not-musicxml"),
        (b"<score-timewise/>", "not-musicxml"),
        (b"<score-partwise/>", "no-notes"),
        (specimens.musicxml()[:900], "xml-syntax"),
        (specimens.musicxml().replace(b"<step>G", b"<step>Q"), "musicxml-syntax"),
        (
            specimens.musicxml().replace(b"<duration>", b"<duration>x"),
            "musicxml-syntax",
        ),
        (specimens.musicxml().replace(b"<octave>4", b"<octave>44"), "pitch-range"),
        (b"PK\x03\x04" + bytes(50), "mxl-zip"),
        (specimens.mxl(specimens.musicxml())[:-40], "mxl-zip"),
        (specimens.mxl(b"<a>"), "xml-syntax"),
        (gzip.compress(b"<score-partwise/>", mtime=0), "xml-syntax"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else "bytes"
    ),  # zip archives contain the time
)
def test_malformed_musicxml_is_refused(data, why):
    assert reason(data, "musicxml") == why


def test_names_are_printable():
    hostile = "A\x1b[31m\u202e\tB"
    abc = f"X:1\nT:{hostile}\nC:{hostile}\nR:{hostile}\nB:{hostile}\nK:C\nCD\n"
    found = sequence(abc.encode(), "abc")
    metadata = found.sequence_metadata
    texts = [metadata.title, metadata.artist, *metadata.genre, found.collection_name]
    assert texts == ["A[31m B"] * 4
    score = specimens.musicxml().replace(b"One", "O\u202en\ne".encode())
    assert sequence(score, "musicxml").part_infos[0].name == "On e"
    midi = specimens.midi().replace(b"Drums", b"Dr\x1b\x07s")
    assert sequence(midi, "midi").instrument_infos[0].name == "Drs"


def test_invalid_values_are_refused():
    def broken(**note) -> NoteSequence:
        made = NoteSequence(total_time=1)
        made.notes.add(**{"pitch": 60, "velocity": 80, "end_time": 1.0} | note)
        return made

    check(broken(), Limits())
    for bad in (
        {"pitch": 128},
        {"end_time": 0.0},
        {"start_time": -1.0},
        {"end_time": float("nan")},
    ):
        with pytest.raises(Refused):
            check(broken(**bad), Limits())
    still = broken()
    still.tempos.add(qpm=0)
    with pytest.raises(Refused, match="tempo"):
        check(still, Limits())
