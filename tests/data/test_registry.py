"""Specs of corpora, and the errors of invalid ones."""

import subprocess
import sys

import pytest
import tunes

from zoo.data.corpora import music21_scores
from zoo.data.corpora.registry import corpus, with_metre
from zoo.errors import UsageError, ZooError


def test_the_named_corpora_and_their_labels():
    found = corpus("tunes+essen+chorales")
    styles = {
        source.name: {file.style for file in source.files} for source in found.sources
    }
    assert styles == {
        "oneills1850": {"irish"},
        "ryansMammoth": {"new_england"},
        "airdsAirs": {"scottish"},
        "essenFolksong": {
            "german",
            "chinese",
            "irish",
            "scottish",
            "lorraine",
            "luxembourg",
        },
        "bach": {"bach"},
    }
    assert sum(len(source.files) for source in found.sources) > 1500
    assert not any(file.key.startswith("test") for _, file in found.files)


def test_each_source_has_a_licence_and_a_citation():
    sources = {source.name: source for source in corpus("tunes+essen+chorales").sources}
    assert all(source.licence and source.citation for source in sources.values())
    assert "Non-commercial" in sources["essenFolksong"].licence
    assert [name for name, source in sources.items() if source.notice] == [
        "essenFolksong"
    ]
    assert "Greentree" in sources["bach"].licence
    assert sources["bach"].voices == 4


def test_music21_is_found_and_not_imported():
    code = "import sys; from zoo.data.corpora.registry import corpus; corpus('tunes'); "
    code += "assert not {'music21', 'tensorflow', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_folder_is_labelled_by_its_sub_folders(tmp_path):
    tunes.folder(tmp_path / "mine", 4)
    (tmp_path / "mine" / "loose.ABC").write_text(tunes.abc(tunes.melody(9)))
    (tmp_path / "mine" / "notes.txt").write_text("no music")
    (source,) = corpus(f"folder:{tmp_path}/mine").sources
    assert {(file.key, file.style) for file in source.files} == {
        ("jigs/tune00.abc", "jigs"),
        ("jigs/tune02.abc", "jigs"),
        ("reels/tune01.abc", "reels"),
        ("reels/tune03.abc", "reels"),
        ("reels/broken.mid", "reels"),
        ("loose.ABC", "mine"),
    }


def test_a_changed_folder_has_another_key(tmp_path):
    spec = f"folder:{tunes.folder(tmp_path)}"
    first = corpus(spec).key
    assert corpus(spec).key == first
    (tmp_path / "jigs" / "tune00.abc").write_text(tunes.abc(tunes.melody(99)))
    second = corpus(spec).key
    (tmp_path / "jigs" / "tune02.abc").unlink()
    assert len({first, second, corpus(spec).key}) == 3


def test_unions_name_each_part_once(tmp_path):
    spec = f"folder:{tunes.folder(tmp_path / 'a+b' / 'midi')}"
    other = f"folder:{tunes.folder(tmp_path / 'c' / 'midi')}"
    found = corpus(f"{spec}+{other}+{spec}")
    assert [source.name for source in found.sources] == ["midi", "midi-2"]
    assert "/" not in found.key


def test_a_spec_can_state_the_metre_of_its_pieces(tmp_path):
    spec = f"folder:{tunes.folder(tmp_path / 'midi')}"
    stated = corpus(with_metre(spec, "3/4"))
    assert [source.metre for source in stated.sources] == ["3/4"]
    assert stated.key != corpus(spec).key
    assert "midi" in stated.key
    assert "/" not in stated.key
    assert with_metre(spec, "") == spec
    assert with_metre("data.mat", "3/4") == "data.mat"
    both = corpus(with_metre(f"{spec}+{spec}@6/8", "3/4"))
    assert both.spec == f"{spec}@3/4"
    for metre in ("3", "0/4", "3/5", "waltz"):
        with pytest.raises(UsageError, match="choose one such as"):
            with_metre(spec, metre)


def test_a_folder_whose_path_ends_like_a_metre(tmp_path):
    tunes.folder(tmp_path / "songs@3" / "4")
    (source,) = corpus(f"folder:{tmp_path}/songs@3/4").sources
    assert source.metre == ""


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("tuness", "'tunes'"),
        ("chorale", "'chorales'"),
        ("tunes+esen", "'essen'"),
        ("", "tunes"),
    ],
)
def test_the_error_of_a_misspelt_name_has_a_suggestion(spec, words):
    with pytest.raises(UsageError, match="There is no corpus") as error:
        corpus(spec)
    assert words in str(error.value)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(UsageError, match="There is no folder"):
        corpus(f"folder:{tmp_path}/absent")
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(UsageError, match="contains no file of a supported type"):
        corpus(f"folder:{tmp_path}")


def test_the_error_without_music21_scores(monkeypatch, tmp_path):
    monkeypatch.setattr(music21_scores, "_music21", lambda: tmp_path)
    with pytest.raises(ZooError, match="no scores in corpus/oneills1850: pip install"):
        corpus("tunes")
