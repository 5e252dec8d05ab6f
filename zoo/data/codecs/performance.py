"""Played music as a stream of events in seconds.

Oore, Simon, Dieleman, Eck & Simonyan 2018, This time with feeling: learning expressive musical
performance (section 3.1). Two deviations: token 0 is BOUNDARY, so that their events begin at 1, and
the notes of one step are in order of pitch whatever their order within it, so that a decoded
stream encodes to itself.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from note_seq import sequences_lib

from zoo.data.codecs.base import (
    BOUNDARY,
    BaseCodec,
    Fit,
    Notes,
    blank,
    losses,
    outside,
    read_notes,
    write_notes,
)
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.grid import quantise
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError

PITCHES = 128
_ON, _OFF, _SHIFT = 1, 1 + PITCHES, 1 + 2 * PITCHES  # first tokens of their kinds
LOUDEST = 127
SUSTAIN = 64  # MIDI controller
UNSTATED = 64  # the velocity of notes struck before a stream states one
LONGEST = 6 * 3600  # seconds
# what a stream's latest event was: none, or the longest shift; a shorter one; a note-off; a
# velocity; a note-on
WAITED, ARRIVED, LIFTED, STATED, STRUCK = range(5)


class At(NamedTuple):
    """Where a stream stands."""

    latest: int = WAITED
    velocity: int = BOUNDARY  # its token; BOUNDARY before the first
    notes: int = 0  # 1 where one has been struck, 2 where one has sounded
    ended: bool = False


@dataclass(frozen=True)
class Performance(BaseCodec):
    """A piece as int32 [t], ended by BOUNDARY; tempo lives on as seconds.

    Tokens: 0 BOUNDARY, 128 note-on, 128 note-off, `max_shift` time shifts of 1.. steps,
    `velocity_bins` velocities. A velocity holds until the next one.

    Kept: pitch, times to 1 / steps_per_second, velocity by bins. Not kept: metre, programs,
    tracks; notes of one pitch that overlap are cut where the next begins.
    """

    steps_per_second: int = 100
    max_shift: int = 100  # steps
    velocity_bins: int = 32
    drums: bool = (
        False  # false: drums are left out; true: a piece that has any is refused
    )

    def __post_init__(self):
        if (
            min(self.steps_per_second, self.max_shift) < 1
            or not 1 <= self.velocity_bins <= LOUDEST
        ):
            raise UsageError(
                "steps_per_second and max_shift are at least 1, velocity_bins within 1 to 127"
            )

    @property
    def vocab(self) -> int:
        return self._velocity + self.velocity_bins

    def fit(self, sequence: NoteSequence) -> Fit:
        """The stream int32 [t], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `drums`.
        """
        sequence, pedal = _without_pedal(sequence)
        notes, remarks = read_notes(sequence)
        if self.drums and remarks:
            raise Refused("drums", "It has drum notes; drums=False leaves them out.")
        if notes.offset.max() > LONGEST:
            raise Refused(
                "long",
                f"It lasts {notes.offset.max():.0f} seconds, over {LONGEST}; cut it first.",
            )
        remarks += pedal + losses(sequence, notes, seconds=True, bars=False)
        rate = self.steps_per_second
        grid = quantise(
            notes._replace(onset=notes.onset * rate, offset=notes.offset * rate),
            lines=False,
        )
        if grid.merged:
            remarks.append(
                f"merged: {grid.merged} notes struck together with one of their pitch"
            )
        if grid.cut:
            remarks.append(
                f"trimmed: {grid.cut} notes cut short where their pitch is struck anew"
            )
        if len(np.unique(notes.track)) > 1:
            remarks.append(f"tracks: {len(np.unique(notes.track))} played as one")
        return Fit(self._stream(grid.notes), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, program: int = 0) -> NoteSequence:
        """The music up to the first BOUNDARY, whatever the tokens.

        A note-on of a sounding pitch strikes it anew, a note-off of a silent one does nothing, and
        what sounds at the end stops there.
        """
        step, velocity = 0, UNSTATED
        sounding: dict[int, tuple[int, int]] = {}
        notes: list[tuple[int, int, int, int]] = []

        def stop(pitch: int) -> None:
            onset, loudness = sounding.pop(pitch, (step, 0))
            if onset < step:
                notes.append((onset, step, pitch, loudness))

        for token in np.asarray(array).reshape(-1).tolist():
            if token == BOUNDARY:
                break
            if token >= self._velocity:
                velocity = min(1 + (token - self._velocity) * self._bin, LOUDEST)
            elif token >= _SHIFT:
                step += token - _SHIFT + 1
            else:
                stop((token - _ON) % PITCHES)
                if token < _OFF:
                    sounding[token - _ON] = step, velocity
        for pitch in sorted(sounding):
            stop(pitch)
        sequence = blank()
        rate = self.steps_per_second
        columns = (
            (on / rate, off / rate, key, loud) for on, off, key, loud in sorted(notes)
        )
        write_notes(sequence, columns, program=program)
        sequence.total_time = step / rate
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch within 0 to 127."""
        pitch = self._pitches(array)
        return (
            range(-int(pitch.min()), PITCHES - int(pitch.max()))
            if pitch.size
            else range(1)
        )

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher. Raises `Refused` (`range`) out of `reach`."""
        if semitones not in self.reach(array):
            outside(self._pitches(array) + semitones, 0, PITCHES - 1)
        keyed = (array >= _ON) & (array < _SHIFT)
        return np.where(keyed, array + semitones, array).astype(np.int32)

    def describe(self, token: int) -> str:
        """`boundary`, `on 60`, `off 60`, `shift 0.25 s` or `velocity 80`."""
        token = int(token)
        if token == BOUNDARY:
            return "boundary"
        if token < _SHIFT:
            return f"{'on' if token < _OFF else 'off'} {(token - _ON) % PITCHES}"
        if token < self._velocity:
            return f"shift {(token - _SHIFT + 1) / self.steps_per_second:g} s"
        return f"velocity {1 + (token - self._velocity) * self._bin}"

    def grammar(self) -> Grammar:
        """The streams that `fit` writes, and such as are cut before their last notes end.

        On one step note-offs come first; a velocity is stated where it changes, right before its
        note-on; a shift is the longest there is, or the last of its kind before something happens.
        """
        bins = np.arange(self.velocity_bins)
        audible = self._velocity + bins[1 + bins * self._bin <= LOUDEST]
        longest = self._velocity - 1

        def stops(at: At) -> bool:
            return at.ended or at.notes == 2

        def rules(at: At) -> dict[int, At]:
            if at.ended:
                return {}
            after, moved = {}, at._replace(notes=2 if at.notes else 0)
            if at.velocity != BOUNDARY:
                after[_ON] = at._replace(latest=STRUCK, notes=max(at.notes, 1))
            if at.latest in (WAITED, ARRIVED, LIFTED):
                after[_OFF] = at._replace(latest=LIFTED)
            if at.latest in (WAITED, LIFTED, STRUCK):
                after |= {_SHIFT: moved._replace(latest=ARRIVED)}
                after |= {longest: moved._replace(latest=WAITED)}
            if at.latest != STATED:
                stated = audible[audible != at.velocity].tolist()
                after |= {
                    token: at._replace(latest=STATED, velocity=token)
                    for token in stated
                }
            if at.latest == LIFTED and stops(at):
                after[BOUNDARY] = At(ended=True)
            return after

        kinds = np.arange(self.vocab)
        kinds[_ON:_OFF], kinds[_OFF:_SHIFT], kinds[_SHIFT:longest] = _ON, _OFF, _SHIFT
        shifts = range(_SHIFT, self._velocity)
        keys = {
            "strikes": range(_ON, _OFF),
            "lifts": range(_OFF, _SHIFT),
            "passes": shifts,
        }
        return explore(At(), rules, stops, kinds, **keys)

    @property
    def _velocity(self) -> int:
        """The token of the softest velocity."""
        return _SHIFT + self.max_shift

    @property
    def _bin(self) -> int:
        """Velocities to a bin."""
        return -(-LOUDEST // self.velocity_bins)

    def _pitches(self, array: np.ndarray) -> np.ndarray:
        return (array[(array >= _ON) & (array < _SHIFT)] - _ON) % PITCHES

    def _stream(self, notes: Notes) -> np.ndarray:
        """Events by step; on one step note-offs first, and each kind by onset, then pitch."""
        rank = np.lexsort((notes.pitch, notes.onset))
        onset, offset, pitch = notes.onset[rank], notes.offset[rank], notes.pitch[rank]
        bins = (np.clip(notes.velocity[rank], 1, LOUDEST) - 1) // self._bin
        struck = np.repeat([False, True], len(rank))
        steps = np.concatenate([offset, onset])
        keys = np.concatenate([pitch + _OFF, pitch + _ON])
        loud = np.concatenate([bins, bins]) + self._velocity
        order = np.lexsort((struck, steps))
        columns = zip(
            *(x[order].tolist() for x in (steps, keys, loud, struck)), strict=True
        )
        stream: list[int] = []
        now, velocity = 0, 0
        for step, key, loudness, on in columns:
            while step > now:
                shift = min(step - now, self.max_shift)
                stream.append(_SHIFT + shift - 1)
                now += shift
            if on and loudness != velocity:
                stream.append(loudness)
                velocity = loudness
            stream.append(key)
        return np.array([*stream, BOUNDARY], np.int32)


def _without_pedal(sequence: NoteSequence) -> tuple[NoteSequence, list[str]]:
    """Notes last as long as the sustain pedal lets them sound."""
    if not any(x.control_number == SUSTAIN for x in sequence.control_changes):
        return sequence, []
    free = NoteSequence()
    free.CopyFrom(sequence)
    free.ClearField("quantization_info")
    return sequences_lib.apply_sustain_control_changes(free), [
        "pedal: sustain lengthens the notes"
    ]
