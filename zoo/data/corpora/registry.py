"""What a corpus is made of: files, the style each is labelled with, and on what terms they come.

A spec names one: `tunes`, `essen`, `chorales`, `groove`, `folder:/any/path`, or a union like
`tunes+essen`.
Scores that have a name come with the installed music21. They are found by path: importing music21
takes seconds, and nothing of it is needed.
"""

import difflib
import hashlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from zoo.data.corpora import groove
from zoo.data.scores.read import SUFFIXES
from zoo.errors import UsageError, ZooError

DISTRIBUTED = (
    "The encoding carries no licence of its own; music21 distributes it by permission of its "
    "encoders and names no further terms (music21 corpus/license.txt). The music is in the public "
    "domain."
)
BENCHMARK_SUFFIXES = (".mat", ".json")


@dataclass(frozen=True)
class File:
    """A file to read. `key` names it in records: its path below the source, with slashes."""

    path: Path
    key: str
    style: str
    size: int  # bytes
    modified: int = 0  # nanoseconds; 0 where a package installed it
    split: str = ""  # where the collection itself says


@dataclass(frozen=True)
class Source:
    """Files of one origin. `voices` keeps pieces with that many; `notice` is said when built."""

    name: str
    files: tuple[File, ...]
    citation: str
    licence: str
    voices: int | None = None
    notice: str = ""


@dataclass(frozen=True)
class Corpus:
    """The sources of a spec."""

    spec: str
    sources: tuple[Source, ...]

    @cached_property
    def key(self) -> str:
        """A directory name: the spec, and a digest that changes whenever a file does."""
        stamps = [
            f"{s.name}/{f.key}\n{f.style} {f.size} {f.modified}{f.split and f' {f.split}'}\n"
            for s, f in self.files
        ]
        listing = "".join(stamps).encode("utf-8", "surrogateescape")
        return (
            f"{_slug(self.spec)}-{hashlib.blake2b(listing, digest_size=6).hexdigest()}"
        )

    @property
    def files(self) -> Iterator[tuple[Source, File]]:
        return ((source, file) for source in self.sources for file in source.files)


def benchmark_path(spec: str) -> Path | None:
    """Returns the path of the benchmark file that `spec` names, or None if it is a corpus.

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
    parts = list(dict.fromkeys(part.strip() for part in _parts(spec)))
    sources = [source for part in parts for source in _sources(part)]
    return Corpus("+".join(parts), tuple(_distinct(sources)))


def _parts(spec: str) -> list[str]:
    """Cut a union at its plus signs, but for those in the path of a folder that exists."""
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
    if part not in KNOWN:
        near = difflib.get_close_matches(part, KNOWN, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"There is no corpus {part!r}: choose from {', '.join(KNOWN)}, folder:/PATH to your "
            f"own files, or a union such as tunes+essen.{hint}"
        )
    return KNOWN[part]()


def _folder(path: Path) -> list[Source]:
    """All readable files below `path`, each labelled by the folder it lies in.

    Where there is the table of the Groove MIDI Dataset, it says the styles, and the splits.
    """
    if not path.is_dir():
        raise UsageError(
            f"There is no folder {path}: give the path of one that holds scores."
        )
    root, files = path.resolve(), []
    known = groove.table(root)
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            within = file.parent.relative_to(root).as_posix()
            key = file.relative_to(root).as_posix()
            style, split = known.get(key, (root.name if within == "." else within, ""))
            stat = file.stat()
            files.append(File(file, key, style, stat.st_size, stat.st_mtime_ns, split))
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"The folder {path} holds no file that can be read ({kinds}).")
    source = Source(
        name=root.name or "folder",
        files=tuple(files),
        citation=f"the folder {root.name}",
        licence="Not stated: these are your own files, on whatever terms you hold them.",
    )
    return [source]


def _music21() -> Path:
    """The folder of scores in the installed music21."""
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        raise ZooError(
            "music21 is not installed, whose scores this corpus is: pip install music21."
        )
    folder = Path(spec.origin).parent / "corpus"
    if not folder.is_dir():
        raise ZooError(
            f"The music21 installed here comes without its scores ({folder} is missing): "
            "pip install --force-reinstall music21."
        )
    return folder


def _book(
    folder: str,
    pattern: str,
    style: Callable[[Path], str],
    citation: str,
    licence: str,
    **rest: object,
) -> Source:
    """One folder of music21's corpus."""
    found = sorted(
        path for path in (_music21() / folder).glob(pattern) if path.suffix in SUFFIXES
    )
    if not found:
        raise ZooError(
            f"The music21 installed here has no scores in corpus/{folder}: "
            "pip install --force-reinstall music21."
        )
    files = tuple(
        File(path, path.name, style(path), path.stat().st_size) for path in found
    )
    return Source(folder, files, citation, licence, **rest)  # type: ignore[arg-type]


def tunes() -> list[Source]:
    """Dance tunes and airs from three printed collections, about 4,100."""
    return [
        _book(
            "oneills1850",
            "*.abc",
            lambda _: "irish",
            "Francis O'Neill, Music of Ireland: Eighteen Hundred and Fifty Melodies (Chicago, "
            "1903), transcribed to ABC by the volunteers whom the tunes' Z: fields name.",
            DISTRIBUTED,
        ),
        _book(
            "ryansMammoth",
            "*.abc",
            lambda _: "new_england",
            "William Bradbury Ryan, Mammoth Collection (Boston: Elias Howe, 1883), reprinted as "
            "Cole's One Thousand Fiddle Tunes, contributed in ABC by Ray Davies, John Walsh, Bob "
            "Puckette, John Chambers and others whom the tunes' Z: fields name.",
            DISTRIBUTED,
        ),
        _book(
            "airdsAirs",
            "*.abc",
            lambda _: "scottish",
            "James Aird, A Selection of Scotch, English, Irish and Foreign Airs, six volumes "
            "(Glasgow, 1778-1801), transcribed to ABC by Jack Campin, www.campin.me.uk, 2003-9.",
            DISTRIBUTED,
        ),
    ]


ESSEN_STYLES = {
    "han": "chinese",
    "irl": "irish",
    "lot": "lorraine",  # Lothringen
    "lux": "luxembourg",
    "folkHaydn": "scottish",  # songs that Haydn set for Edinburgh: "Mary's Dream", "John Anderson"
}
ESSEN_NOT_MUSIC = (
    "test"  # test0, test1, testd, teste: the encoders' trials, one tune many times over
)


def essen() -> list[Source]:
    """Folk songs of the Essen collection, about 8,500: mostly German, with 1,200 Chinese."""

    def style(path: Path) -> str:
        return next(
            (s for stem, s in ESSEN_STYLES.items() if path.stem.startswith(stem)),
            "german",
        )

    return [
        _book(
            "essenFolksong",
            f"[!{ESSEN_NOT_MUSIC[0]}]*.abc",
            style,
            "The Essen Folksong Collection (www.esac-data.org), encoded under Helmut Schaffrath "
            "and continued by Ewa Dahlig-Turek; ABC by Seymour Shlien.",
            "Non-commercial use only: the legal status is unclear, many people having typed it in, "
            "and Ewa Dahlig-Turek permits non-commercial distribution and use "
            "(music21 corpus/essenFolksong/license.txt).",
            notice="The Essen folk songs are for non-commercial use only: so treat whatever is "
            "trained on them.",
        )
    ]


def chorales() -> list[Source]:
    """Four-voice chorales of J. S. Bach, about 360."""
    return [
        _book(
            "bach",
            "bwv*.*",
            lambda _: "bach",
            "J. S. Bach's four-part chorales, encoded by Margaret Greentree (jsbchorales.net), as "
            "MusicXML in music21.",
            "The scores are marked (c) 2004 Margaret Greentree, used by permission, and carry no "
            "licence; music21 distributes them by that permission (music21 corpus/license.txt). "
            "The music is in the public domain.",
            voices=4,
        )
    ]


def drums() -> list[Source]:
    """The Groove MIDI Dataset: 13.6 hours of ten drummers, in its own splits."""
    from zoo.data.corpora.records import data_root

    (found,) = _folder(groove.files(data_root()))
    return [replace(found, citation=groove.CITATION, licence=groove.LICENCE)]


KNOWN: dict[str, Callable[[], list[Source]]] = {
    "tunes": tunes,
    "essen": essen,
    "chorales": chorales,
    "groove": drums,
}


def _distinct(sources: list[Source]) -> list[Source]:
    """The sources under names of their own: two folders may both be called `midi`."""
    seen: Counter[str] = Counter()
    named = []
    for source in sources:
        seen[source.name] += 1
        count = seen[source.name]
        named.append(
            source if count == 1 else replace(source, name=f"{source.name}-{count}")
        )
    return named


def _slug(spec: str) -> str:
    """A short name without slashes for a directory."""
    name = "+".join(
        part.rsplit("/", 1)[-1].removeprefix("folder:") for part in spec.split("+")
    )
    return "".join(c if c.isalnum() or c in "+_-" else "_" for c in name)[:60]
