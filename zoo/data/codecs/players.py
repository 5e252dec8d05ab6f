"""Notes of many players, drums and all, on a grid of equal steps; and the tracks of a band."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import Notes
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

PITCHES = 128
DRUMS = 128  # the program of drums, after those of General MIDI
# The tracks of a band and their programs of General MIDI, from 0: the one that is written, and
# those that are read as theirs; all others are the strings', as Dong et al. 2018 have it
# (arXiv:1709.06298, Data Preprocessing)
BAND = {"melody": 73, "drums": 0, "bass": 33, "guitar": 25, "piano": 0, "strings": 48}
FAMILIES = {"bass": range(32, 40), "guitar": range(24, 32), "piano": range(8)}
NONE = -1


class Player(NamedTuple):
    """Whose notes they are: `program` is `DRUMS` where they are drums."""

    program: int
    instrument: int
    part: int
    voice: int


def read_players(
    sequence: NoteSequence, steps_per_quarter: int
) -> tuple[Notes, list[Player], int, list[str]]:
    """As `grid.read_steps`, drums and all: `track` is the number of the player among those given.

    Raises `Refused`: what `grid.read_steps` raises, and `malformed` for an impossible program.
    """
    piece, numbers = NoteSequence(), dict[Player, int]()
    piece.CopyFrom(sequence)
    for note in piece.notes:
        if not note.is_drum and not 0 <= note.program < DRUMS:
            raise Refused(
                "malformed",
                f"Program {note.program} is none of General MIDI's 0 to 127.",
            )
        program = DRUMS if note.is_drum else note.program
        player = Player(program, note.instrument, note.part, note.voice)
        note.instrument = numbers.setdefault(player, len(numbers))
        note.part = note.voice = 0
        note.is_drum = False  # what is read onto a grid is pitched
    notes, end, remarks = grid.read_steps(piece, steps_per_quarter)
    return notes._replace(track=notes.track >> 20), list(numbers), end, remarks


def together(
    notes: Notes, tolerance: float, steps_per_quarter: int
) -> tuple[Notes, list[str]]:
    """`grid.snap` of each pitch of each track by itself; of doubles the longest is kept."""
    step, lane = np.floor(notes.onset + 0.5), notes.track * PITCHES + notes.pitch
    longest = np.argsort(notes.onset - notes.offset, kind="stable")
    _, first = np.unique(np.stack([lane, step])[:, longest], axis=1, return_index=True)
    single = notes._replace(pitch=lane).take(longest[first])
    laid, remarks = grid.snap(single, tolerance, steps_per_quarter, lines=False)
    if merged := len(lane) - len(first):
        remarks.append(
            f"merged: {merged} of {len(lane)} notes lost to a longer one on their step"
        )
    return laid._replace(pitch=laid.pitch % PITCHES), remarks


def seats(
    sequence: NoteSequence,
    notes: Notes,
    players: list[Player],
    tracks: Collection[str],
    chords: float,
) -> list[str]:
    """The track of `BAND` that each player is of, by kind, name and program; see `Rolls`."""
    titles = {x.instrument: x.name.strip().lower() for x in sequence.instrument_infos}
    names, free = [], []
    for i, player in enumerate(players):
        title = titles.get(player.instrument, "")
        family = (
            name for name, programs in FAMILIES.items() if player.program in programs
        )
        if player.program == DRUMS:
            names.append("drums")
        elif title in tracks and title != "drums":
            names.append(title)
        else:
            names.append(next(family, "strings"))
            free += [i] if names[i] != "bass" else []
    if "melody" in tracks and "melody" not in titles.values():
        parts = {i: notes.take(notes.track == i) for i in free}
        lines = {i: part for i, part in parts.items() if grid.overlap(part) <= chords}
        busiest = max((len(line.onset) for line in lines.values()), default=0)
        busy = [i for i, line in lines.items() if 2 * len(line.onset) >= busiest]
        for i in sorted(busy, key=lambda i: lines[i].pitch.mean())[-1:]:
            names[i] = "melody"
    return names
