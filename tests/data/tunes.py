"""Random melodies, as sequences and as small ABC files."""

from pathlib import Path

import numpy as np

from zoo.data.proto import NoteSequence

LETTERS = [*"CDEFGABcdefgab", *(f"{letter}'" for letter in "cdefgab")]


def melody(seed: int, length: int = 48) -> list[tuple[int, int]]:
    """Returns a random walk over a scale: (degree 0..13, eighths) for each note."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.choice([-3, -2, -1, 1, 2, 3], length)) + 5
    return list(
        zip(
            (walk % 14).tolist(),
            rng.choice([1, 1, 1, 2, 3], length).tolist(),
            strict=True,
        )
    )


def abc(
    notes: list[tuple[int, int]], number: int = 1, key: str = "C", unit: int = 1
) -> str:
    """Returns the melody as an ABC tune in units of an eighth divided by `unit`."""
    body = " ".join(f"{LETTERS[degree]}{unit * eighths}" for degree, eighths in notes)
    return f"X:{number}\nT:Tune {number}\nM:none\nL:1/{8 * unit}\nK:{key}\n{body}|]\n"


def sequence(
    notes: list[tuple[int, float]], start: float = 0.0, rate: float = 1.0
) -> NoteSequence:
    """Returns successive notes (MIDI pitch, seconds), played `rate` times as fast."""
    made = NoteSequence()
    for pitch, length in notes:
        end = start + length / rate
        made.notes.add(pitch=pitch, velocity=80, start_time=start, end_time=end)
        start = end
    made.total_time = start
    return made


def folder(path: Path, count: int = 12) -> Path:
    """Writes `count` tunes in two subfolders, and a file that is not music."""
    for place in ("reels", "jigs"):
        (path / place).mkdir(parents=True)
    for seed in range(count):
        place = path / ("reels" if seed % 2 else "jigs")
        (place / f"tune{seed:02d}.abc").write_text(abc(melody(seed)))
    (path / "reels" / "broken.mid").write_bytes(b"MThd and no more")
    return path
