"""The corpora by name: their files, style labels, citations and licences.

A spec is `tunes`, `essen`, `chorales`, `groove`, `folder:/any/path`, or a union such as
`tunes+essen`. The named corpora are scores that are installed with music21. They are
located by path, because importing music21 takes seconds.

The files of published benchmarks, `file:/path/x.mat`, are specs too, but contain
encoded pieces instead of scores (`benchmark_path`).
"""

import difflib
import hashlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path

from zoo.data.corpora import groove
from zoo.data.scores.read import SUFFIXES
from zoo.errors import UsageError, ZooError

MUSIC21_LICENCE = (
    "The encoding has no licence of its own; music21 distributes it by permission of "
    "its encoders and states no further terms (music21 corpus/license.txt). The music "
    "is in the public domain."
)
BENCHMARK_SUFFIXES = (".mat", ".json")


@dataclass(frozen=True)
class File:
    """A file of a corpus.

    Attributes:
      path: its location.
      key: its name in records, the path relative to the source.
      style: its style label.
      size: in bytes.
      modified: modification time in nanoseconds; 0 for files of an installed package.
      split: the split of the collection that it belongs to; "" if there is none.
    """

    path: Path
    key: str
    style: str
    _: KW_ONLY
    size: int
    modified: int = 0
    split: str = ""


@dataclass(frozen=True)
class Source:
    """Files of one origin.

    Attributes:
      voices: keeps only pieces with this number of voices.
      notice: printed when the corpus is built.
    """

    name: str
    files: tuple[File, ...]
    _: KW_ONLY
    citation: str
    licence: str
    voices: int | None = None
    notice: str = ""


@dataclass(frozen=True)
class Corpus:
    """The sources that a spec names."""

    spec: str
    sources: tuple[Source, ...]

    @cached_property
    def key(self) -> str:
        """Directory name: the spec, and a digest of the files."""
        stamps = []
        for source, file in self.files:
            split = f" {file.split}" if file.split else ""
            stamp = f"{file.style} {file.size} {file.modified}{split}"
            stamps.append(f"{source.name}/{file.key}\n{stamp}\n")
        listing = "".join(stamps).encode("utf-8", "surrogateescape")
        return (
            f"{_slug(self.spec)}-{hashlib.blake2b(listing, digest_size=6).hexdigest()}"
        )

    @property
    def files(self) -> Iterator[tuple[Source, File]]:
        return ((source, file) for source in self.sources for file in source.files)


def benchmark_path(spec: str) -> Path | None:
    """Returns the path of a benchmark file, or None if `spec` names a corpus.

    Benchmark files (`zoo.data.corpora.benchmark_files`) are named `file:PATH`, or by a
    path that ends in .mat or .json.
    """
    if spec.startswith("file:"):
        return Path(spec.removeprefix("file:")).expanduser()
    if spec.startswith("folder:") or Path(spec).suffix not in BENCHMARK_SUFFIXES:
        return None
    return Path(spec).expanduser()


def corpus(spec: "str | Corpus") -> Corpus:
    """Returns the corpus that `spec` names: its files are listed, not yet read.

    A corpus is returned unchanged, so that callers can resolve a spec once.

    Raises:
      UsageError: an unknown spec, or a folder without a readable file.
      ZooError: music21 is installed without its scores.
    """
    if isinstance(spec, Corpus):
        return spec
    parts = list(dict.fromkeys(part.strip() for part in _split_union(spec)))
    sources = [source for part in parts for source in _sources(part)]
    return Corpus("+".join(parts), tuple(_rename_duplicates(sources)))


def _split_union(spec: str) -> list[str]:
    """Splits a union at plus signs, except within the path of a folder."""
    names = spec.split("+")
    parts: list[str] = []
    for name in names:
        joined = (
            f"{parts[-1]}+{name}" if parts and parts[-1].startswith("folder:") else ""
        )
        if joined and Path(joined.removeprefix("folder:")).expanduser().exists():
            parts[-1] = joined
        else:
            parts.append(name)
    return parts


def _sources(part: str) -> list[Source]:
    if part.startswith("folder:"):
        return _folder(Path(part.removeprefix("folder:")).expanduser())
    if part not in NAMED_CORPORA:
        near = difflib.get_close_matches(part, NAMED_CORPORA, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"There is no corpus {part!r}: choose from {', '.join(NAMED_CORPORA)}, "
            f"folder:/PATH to your own files, or a union such as tunes+essen.{hint}"
        )
    return NAMED_CORPORA[part]()


def _folder(path: Path) -> list[Source]:
    """Lists all readable files below `path`, each labelled by its folder.

    If there is an info.csv of the Groove MIDI Dataset, styles and splits are those of
    it.
    """
    if not path.is_dir():
        raise UsageError(
            f"There is no folder {path}: give the path of a folder of scores."
        )
    root, files = path.resolve(), []
    info = groove.read_info(root)
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            subfolder = file.parent.relative_to(root).as_posix()
            label = root.name if subfolder == "." else subfolder
            key = file.relative_to(root).as_posix()
            style, split = info.get(key, (label, ""))
            stat = file.stat()
            files.append(
                File(
                    file,
                    key,
                    style,
                    size=stat.st_size,
                    modified=stat.st_mtime_ns,
                    split=split,
                )
            )
    if not files:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise UsageError(
            f"The folder {path} contains no file of a supported type ({suffixes})."
        )
    source = Source(
        name=root.name or "folder",
        files=tuple(files),
        citation=f"the folder {root.name}",
        licence="Not stated: these are your own files, under your own terms.",
    )
    return [source]


def _music21() -> Path:
    """Returns the folder of scores of the installed music21."""
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        raise ZooError(
            "This corpus needs music21, which is not installed: pip install music21."
        )
    folder = Path(spec.origin).parent / "corpus"
    if not folder.is_dir():
        raise ZooError(
            f"The installed music21 lacks its scores ({folder} is missing): "
            "pip install --force-reinstall music21."
        )
    return folder


def _book(
    folder: str,
    pattern: str,
    style: Callable[[Path], str],
    *,
    citation: str,
    licence: str,
    voices: int | None = None,
    notice: str = "",
) -> Source:
    """Lists the files of one folder of music21's corpus."""
    paths = sorted(
        path for path in (_music21() / folder).glob(pattern) if path.suffix in SUFFIXES
    )
    if not paths:
        raise ZooError(
            f"The installed music21 has no scores in corpus/{folder}: "
            "pip install --force-reinstall music21."
        )
    files = tuple(
        File(path, path.name, style(path), size=path.stat().st_size) for path in paths
    )
    return Source(
        folder,
        files,
        citation=citation,
        licence=licence,
        voices=voices,
        notice=notice,
    )


def tunes() -> list[Source]:
    """Dance tunes and airs from three printed collections, about 4,100."""
    return [
        _book(
            "oneills1850",
            "*.abc",
            lambda _: "irish",
            citation="Francis O'Neill, Music of Ireland: Eighteen Hundred and Fifty "
            "Melodies (Chicago, 1903), transcribed to ABC by the volunteers whom the "
            "tunes' Z: fields name.",
            licence=MUSIC21_LICENCE,
        ),
        _book(
            "ryansMammoth",
            "*.abc",
            lambda _: "new_england",
            citation="William Bradbury Ryan, Mammoth Collection (Boston: Elias Howe, "
            "1883), reprinted as Cole's One Thousand Fiddle Tunes, contributed in ABC "
            "by Ray Davies, John Walsh, Bob Puckette, John Chambers and others whom "
            "the tunes' Z: fields name.",
            licence=MUSIC21_LICENCE,
        ),
        _book(
            "airdsAirs",
            "*.abc",
            lambda _: "scottish",
            citation="James Aird, A Selection of Scotch, English, Irish and Foreign "
            "Airs, six volumes (Glasgow, 1778-1801), transcribed to ABC by Jack "
            "Campin, www.campin.me.uk, 2003-9.",
            licence=MUSIC21_LICENCE,
        ),
    ]


ESSEN_STYLES = {
    "han": "chinese",
    "irl": "irish",
    "lot": "lorraine",  # Lothringen
    "lux": "luxembourg",
    "folkHaydn": "scottish",  # songs that Haydn arranged for publishers in Edinburgh
}
ESSEN_TEST_PREFIX = "t"  # test0, test1, testd, teste: the encoders' tests, not music


def essen() -> list[Source]:
    """Folk songs of the Essen collection, about 8,500, mostly German."""

    def style(path: Path) -> str:
        return next(
            (s for stem, s in ESSEN_STYLES.items() if path.stem.startswith(stem)),
            "german",
        )

    return [
        _book(
            "essenFolksong",
            f"[!{ESSEN_TEST_PREFIX}]*.abc",
            style,
            citation="The Essen Folksong Collection (www.esac-data.org), encoded under "
            "Helmut Schaffrath and continued by Ewa Dahlig-Turek; ABC by Seymour "
            "Shlien.",
            licence="Non-commercial use only: the legal status is unclear, because "
            "many people encoded it, and Ewa Dahlig-Turek permits non-commercial "
            "distribution and use (music21 corpus/essenFolksong/license.txt).",
            notice="The Essen folk songs are for non-commercial use only; treat models "
            "that are trained on them likewise.",
        )
    ]


def chorales() -> list[Source]:
    """Four-voice chorales of J. S. Bach, about 360."""
    return [
        _book(
            "bach",
            "bwv*.*",
            lambda _: "bach",
            citation="J. S. Bach's four-part chorales, encoded by Margaret Greentree "
            "(jsbchorales.net), as MusicXML in music21.",
            licence="The scores are marked (c) 2004 Margaret Greentree, used by "
            "permission, and have no licence; music21 distributes them by that "
            "permission (music21 corpus/license.txt). The music is in the public "
            "domain.",
            voices=4,
        )
    ]


def drums() -> list[Source]:
    """The Groove MIDI Dataset: 13.6 hours by ten drummers, in its own splits."""
    from zoo.data.corpora.records import data_root

    (source,) = _folder(groove.dataset_folder(data_root()))
    return [replace(source, citation=groove.CITATION, licence=groove.LICENCE)]


NAMED_CORPORA: dict[str, Callable[[], list[Source]]] = {
    "tunes": tunes,
    "essen": essen,
    "chorales": chorales,
    "groove": drums,
}


def _rename_duplicates(sources: list[Source]) -> list[Source]:
    """Numbers sources of the same name: two folders may both be called `midi`."""
    seen: Counter[str] = Counter()
    renamed = []
    for source in sources:
        seen[source.name] += 1
        count = seen[source.name]
        if count > 1:
            source = replace(source, name=f"{source.name}-{count}")
        renamed.append(source)
    return renamed


def _slug(spec: str) -> str:
    """Returns a short directory name for a spec."""
    name = "+".join(
        part.rsplit("/", 1)[-1].removeprefix("folder:") for part in spec.split("+")
    )
    return "".join(c if c.isalnum() or c in "+_-" else "_" for c in name)[:60]
