"""Gaussian upsampling, against loops over tokens."""

import jax
import numpy as np

from zoo.nn.sequence.upsampling import gaussian_weights, places

DURATIONS = np.array([[2.0, 0.0, 3.5, 1.0], [4.0, 1.5, 0.0, 0.0]], np.float32)
WIDTHS = np.array([[0.5, 0.3, 1.5, 0.8], [2.0, 0.7, 1.0, 1.0]], np.float32)
MASK = np.array([[True] * 4, [True, True, False, False]])
TIMES = np.arange(0.5, 12, 1.5).astype(np.float32)


def brute_force(row: int, time: float) -> np.ndarray:
    begin, densities = 0.0, []
    for duration, width, there in zip(
        DURATIONS[row], WIDTHS[row], MASK[row], strict=True
    ):
        centre = begin + duration / 2
        density = np.exp(-((time - centre) ** 2) / (2 * width**2)) / width
        densities.append(density if there else 0.0)
        begin += duration
    return np.array(densities) / np.sum(densities)


def test_weights_are_normalised_gaussians():
    weights = jax.jit(gaussian_weights)(DURATIONS, WIDTHS, MASK, TIMES)
    expected = [[brute_force(row, t) for t in TIMES.astype(float)] for row in range(2)]
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_far_after_the_end_the_weights_are_finite():
    weights = jax.jit(gaussian_weights)(
        DURATIONS, 0 * WIDTHS, MASK, np.array([0.0, 1e4], np.float32)
    )
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1, rtol=1e-5)
    assert not np.asarray(weights)[1, :, 2:].any()


def test_a_place_goes_from_the_begin_of_a_token_to_its_end():
    durations = np.array([[4.0, 2.0]], np.float32)
    times = np.array([0, 2, 4, 6], np.float32)
    weights = np.zeros((1, 4, 2), np.float32)
    weights[0, :2, 0] = weights[0, 2:, 1] = 1
    place = jax.jit(places)(weights, durations, times)
    np.testing.assert_allclose(place, [[-0.5, 0, -0.5, 0.5]], atol=1e-6)
