"""Exact and small storage of arrays of whole numbers that are mostly 0, such as counts.

The places of the numbers are a bit for each element; the numbers themselves have as
many bytes as the greatest needs. Both are deflated (RFC 1951).
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

MIN_SIZE = 1024  # elements of an array that is packed
MAX_SHARE = 0.5  # of them that are not 0
LEVEL = 9  # of compression
MAX_DTYPE = 8  # bytes
KINDS = "iuf"  # of dtypes
EXACT = 2.0**53  # below which float64 holds all whole numbers


class Packed(NamedTuple):
    """A packed array.

    Attributes:
      places: deflated bits, uint8 [bytes]: 1 where the array is not 0.
      numbers: deflated bytes, uint8 [bytes], of what is there, less the least of them.
      about: the dtype, the least number, and the bytes of each number.
    """

    places: np.ndarray
    numbers: np.ndarray
    about: Mapping[str, Any]


def packed(array: np.ndarray) -> Packed | None:
    """Returns an array packed, or None if it has fractions or is not mostly 0."""
    flat = array.reshape(-1)
    there = flat != 0
    numbers = flat[there]
    if (
        flat.size < MIN_SIZE
        or numbers.size > MAX_SHARE * flat.size
        or array.dtype.itemsize > MAX_DTYPE
        or array.dtype.kind not in KINDS
        or not np.isfinite(numbers).all()
        or not (numbers == np.rint(numbers)).all()
        or not (np.abs(numbers.astype(np.float64)) < EXACT).all()
        or np.signbit(flat[~there]).any()
    ):
        return None
    whole = numbers.astype(np.int64)
    least = int(whole.min(initial=0))
    width = max(1, (int(whole.max(initial=0) - least).bit_length() + 7) // 8)
    parts = (whole - least).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]
    about = {"dtype": array.dtype.name, "least": least, "width": width}
    return Packed(deflated(np.packbits(there)), deflated(parts), about)


def unpacked(
    places: np.ndarray,
    numbers: np.ndarray,
    about: Mapping[str, Any],
    shape: Sequence[int],
) -> np.ndarray:
    """Returns the array that `packed` was given.

    Raises:
      ValueError: the bytes and what is recorded about them do not fit together.
    """
    size, width = int(np.prod(shape, dtype=np.int64)), about["width"]
    dtype = np.dtype(about["dtype"])
    if dtype.kind not in KINDS:
        raise ValueError(f"{dtype} is no dtype of numbers")
    there = np.unpackbits(inflated(places, -(-size // 8)), count=size).view(bool)
    total = int(there.sum())
    parts = np.zeros((total, 8), np.uint8)
    parts[:, :width] = inflated(numbers, total * width).reshape(total, width)
    array = np.zeros(size, dtype)
    array[there] = parts.view("<u8")[:, 0].astype(np.int64) + about["least"]
    return array.reshape(tuple(shape))


def deflated(values: np.ndarray) -> np.ndarray:
    """Returns the bytes of an array, deflated, as uint8 [bytes]."""
    return np.frombuffer(zlib.compress(values.tobytes(), LEVEL), np.uint8)


def inflated(values: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` bytes that were deflated, as uint8 [bytes].

    Raises:
      ValueError: they are more or fewer, or no deflated bytes.
    """
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(values.tobytes(), size + 1)
    except zlib.error as error:
        raise ValueError(f"no deflated bytes: {error}") from error
    if len(data) != size or not stream.eof:
        raise ValueError(f"{len(data)} bytes of {size}")
    return np.frombuffer(data, np.uint8)
