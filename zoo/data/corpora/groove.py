"""The Groove MIDI Dataset (Gillick et al. 2019, arXiv:1905.06118), as its files are laid out.

Its archive has MIDI files and a table, info.csv, that tells the style of each and the split it
belongs to. Where it was unpacked, `folder:` reads it so. The corpus `groove` has TFDS fetch it,
which takes TensorFlow once, and lays the same files out.
"""

import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.data.corpora.dedup import SPLITS
from zoo.data.corpora.tfds_fetch import fetched

INFO = "info.csv"
COLUMNS = ("midi_filename", "style", "split")
BUILDER = "groove/full-midionly"
CITATION = (
    "Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck, David Bamman: Learning to Groove with "
    "Inverse Sequence Transformations (ICML 2019); the Groove MIDI Dataset, Google LLC."
)
INSTEAD = "unpack groove-v1.0.0-midionly.zip yourself and give folder:/PATH/TO/groove"
LICENCE = "Creative Commons Attribution 4.0 International."


def table(folder: Path) -> dict[str, tuple[str, str]]:
    """Style and split of each file, by its path in `folder`; none where there is no such table."""
    path = folder / INFO
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.DictReader(file)
        if not set(COLUMNS) <= set(lines.fieldnames or ()):
            return {}
        found = [[line[name] or "" for name in COLUMNS] for line in lines]
    return {
        name: (style.partition("/")[0], split if split in SPLITS else "")
        for name, style, split in found
    }


def files(root: Path) -> Path:
    """The folder below `root` where the files lie; TFDS fetches them where they do not yet.

    Raises ZooError where that takes TensorFlow and there is none, or it cannot be fetched.
    """
    folder = root / "groove"
    if not (folder / INFO).exists():
        lay_out(_examples(root / "tfds"), folder)
    return folder


def _examples(data_dir: Path) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Split, example and features of all that TFDS has of it."""
    builder = fetched(BUILDER, "groove", INSTEAD, data_dir)
    for split in builder.info.splits:
        for example in builder.as_data_source(split):
            yield split, example, builder.info.features


def lay_out(
    examples: Iterable[tuple[str, Mapping[str, Any], Any]], folder: Path
) -> None:
    """Writes examples of TFDS as the archive has them: MIDI files, and the table when all are."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lines = [COLUMNS]
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        unfinished = Path(temporary) / folder.name
        for split, example, features in examples:
            style = features["style"]["primary"].int2str(
                int(example["style"]["primary"])
            )
            name = f"{example['id'].decode()}.mid"
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_bytes(example["midi"])
            lines.append((name, style, split))
        with (unfinished / INFO).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
