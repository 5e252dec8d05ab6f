"""The Groove MIDI Dataset (Gillick et al. 2019, arXiv:1905.06118).

Its archive contains MIDI files and a table, info.csv, with the style and the split of
each. `folder:` reads the unpacked archive. The corpus `groove` downloads the dataset by
TFDS, which needs TensorFlow once, and writes the same files.
"""

import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.data.corpora.dedup import SPLITS
from zoo.data.corpora.tfds_fetch import fetch_builder

INFO = "info.csv"
COLUMNS = ("midi_filename", "style", "split")
BUILDER = "groove/full-midionly"
CITATION = (
    "Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck, David Bamman: Learning to "
    "Groove with Inverse Sequence Transformations (ICML 2019); the Groove MIDI "
    "Dataset, Google LLC."
)
ALTERNATIVE = (
    "unpack groove-v1.0.0-midionly.zip yourself and give folder:/PATH/TO/groove"
)
LICENCE = "Creative Commons Attribution 4.0 International."


def read_info(folder: Path) -> dict[str, tuple[str, str]]:
    """Reads style and split of each file from info.csv; {} if there is none."""
    path = folder / INFO
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.DictReader(file)
        if not set(COLUMNS) <= set(lines.fieldnames or ()):
            return {}
        rows = [[line[name] or "" for name in COLUMNS] for line in lines]
    return {
        name: (style.partition("/")[0], split if split in SPLITS else "")
        for name, style, split in rows
    }


def dataset_folder(root: Path) -> Path:
    """Returns the folder of the files below `root`; TFDS downloads them the first time.

    Raises:
      ZooError: TensorFlow is not installed, or the download fails.
    """
    folder = root / "groove"
    if not (folder / INFO).exists():
        write_archive(_examples(root / "tfds"), folder)
    return folder


def _examples(data_dir: Path) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yields split, example and features of all examples of the TFDS dataset."""
    builder = fetch_builder(BUILDER, "groove", ALTERNATIVE, data_dir)
    for split in builder.info.splits:
        for example in builder.as_data_source(split):
            yield split, example, builder.info.features


def write_archive(
    examples: Iterable[tuple[str, Mapping[str, Any], Any]], folder: Path
) -> None:
    """Writes TFDS examples as the files of the archive; info.csv is written last."""
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
