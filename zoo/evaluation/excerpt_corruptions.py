"""Corruptions of excerpts, which a classifier learns to tell from real ones.

Its last layer then holds what music is told from noise by: Fréchet distances are
computed in it. Axes: n excerpt, t step.
"""

import itertools
from collections.abc import Callable, Mapping

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.evaluation.arena import Arena
from zoo.evaluation.part_tokens import QUARTERS

Corruption = Callable[[Arena, np.ndarray, np.random.Generator], np.ndarray]
MOVED = 0.15  # share of the notes whose pitch or time is moved
MAX_MOVE = 4  # semitones


def shuffled_bars(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns excerpts with their bars in random order."""
    return _shuffled(excerpts, arena.length // arena.bars, rng)


def shuffled_quarters(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns excerpts with their quarters in random order."""
    return _shuffled(excerpts, arena.steps_per_quarter, rng)


def mixed_bars(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns excerpts of which each bar comes from another excerpt, in its place."""
    bar = arena.length // arena.bars
    mixed = excerpts.copy()
    for first in range(0, arena.length, bar):
        mixed[:, first : first + bar] = rng.permutation(
            excerpts[:, first : first + bar]
        )
    return mixed


def shifted(arena: Arena, excerpts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns excerpts that begin one to three quarters late in their bars."""
    steps = arena.steps_per_quarter * rng.integers(1, QUARTERS, len(excerpts))
    return np.stack(
        [np.roll(x, n, axis=0) for x, n in zip(excerpts, steps, strict=True)]
    )


def moved_pitches(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns excerpts with some notes moved by up to `MAX_MOVE` semitones."""

    def change(piece: NoteSequence) -> None:
        for note in piece.notes:
            if rng.random() < MOVED:
                move = int(rng.integers(1, MAX_MOVE + 1)) * int(rng.choice([-1, 1]))
                note.pitch = int(np.clip(note.pitch + move, 36, 84))

    return _changed(arena, excerpts, change)


def moved_times(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns excerpts with some notes beginning a step earlier or later."""

    def change(piece: NoteSequence) -> None:
        step = piece.total_time / arena.length
        for note in piece.notes:
            length = note.end_time - note.start_time
            if rng.random() < MOVED:
                last = piece.total_time - length
                start = note.start_time + step * float(rng.choice([-1, 1]))
                note.start_time = float(np.clip(start, 0, last))
                note.end_time = note.start_time + length
        if arena.voices == 1:
            _cut_overlaps(piece)

    return _changed(arena, excerpts, change)


def _cut_overlaps(piece: NoteSequence) -> None:
    """Ends each note where the next begins; of two that begin together, keeps one."""
    notes = sorted(piece.notes, key=lambda note: note.start_time)
    kept = [
        (note, min(note.end_time, after.start_time))
        for note, after in itertools.pairwise(notes)
        if after.start_time > note.start_time
    ]
    kept += [(note, note.end_time) for note in notes[-1:]]
    line = NoteSequence()
    for note, end in kept:
        line.notes.add().CopyFrom(note)
        line.notes[-1].end_time = end
    del piece.notes[:]
    piece.notes.extend(line.notes)


CORRUPTIONS: Mapping[str, Corruption] = {
    "shuffled bars": shuffled_bars,
    "shuffled quarters": shuffled_quarters,
    "mixed bars": mixed_bars,
    "shifted": shifted,
    "moved pitches": moved_pitches,
    "moved times": moved_times,
}


def labelled(
    arena: Arena, excerpts: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns excerpts, each corrupted in every way, and their classes [n]; 0 is real.

    The classes are "real" and the names of `CORRUPTIONS`.
    """
    sets = [
        excerpts,
        *(corrupt(arena, excerpts, rng) for corrupt in CORRUPTIONS.values()),
    ]
    return np.concatenate(sets), np.repeat(np.arange(len(sets)), len(excerpts))


def _shuffled(excerpts: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Returns excerpts whose parts of `size` steps are in random order."""
    parts = excerpts.reshape(len(excerpts), -1, size, *excerpts.shape[2:])
    order = [rng.permutation(parts.shape[1]) for _ in excerpts]
    rows = zip(parts, order, strict=True)
    return np.stack([part[i] for part, i in rows]).reshape(excerpts.shape)


def _changed(
    arena: Arena, excerpts: np.ndarray, change: Callable[[NoteSequence], None]
) -> np.ndarray:
    """Returns excerpts whose notes `change` has changed; what cannot be read stays."""
    changed = excerpts.copy()
    for i, excerpt in enumerate(excerpts):
        piece = arena.decode(excerpt)
        change(piece)
        found, _ = arena.excerpts([piece])
        if len(found):
            changed[i] = found.arrays[0]
    return changed
