"""The layouts of public collections: where the styles and splits of files stand.

A layout is a function from the folder of an unpacked collection to the folder that
its names are relative to, and its entries: the name, style and split of each file.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.dedup import SPLITS
from zoo.data.scores.read import SUFFIXES
from zoo.errors import UsageError, ZooError

GROOVE_TABLE = "info.csv"
SPLIT_NAMES = {**{split: split for split in SPLITS}, "valid": "validation"}
DEPTHS = ("", "*/", "*/*/")  # where the files of an unpacked archive may begin
# Reels are divided over several books: reelsa-c, reelsd-g.
NOTTINGHAM_STYLE = re.compile("reels|[a-z]+")
SONG = re.compile(r"\d{3}")  # a folder of POP909


class Entry(NamedTuple):
    """A file of a collection; its split is "" if it has none."""

    name: str
    style: str
    split: str = ""


Layout = tuple[Path, list[Entry]]


def maestro(folder: Path) -> Layout:
    """Reads maestro-v*.csv, or the .json beside it; the style is the composer."""
    table = find(folder, "maestro-v*.csv", "maestro-v*.json")
    columns = ("midi_filename", "canonical_composer", "split")
    rows = read_csv(table, columns) if table.suffix == ".csv" else read_json(table)
    return table.parent, [
        Entry(name, composer, SPLIT_NAMES.get(split, ""))
        for name, composer, split in rows or ()
    ]


def groove(folder: Path) -> Layout:
    """Reads info.csv of the Groove MIDI Dataset; the style is the primary one."""
    root = find(folder, GROOVE_TABLE).parent
    return root, [Entry(name, *labels) for name, labels in groove_table(root).items()]


def groove_table(folder: Path) -> dict[str, tuple[str, str]]:
    """Reads style and split of each file from info.csv; {} if there is none."""
    path = folder / GROOVE_TABLE
    rows = read_csv(path, ("midi_filename", "style", "split")) if path.exists() else ()
    return {
        name: (style.partition("/")[0], SPLIT_NAMES.get(split, ""))
        for name, style, split in rows or ()
    }


def lakh(folder: Path) -> Layout:
    """Lists the Clean MIDI subset: a folder for each artist, who is the style."""
    root = find(folder, "clean_midi", otherwise=folder)
    files = [path for path in scores(root) if path.parent != root]
    return root, [Entry(named(root, path), path.parent.name) for path in files]


def lakh_full(folder: Path) -> Layout:
    """Lists LMD-full, whose names are digests."""
    root = find(folder, "lmd_full", otherwise=folder)
    return root, [Entry(named(root, path), "lakh") for path in scores(root)]


def pop909(folder: Path) -> Layout:
    """Lists the arrangement of each of the 909 songs, without its other versions."""
    root = find(folder, "001/001.mid").parents[1]
    songs = sorted(x for x in root.iterdir() if SONG.fullmatch(x.name))
    files = [song / f"{song.name}.mid" for song in songs]
    return root, [Entry(named(root, path), "pop") for path in files if path.is_file()]


def nottingham(folder: Path) -> Layout:
    """Lists the folders train, valid and test; the style begins a file's name."""
    root = find(folder, "train", needed=("valid", "test")).parent
    entries = []
    for split in ("train", "valid", "test"):
        for path in scores(root / split):
            match = NOTTINGHAM_STYLE.match(path.name)
            style = match[0] if match else "nottingham"
            entries.append(Entry(named(root, path), style, SPLIT_NAMES[split]))
    return root, entries


def find(
    folder: Path,
    *patterns: str,
    needed: Sequence[str] = (),
    otherwise: Path | None = None,
) -> Path:
    """Returns the first path that matches, in `folder` or at most two levels below.

    Args:
      folder: where to begin.
      patterns: the earlier ones come first.
      needed: names that must exist beside it.
      otherwise: what to return if there is none.

    Raises:
      UsageError: there is none.
    """
    for pattern in patterns:
        for depth in DEPTHS:
            for path in sorted(folder.glob(depth + pattern)):
                if all((path.parent / name).exists() for name in needed):
                    return path
    if otherwise is not None:
        return otherwise
    names = ", ".join([*needed, " or ".join(patterns)])
    raise UsageError(
        f"The folder {folder} has no {names}: give the folder that the archive unpacks "
        "to, or the archive itself."
    )


def scores(root: Path) -> list[Path]:
    """Returns the scores below a folder, sorted."""
    found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file())


def named(root: Path, path: Path) -> str:
    """Returns the name of a file below `root`, as an entry has it."""
    return path.relative_to(root).as_posix()


def read_csv(path: Path, columns: Sequence[str]) -> list[tuple[str, ...]] | None:
    """Returns the values of some columns of a table; None if it lacks one of them."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.DictReader(file)
        if not set(columns) <= set(lines.fieldnames or ()):
            return None
        return [tuple(line[name] or "" for name in columns) for line in lines]


def read_json(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yields the name, composer and split of each piece of MAESTRO.

    Version 3 is an object of columns, earlier ones are lists of objects.

    Raises:
      ZooError: it is neither.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(table, dict):
            names = table["midi_filename"]
            composers, splits = table["canonical_composer"], table["split"]
            for key, name in names.items():
                yield name, composers[key], splits[key]
        else:
            for row in table:
                yield row["midi_filename"], row["canonical_composer"], row["split"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ZooError(
            f"{path} is not a table of MAESTRO ({error}): unpack the archive again."
        ) from error
