"""What a note sounds like, by measurement: the qualities that NSynth's notes are labelled with.

J. Engel et al., arXiv:1704.01279, table 2, whose words are made numbers here. Several fundamentals
at once, a room, and what keeps a tempo are not told, and said to be absent.
"""

import numpy as np
from scipy import signal

QUALITIES = (
    *("bright", "dark", "distortion", "fast_decay", "long_release"),
    *("multiphonic", "nonlinear_env", "percussive", "reverb", "tempo-synced"),
)
FRAME = 0.02  # seconds over which loudness is measured
HIGH, LOW = 2000.0, 1000.0  # Hz


def measure_qualities(
    audio: np.ndarray, rate: int, held: float, distorted: bool
) -> dict[str, bool]:
    """Of a note [s], held for a share of its time; whether it is distorted is known.

    bright: more than a tenth of the power is above `HIGH`. dark: all but a hundredth is below
    `LOW`. fast_decay: 20 dB down before it is let go. long_release: not 20 dB down from there at
    its end. percussive: 12 dB louder in its first 60 ms than later. nonlinear_env: 6 dB louder
    again, after it was softer, while it is held.
    """
    size = max(1, round(FRAME * rate))
    frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    let = max(1, min(round(held * len(level)), len(level) - 1))
    start, rest = level[:3].max(), level[3:let]
    hz, power = signal.periodogram(audio.astype(np.float64), rate)
    share = lambda where: power[where].sum() / max(power.sum(), 1e-20)
    rises = level[:let] - np.minimum.accumulate(level[:let])
    return dict.fromkeys(QUALITIES, False) | {
        "bright": bool(share(hz > HIGH) > 0.1),
        "dark": bool(share(hz < LOW) > 0.99),
        "distortion": distorted,
        "fast_decay": bool(level[let - 1] < level[:let].max() - 20),
        "long_release": bool(level[-3] > level[let - 1] - 20 > -80),
        "percussive": bool(len(rest) and start > np.median(rest) + 12),
        "nonlinear_env": bool(rises[5:].max(initial=0.0) > 6),
    }
