"""Profiles of modes: the key of a scale is not known to them, its mode is."""

import numpy as np

from zoo.evaluation.key_mode import features, learn, recall

SCALES = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)
LOW = 41


def scales(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rolls [n, 16, 2, 30] of notes of major and of harmonic minor scales, in any
    key."""
    rng = np.random.default_rng(seed)
    mode = rng.integers(2, size=n)
    rolls = np.zeros((n, 16, 2, 30), np.uint8)
    for roll, m, tonic in zip(rolls, mode, rng.integers(12, size=n), strict=True):
        keys = [p for p in range(30) if (LOW + p - tonic) % 12 in SCALES[m]]
        for k in range(2):
            roll[np.arange(16), k, rng.choice(keys, 16)] = 1
    return rolls, mode


def test_modes_are_told_apart_in_any_key():
    (one, mode), (other, asked) = scales(400, 0), scales(200, 1)
    profiles = learn(features(one, LOW), mode)
    assert recall(profiles, features(other, LOW), asked) > 0.9
    higher = np.pad(other, ((0, 0), (0, 0), (0, 0), (5, 0)))
    assert recall(profiles, features(higher, LOW), asked) == recall(
        profiles, features(other, LOW), asked
    )
    assert recall(profiles, features(other, LOW), 1 - asked) < 0.1


def test_features_are_shares_of_pitch_classes():
    rolls = np.zeros((1, 8, 2, 13), np.uint8)
    rolls[0, :, 0, 0] = 1  # F from beginning to end
    rolls[0, 6:, 1, 12 - 5] = 1  # C below it, at the end, in the lower track
    every, lowest, first, last = features(rolls, LOW)[0]
    np.testing.assert_allclose(every[[5, 0]], [0.8, 0.2])
    np.testing.assert_allclose([lowest[0], first[5], last[0]], [1, 1, 0.5])
