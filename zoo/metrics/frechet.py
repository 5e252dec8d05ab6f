"""The Fréchet distance of two sets of feature vectors (Heusel et al. 2017).

Dowson & Landau 1982: the squared distance of normal distributions of the sets' means
and covariances. Axes: n vector, x feature.
"""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """The mean [x] and the covariance [x, x] of feature vectors."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray, weights: np.ndarray | None = None) -> Moments:
    """Returns the moments of features [n, x], each counted `weights` [n] times."""
    w = np.ones(len(features)) if weights is None else np.asarray(weights, float)
    mean = w @ features / w.sum()
    centred = features - mean
    return Moments(mean, (centred * w[:, None]).T @ centred / (w.sum() - 1))


def frechet_distance(one: Moments, other: Moments) -> float:
    """Returns |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)), at least 0.

    The trace of the root is that of (A C' A)^(1/2), where A is the root of C.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    inner = np.linalg.eigvalsh(root @ other.covariance @ root)
    shared = np.sqrt(np.maximum(inner, 0)).sum()
    trace = np.trace(one.covariance) + np.trace(other.covariance) - 2 * shared
    return max(0.0, float(((one.mean - other.mean) ** 2).sum() + trace))
