"""The corpora by name: their files, style labels, citations and licences.

A spec is a name such as `tunes` or `maestro`, `maestro:/path` of what was fetched by
hand, `folder:/any/path`, or a union such as `tunes+essen`. The named corpora are scores
that are installed with music21 (`zoo.data.corpora.music21_scores`), and public
collections (`zoo.data.corpora.public`). A metre after an at sign, `folder:/path@3/4`,
replaces those that the files state.

The files of published benchmarks, `musedata` or `file:/path/x.mat`, are specs too, but
contain encoded pieces instead of scores (`benchmark_path`).
"""

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from zoo.data.bars import SIGNATURE, parse_metre
from zoo.data.corpora.archives import benchmark_file, collection_source
from zoo.data.corpora.layouts import groove_table
from zoo.data.corpora.listing import list_files, readable
from zoo.data.corpora.music21_scores import chorales, essen, tunes
from zoo.data.corpora.public import BENCHMARKS, COLLECTIONS
from zoo.data.corpora.sources import OWN_LICENCE, File, Source
from zoo.data.scores.read import SUFFIXES
from zoo.errors import UsageError
from zoo.files import user_path

INSTALLED: dict[str, Callable[[], list[Source]]] = {
    "tunes": tunes,
    "essen": essen,
    "chorales": chorales,
}
ROLL_SUFFIXES = (".mat", ".pickle", ".pkl")
BENCHMARK_SUFFIXES = (*ROLL_SUFFIXES, ".json", ".npz")


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
            metre = f" {source.metre}" if source.metre else ""
            stamp = f"{file.style} {file.size} {file.modified}{split}{metre}"
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

    Benchmark files (`zoo.data.corpora.benchmark_files`) have names such as `musedata`,
    or `file:PATH`, or a path that ends in one of `BENCHMARK_SUFFIXES`. Those with names
    are fetched the first time.
    """
    name, _, path = spec.partition(":")
    if name in BENCHMARKS:
        return benchmark_file(name, path)
    if spec.startswith("file:"):
        return user_path(spec.removeprefix("file:"))
    if spec.startswith("folder:") or Path(spec).suffix not in BENCHMARK_SUFFIXES:
        return None
    return user_path(spec)


def benchmark_steps(spec: str) -> int | None:
    """Returns the steps in a quarter note of a benchmark with a name, else None."""
    name = spec.partition(":")[0]
    return BENCHMARKS[name].steps_per_quarter if name in BENCHMARKS else None


def benchmark_suffix(spec: str) -> str | None:
    """Returns the suffix of a benchmark file, which need not be there yet, or None."""
    name, _, path = spec.partition(":")
    if name in BENCHMARKS and Path(path).suffix not in BENCHMARK_SUFFIXES:
        return Path(BENCHMARKS[name].remote.file).suffix
    file = benchmark_path(spec)
    return None if file is None else file.suffix


def descriptions() -> dict[str, str]:
    """Returns a line about each corpus that has a name."""
    return {
        **{name: source.__doc__ or "" for name, source in INSTALLED.items()},
        **{name: entry.about for name, entry in COLLECTIONS.items()},
        **{name: entry.about for name, entry in BENCHMARKS.items()},
    }


def corpus(spec: "str | Corpus") -> Corpus:
    """Returns the corpus that `spec` names: its files are listed, not yet read.

    A corpus is returned unchanged, so that callers can resolve a spec once.

    Raises:
      UsageError: an unknown spec, or a folder without a readable file.
      ZooError: music21 is installed without its scores, or an archive cannot be
        downloaded or unpacked.
    """
    if isinstance(spec, Corpus):
        return spec
    parts = list(dict.fromkeys(part.strip() for part in _split_union(spec)))
    sources = [source for part in parts for source in _sources(part)]
    return Corpus("+".join(parts), tuple(_rename_duplicates(sources)))


def with_metre(spec: str, metre: str) -> str:
    """Returns the spec of a corpus whose pieces are all of one metre.

    Args:
      spec: the corpus; the files of a benchmark, which state no metre, do not change.
      metre: such as 3/4; if "", the pieces have the metres that they state.

    Raises:
      UsageError: `metre` is not one.
    """
    if not metre or benchmark_suffix(spec) is not None:
        return spec
    parse_metre(metre)
    return "+".join(f"{_cut_metre(part)[0]}@{metre}" for part in _split_union(spec))


def _cut_metre(part: str) -> tuple[str, str]:
    """Returns a part of a union without its metre, and the metre, "" if none."""
    name, _, metre = part.rpartition("@")
    path = part.partition(":")[2]
    if not name or not SIGNATURE.fullmatch(metre):
        return part, ""
    return (part, "") if path and Path(path).expanduser().exists() else (name, metre)


def _split_union(spec: str) -> list[str]:
    """Splits a union at plus signs, except within a path."""
    names = spec.split("+")
    parts: list[str] = []
    for name in names:
        joined = f"{parts[-1]}+{name}" if parts and ":" in parts[-1] else ""
        path = _cut_metre(joined)[0].partition(":")[2]
        if joined and user_path(path).exists():
            parts[-1] = joined
        else:
            parts.append(name)
    return parts


def _sources(part: str) -> list[Source]:
    part, metre = _cut_metre(part)
    if metre:
        return [replace(source, metre=metre) for source in _sources(part)]
    if part.startswith("folder:"):
        return _folder(user_path(part.removeprefix("folder:")))
    if part in INSTALLED:
        return INSTALLED[part]()
    name, _, path = part.partition(":")
    if name in COLLECTIONS:
        return [collection_source(name, path)]
    if name in BENCHMARKS:
        raise UsageError(
            f"{name} contains encoded pieces, which need no build and no codec: give "
            "it alone, as the `corpus` of a model of frames."
        )
    names = [*INSTALLED, *COLLECTIONS]
    near = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(
        f"There is no corpus {part!r}: choose from {', '.join(names)}, "
        f"folder:/PATH to your own files, or a union such as tunes+essen.{hint}"
    )


def _folder(path: Path) -> list[Source]:
    """Lists all readable files below `path`, each labelled by its folder.

    An info.csv of the Groove MIDI Dataset decides styles and splits, if there is one.
    """
    if not path.is_dir():
        raise UsageError(
            f"There is no folder {path}: give the path of a folder of scores."
        )
    root = path.resolve()
    info, found = groove_table(root), list_files(root, SUFFIXES)
    files = []
    for file in found.files:
        style, split = info.get(file.key, (file.label, ""))
        files.append(
            File(
                file.path,
                file.key,
                style,
                size=file.size,
                modified=file.modified,
                split=split,
            )
        )
    if not files:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise UsageError(
            f"The folder {path} contains no file of a supported type ({suffixes}): "
            "give the folder that they are in."
        )
    name = readable(root.name)
    source = Source(
        name=name or "folder",
        files=tuple(files),
        citation=f"the folder {name}",
        licence=OWN_LICENCE,
        refused=found.refused,
    )
    return [source]


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
    parts = [_cut_metre(part) for part in spec.split("+")]
    name = "+".join(
        part.rsplit("/", 1)[-1].removeprefix("folder:") + metre.replace("/", "-")
        for part, metre in parts
    )
    return "".join(c if c.isalnum() or c in "+_-" else "_" for c in name)[:60]
