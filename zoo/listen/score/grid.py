"""Quantisation of times in quarters to ticks, by the simplest grid of each quarter."""

import numpy as np

from zoo.listen.score.shape import QUARTER

# Divisions of a quarter, the simplest first: 64ths, triplets and sextuplets of 16ths,
# quintuplets and septuplets; the last is of four against three.
DIVISIONS = (1, 2, 4, 3, 8, 6, 5, 7, 16, 12)
PLAIN = (4, 3)  # of what fits no grid
EXACT = 0.006  # quarters: half a tick of a file with 96 ticks to the quarter is 0.0052
MOST = 0.9  # share of notes on a grid, in a piece that is not performed
TRIPLET_GAIN = 0.4  # squared error of triplets, over that of 16ths, to choose them


def quantise(onsets: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns notes in ticks, int [n, 2], and whether they were on a grid already.

    Each quarter takes the simplest division that fits all onsets and offsets in it, or
    else all onsets. Otherwise it takes 16ths or triplets, whichever moves its onsets
    less. A note lasts for one step of the grid at least.

    Args:
      onsets: onsets in quarters, [n].
      offsets: offsets in quarters, [n].
    """
    ticks, on_grid = _quantise(onsets, offsets, DIVISIONS)
    if on_grid:
        return ticks, True
    # by chance, performed notes fit a fine grid here and there
    return _quantise(onsets, offsets, PLAIN)[0], False


def _quantise(
    onsets: np.ndarray, offsets: np.ndarray, divisions: tuple[int, ...]
) -> tuple[np.ndarray, bool]:
    times = np.stack([onsets, offsets], axis=-1)
    windows = np.floor(times + EXACT).astype(int)
    fitting, ticks = 0, np.zeros(times.shape, int)
    shortest = np.full(len(times), QUARTER // 4)
    for window in np.unique(windows):
        inside = windows == window
        within, starts = times[inside] - window, onsets[inside[:, 0]] - window
        division = _fit(within, divisions)
        fitting += len(starts) * (division is not None)
        if division is None:
            division = _fit(starts, divisions) or _closest(starts)
            division = PLAIN[0] if division < PLAIN[1] else division
        step = QUARTER // division
        ticks[inside] = window * QUARTER + step * np.round(within * division)
        shortest[inside[:, 0]] = min(step, QUARTER // 4)
    ticks[:, 1] = np.maximum(ticks[:, 1], ticks[:, 0] + shortest)
    return ticks, fitting >= MOST * len(times)


def _fit(within: np.ndarray, divisions: tuple[int, ...]) -> int | None:
    """Returns the simplest division that fits all times in a quarter, if one does."""
    for division in divisions:
        error = np.abs(within - np.round(within * division) / division)
        if error.max(initial=0) < EXACT:
            return division
    return None


def _closest(starts: np.ndarray) -> int:
    """Returns the division of `PLAIN` that moves the onsets less."""
    plain, triplets = (
        float(((starts - np.round(starts * d) / d) ** 2).sum()) for d in PLAIN
    )
    return PLAIN[1] if triplets < TRIPLET_GAIN * plain else PLAIN[0]
