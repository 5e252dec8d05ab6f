"""The Fréchet distance against closed forms."""

import numpy as np
import pytest
import scipy.linalg

from zoo.metrics.frechet import Moments, frechet_distance, moments


def test_normals_with_commuting_covariances():
    """The distance is |m - m'|^2 plus the squared differences of the deviations."""
    one = Moments(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    other = Moments(np.array([4.0, 6.0]), np.diag([1.0, 16.0]))
    assert frechet_distance(one, other) == pytest.approx(9 + 16 + 1 + 1)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_general_covariances_agree_with_the_matrix_root():
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5)) for _ in range(2)]
    one, other = map(moments, sets)
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance).real
    both = one.covariance + other.covariance - 2 * root
    expected = ((one.mean - other.mean) ** 2).sum() + np.trace(both)
    assert frechet_distance(one, other) == pytest.approx(expected)


def test_weights_count_vectors_repeatedly():
    x = np.random.default_rng(0).normal(size=(6, 3))
    weights = np.array([2, 0, 1, 1, 3, 1])
    repeated = moments(np.repeat(x, weights, axis=0))
    weighted = moments(x, weights)
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance)
    np.testing.assert_allclose(moments(x).covariance, np.cov(x.T))
