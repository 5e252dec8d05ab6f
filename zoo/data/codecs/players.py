"""Notes of several players, drums included, and the tracks of a band."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import Notes
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

PITCHES = 128
DRUMS = 128  # the program of drums, after those of General MIDI
# Tracks of a band, and the General MIDI program, from 0, with which each is written.
BAND = {"melody": 73, "drums": 0, "bass": 33, "guitar": 25, "piano": 0, "strings": 48}
# Programs that are read as a track. All others are read as strings, as in Dong et al.
# 2018 (arXiv:1709.06298, Data Preprocessing).
FAMILIES = {"bass": range(32, 40), "guitar": range(24, 32), "piano": range(8)}
NONE = -1


class Player(NamedTuple):
    """The player of a note; the program is DRUMS for drums."""

    program: int
    instrument: int
    part: int
    voice: int


class Players(NamedTuple):
    """A piece by players.

    Attributes:
      notes: notes with times in steps; `track` is an index into `players`.
      players: the players.
      end: the length in steps.
      remarks: remarks on notes that were left out.
    """

    notes: Notes
    players: list[Player]
    end: int
    remarks: list[str]


def read_players(sequence: NoteSequence, steps_per_quarter: int) -> Players:
    """Reads the notes of a piece as `grid.read_steps` does, with drums.

    Raises:
      Refused: as `grid.read_steps`, or `malformed`: an impossible program.
    """
    piece, numbers = NoteSequence(), dict[Player, int]()
    piece.CopyFrom(sequence)
    for note in piece.notes:
        if not note.is_drum and not 0 <= note.program < DRUMS:
            raise Refused(
                "malformed",
                f"Program {note.program} is not one of General MIDI's 0 to 127.",
            )
        program = DRUMS if note.is_drum else note.program
        player = Player(program, note.instrument, note.part, note.voice)
        note.instrument = numbers.setdefault(player, len(numbers))
        note.part = note.voice = 0
        note.is_drum = False  # `read_steps` drops drums
    notes, end, remarks = grid.read_steps(piece, steps_per_quarter)
    notes = notes._replace(track=notes.track >> 20)
    return Players(notes, list(numbers), end, remarks)


def snap_tracks(
    notes: Notes, tolerance: float, steps_per_quarter: int
) -> tuple[Notes, list[str]]:
    """Quantises each pitch of each track separately; returns notes and remarks.

    Of notes of one pitch that begin on one step of a track, the longest is kept.

    Raises:
      Refused: `off-grid`, as `grid.snap`.
    """
    step, lane = np.floor(notes.onset + 0.5), notes.track * PITCHES + notes.pitch
    longest = np.argsort(notes.onset - notes.offset, kind="stable")
    _, first = np.unique(np.stack([lane, step])[:, longest], axis=1, return_index=True)
    single = notes._replace(pitch=lane).take(longest[first])
    snapped, remarks = grid.snap(single, tolerance, steps_per_quarter, lines=False)
    if merged := len(lane) - len(first):
        remarks.append(grid.merge_remark(merged, len(lane)))
    return snapped._replace(pitch=snapped.pitch % PITCHES), remarks


def assign_tracks(
    sequence: NoteSequence, read: Players, tracks: Collection[str], chords: float
) -> list[str]:
    """Returns the track of `BAND` of each player, by kind, name and program.

    Args:
      sequence: the piece, whose `instrument_infos` name its parts.
      read: the piece by players.
      tracks: the tracks of the codec.
      chords: maximum share of notes of a line that sound together with others.
    """
    titles = {x.instrument: x.name.strip().lower() for x in sequence.instrument_infos}
    names, candidates = [], []
    for i, player in enumerate(read.players):
        title = titles.get(player.instrument, "")
        if player.program == DRUMS:
            names.append("drums")
        elif title in tracks and title != "drums":
            names.append(title)
        else:
            names.append(_family(player.program))
            if names[i] != "bass":
                candidates.append(i)
    if "melody" in tracks and "melody" not in titles.values():
        melody = _melody_part(read.notes, candidates, chords)
        if melody is not None:
            names[melody] = "melody"
    return names


def _family(program: int) -> str:
    """Returns the track that a program is read as."""
    for name, programs in FAMILIES.items():
        if program in programs:
            return name
    return "strings"


def _melody_part(notes: Notes, candidates: list[int], chords: float) -> int | None:
    """Returns the highest in mean pitch of the busy lines, or None if there is none.

    A line is busy if it has at least half as many notes as the busiest of the lines.
    """
    parts = {i: notes.take(notes.track == i) for i in candidates}
    lines = {i: x for i, x in parts.items() if grid.overlap_share(x) <= chords}
    most_notes = max((len(line.onset) for line in lines.values()), default=0)
    busy = [i for i, line in lines.items() if 2 * len(line.onset) >= most_notes]
    ordered = sorted(busy, key=lambda i: lines[i].pitch.mean())
    return ordered[-1] if ordered else None
