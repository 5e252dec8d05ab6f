"""Arrays of whole numbers that are mostly 0: packed, and the same again."""

import numpy as np
import pytest

from zoo.train.packed import MIN_SIZE, packed, unpacked


def sparse(numbers, size=4096, dtype=np.float32) -> np.ndarray:
    """Zeros with `numbers` at places of no order."""
    array = np.zeros(size, dtype)
    places = np.random.default_rng(0).choice(size, len(numbers), replace=False)
    array[places] = numbers
    return array


def again(array: np.ndarray) -> np.ndarray:
    pack = packed(array)
    assert pack is not None
    return unpacked(*pack, array.shape)


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([], np.float32),
        ([1, 2, 255, 256], np.float32),
        ([2**24 - 1, 1, -1], np.float32),
        ([-(2**31), 2**31 - 1], np.int32),
        ([2**32 - 1, 1], np.uint32),
        ([2**52, -(2**52)], np.float64),
        ([2.0**100], np.float32),  # too large, see below
        ([7], np.int8),
        ([2048, -3], np.float16),
    ],
)
def test_whole_numbers_are_the_same_again(numbers, dtype):
    array = sparse(numbers, dtype=dtype).reshape(64, 64)
    if numbers and abs(numbers[0]) > 2**60:
        assert packed(array) is None
        return
    found = again(array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "numbers", [[0.5], [np.nan], [np.inf], [-0.0], range(1, 2050)], ids=str
)
def test_other_arrays_are_not_packed(numbers):
    assert packed(sparse([*numbers])) is None


def test_small_arrays_and_truth_values_are_not_packed():
    assert packed(np.zeros(MIN_SIZE - 1, np.float32)) is None
    assert packed(np.zeros(MIN_SIZE, bool)) is None
    assert packed(np.zeros((MIN_SIZE, 1), np.float32)) is not None


def test_counts_are_a_byte_and_a_bit_at_most():
    counts = sparse(np.random.default_rng(0).integers(1, 200, 20_000), 100_000)
    pack = packed(counts)
    assert len(pack.numbers) + len(pack.places) < 20_000 + 100_000 / 8 + 100
    assert pack.about == {"dtype": "float32", "least": 0, "width": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"width": 2},
        {"width": -1},
        {"width": 9},
        {"dtype": "no dtype"},
        {"dtype": "object"},
        {"least": "x"},
    ],
    ids=str,
)
def test_a_wrong_record_is_refused(change):
    array = sparse([3, 4, 5])
    places, numbers, about = packed(array)
    with pytest.raises((ValueError, TypeError)):
        unpacked(places, numbers, {**about, **change}, array.shape)


@pytest.mark.parametrize("shape", [(4095,), (5000,), (0,), (2**40,)], ids=str)
def test_bytes_of_another_shape_are_refused(shape):
    places, numbers, about = packed(sparse([3, 4, 5]))
    with pytest.raises(ValueError, match="bytes"):
        unpacked(places, numbers, about, (8 * shape[0],))


def test_damaged_bytes_are_refused():
    places, numbers, about = packed(sparse([3, 4, 5]))
    for part in (numbers[:-1], numbers[1:], np.zeros(0, np.uint8)):
        with pytest.raises(ValueError, match="bytes"):
            unpacked(places, part, about, (4096,))
