"""Pickles of numbers, lists and arrays, read without running what is in them.

Published piano rolls are pickles of Python 2. A pickle names functions to call; here it
may name those alone that make NumPy's numbers and arrays, and gets stand-ins for them.
"""

import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

NUMBER = re.compile(r"[biuf][1248]?")  # the types of numbers, such as i8


class Dtype:
    """A stand-in for `numpy.dtype`."""

    def __init__(self, code: str, *flags: Any):
        del flags
        self.code, self.order = text(code), "="

    def __setstate__(self, state: tuple) -> None:
        self.order = text(state[1])

    @property
    def numbers(self) -> np.dtype:
        """The type of numbers; raises UnpicklingError if it is of anything else."""
        if not NUMBER.fullmatch(self.code) or self.order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError(f"it contains values of type {self.code!r}")
        return np.dtype(self.order + self.code)


class Array:
    """A stand-in for `numpy.ndarray`, which is made empty and filled afterwards."""

    def __init__(self, *kind: Any):
        del kind
        self.value: Any = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        if dtype.code.startswith("O"):
            self.value = plain(data)
            return
        flat = np.frombuffer(raw(data), dtype.numbers)
        if len(flat) != math.prod(shape):
            raise pickle.UnpicklingError(f"an array of shape {shape} has other data")
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def scalar(dtype: Dtype, data: Any) -> Any:
    """Returns a number, as `numpy.core.multiarray.scalar` does."""
    return np.frombuffer(raw(data), dtype.numbers)[0].item()


def encoded(value: str, encoding: str) -> bytes:
    """Returns bytes that a pickle of protocol 2 has as text."""
    del encoding
    return raw(value)


NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): Dtype,
    ("numpy", "ndarray"): Array,
    ("_codecs", "encode"): encoded,
    **{
        (module, name): made
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, made in (("scalar", scalar), ("_reconstruct", Array))
    },
}


class Unpickler(pickle.Unpickler):
    """Reads a pickle that names nothing but `NAMES`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return NAMES[module, name]


def load(file: IO[bytes]) -> Any:
    """Reads a pickle to dictionaries, lists, numbers, and arrays of numbers.

    Raises:
      UnpicklingError: it contains anything else.
      Exception: it is malformed, as `pickle` raises it.
    """
    return plain(Unpickler(file, encoding="latin1").load())


def load_npz(path: Path) -> dict[str, Any]:
    """Reads the arrays of an .npz file; those of objects as lists.

    Raises:
      Exception: it is malformed, as `zipfile`, `numpy` and `pickle` raise it.
    """
    contents = {}
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            with packed.open(name) as file:
                version = np.lib.format.read_magic(file)
                header = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, fortran, dtype = header(file)
                key = name.removesuffix(".npy")
                if dtype.hasobject:
                    contents[key] = load(file)
                else:
                    flat = np.frombuffer(file.read(), dtype)
                    contents[key] = flat.reshape(shape, order="F" if fortran else "C")
    return contents


def plain(value: Any) -> Any:
    """Returns nested values with arrays instead of their stand-ins."""
    if isinstance(value, Array):
        return value.value
    if isinstance(value, dict):
        return {text(key): plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [plain(x) for x in value]
    return value


def raw(data: str | bytes) -> bytes:
    """Returns bytes, which a pickle of Python 2 has as text."""
    return data.encode("latin1") if isinstance(data, str) else bytes(data)


def text(name: Any) -> str:
    """Returns text, which a pickle may have as bytes."""
    return name.decode("latin1") if isinstance(name, bytes) else str(name)
