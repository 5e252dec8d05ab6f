"""Measured qualities of a note, with the names of NSynth's annotations.

J. Engel et al., arXiv:1704.01279, table 2; the thresholds are our own. Multiphonic,
reverb and tempo-synced are not measured, and always False.
"""

import numpy as np
from scipy import signal

QUALITIES = (
    "bright",
    "dark",
    "distortion",
    "fast_decay",
    "long_release",
    "multiphonic",
    "nonlinear_env",
    "percussive",
    "reverb",
    "tempo-synced",
)
FRAME = 0.02  # seconds of a frame for the level
BRIGHT_HZ, DARK_HZ = 2000.0, 1000.0


def measure_qualities(
    audio: np.ndarray, rate: int, held: float, distorted: bool
) -> dict[str, bool]:
    """Measures the qualities of a note.

    - bright: more than a tenth of the power is above `BRIGHT_HZ`.
    - dark: more than 99 % of the power is below `DARK_HZ`.
    - fast_decay: the level falls by 20 dB before the release.
    - long_release: the level falls by less than 20 dB from the release to the end.
    - percussive: the first 60 ms are 12 dB above the median of the remaining held time.
    - nonlinear_env: the level rises again by 6 dB before the release.

    Args:
      audio: samples [s].
      rate: samples per second.
      held: fraction of the duration before the release.
      distorted: whether the instrument is distorted, which is not measured.
    """
    size = max(1, round(FRAME * rate))
    frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    release = max(1, min(round(held * len(level)), len(level) - 1))
    attack, sustain = level[:3].max(), level[3:release]
    hz, power = signal.periodogram(audio.astype(np.float64), rate)
    total = max(power.sum(), 1e-20)
    rises = level[:release] - np.minimum.accumulate(level[:release])
    percussive = len(sustain) and attack > np.median(sustain) + 12
    return dict.fromkeys(QUALITIES, False) | {
        "bright": bool(power[hz > BRIGHT_HZ].sum() / total > 0.1),
        "dark": bool(power[hz < DARK_HZ].sum() / total > 0.99),
        "distortion": distorted,
        "fast_decay": bool(level[release - 1] < level[:release].max() - 20),
        "long_release": bool(level[-3] > level[release - 1] - 20 > -80),
        "percussive": bool(percussive),
        "nonlinear_env": bool(rises[5:].max(initial=0.0) > 6),
    }
