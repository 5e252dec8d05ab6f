"""Performed music as a stream of events in seconds.

Oore, Simon, Dieleman, Eck & Simonyan 2018, This time with feeling: learning expressive
musical performance (section 3.1). Two deviations: token 0 is BOUNDARY, so that their
events begin at 1, and the notes of one step are in order of pitch, so that a decoded
stream is encoded as itself.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, NamedTuple

import numpy as np

from zoo.data.codecs.base import (
    BOUNDARY,
    BaseCodec,
    Fit,
    Notes,
    discard_remarks,
    empty_sequence,
    read_notes,
    require_in_range,
    write_notes,
)
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.grid import quantise
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.ranges import Count, Range, checked

PITCHES = 128
NOTE_ON, NOTE_OFF, SHIFT = 1, 1 + PITCHES, 1 + 2 * PITCHES  # the first token of each
MAX_VELOCITY = 127
SUSTAIN = 64  # number of the MIDI controller
DEFAULT_VELOCITY = 64  # of notes before the first velocity token
MAX_SECONDS = 6 * 3600
# Kinds of the latest event of a stream: the longest shift, or none; a shorter shift; a
# note-off; a velocity; a note-on.
LONGEST_SHIFT, SHORTER_SHIFT, OFF, VELOCITY, ON = range(5)
NO_NOTE, NOTE_STRUCK, NOTE_SOUNDED = range(3)


class StreamState(NamedTuple):
    """The state of a stream.

    Attributes:
      latest: kind of the latest event.
      velocity: the latest velocity token, BOUNDARY before the first.
      notes: NO_NOTE, NOTE_STRUCK if a note has begun, NOTE_SOUNDED if it has lasted.
      ended: whether the piece has ended.
    """

    latest: int = LONGEST_SHIFT
    velocity: int = BOUNDARY
    notes: int = NO_NOTE
    ended: bool = False


@dataclass(frozen=True)
@checked
class Performance(BaseCodec):
    """A piece as int32 [t], ended by BOUNDARY, with times in seconds.

    Tokens: 0 BOUNDARY, 128 note-ons, 128 note-offs, `max_shift` time shifts of 1, 2, ..
    steps, `velocity_bins` velocities. A velocity is that of all notes up to the next.

    Kept: pitch, times to 1 / steps_per_second, binned velocity. Not kept: metre,
    programs, tracks. A note ends where its pitch is struck again.

    Attributes:
      steps_per_second: steps in a second.
      max_shift: steps in the longest time shift.
      velocity_bins: number of bins of velocity.
      drums: whether a piece with drums is refused; otherwise they are left out.

    Raises:
      UsageError: a size that is too small or too large.
    """

    steps_per_second: Count = 100
    max_shift: Count = 100
    velocity_bins: Annotated[int, Range(1, MAX_VELOCITY)] = 32
    _: KW_ONLY
    drums: bool = False

    @property
    def vocab(self) -> int:
        return self._first_velocity + self.velocity_bins

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as int32 [t], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long` or `drums`.
        """
        sequence, pedal_remarks = _without_pedal(sequence)
        notes, remarks = read_notes(sequence)
        if self.drums and remarks:
            raise Refused("drums", "It has drum notes; drums=False leaves them out.")
        end = notes.offset.max()
        if end > MAX_SECONDS:
            raise Refused(
                "long", f"It lasts {end:.0f} seconds, over {MAX_SECONDS}; cut it first."
            )
        remarks += pedal_remarks
        remarks += discard_remarks(sequence, notes, seconds=True, bars=False)
        rate = self.steps_per_second
        quantised = quantise(
            notes._replace(onset=notes.onset * rate, offset=notes.offset * rate),
            lines=False,
        )
        if quantised.merged:
            remarks.append(
                f"merged: {quantised.merged} notes dropped for a longer one of their "
                "pitch on their step"
            )
        if quantised.cut:
            remarks.append(
                f"trimmed: {quantised.cut} notes cut short where their pitch is struck "
                "again"
            )
        tracks = len(np.unique(notes.track))
        if tracks > 1:
            remarks.append(f"tracks: {tracks} joined into one")
        return Fit(self._events(quantised.notes), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, program: int = 0) -> NoteSequence:
        """Decodes any tokens, up to the first BOUNDARY.

        A note-on of a pitch that sounds strikes it again. A note-off of a pitch that is
        silent has no effect. All notes end where the stream ends.
        """
        step, velocity = 0, DEFAULT_VELOCITY
        sounding: dict[int, tuple[int, int]] = {}
        notes: list[tuple[int, int, int, int]] = []

        def stop(pitch: int) -> None:
            onset, loudness = sounding.pop(pitch, (step, 0))
            if onset < step:
                notes.append((onset, step, pitch, loudness))

        for token in np.asarray(array).reshape(-1).tolist():
            if token == BOUNDARY:
                break
            if token >= self._first_velocity:
                bin_index = token - self._first_velocity
                velocity = min(1 + bin_index * self._bin_size, MAX_VELOCITY)
            elif token >= SHIFT:
                step += token - SHIFT + 1
            else:
                stop((token - NOTE_ON) % PITCHES)
                if token < NOTE_OFF:
                    sounding[token - NOTE_ON] = step, velocity
        for pitch in sorted(sounding):
            stop(pitch)
        sequence = empty_sequence()
        rate = self.steps_per_second
        columns = (
            (onset / rate, offset / rate, pitch, loudness)
            for onset, offset, pitch, loudness in sorted(notes)
        )
        write_notes(sequence, columns, program=program)
        sequence.total_time = step / rate
        return sequence

    def decode_like(self, array: np.ndarray, source: NoteSequence) -> NoteSequence:
        piece = self.decode(array)
        for name in ("tempos", "time_signatures"):
            piece.ClearField(name)
            getattr(piece, name).extend(getattr(source, name))
        return piece

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within 0 to 127."""
        pitch = self._pitches(array)
        if not pitch.size:
            return range(1)
        return range(-int(pitch.min()), PITCHES - int(pitch.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes a stream.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        if semitones not in self.reach(array):
            require_in_range(self._pitches(array) + semitones, 0, PITCHES - 1)
        has_pitch = (array >= NOTE_ON) & (array < SHIFT)
        return np.where(has_pitch, array + semitones, array).astype(np.int32)

    def describe(self, token: int) -> str:
        """Returns `boundary`, `on 60`, `off 60`, `shift 0.25 s` or `velocity 80`."""
        token = int(token)
        if token == BOUNDARY:
            return "boundary"
        if token < SHIFT:
            kind = "on" if token < NOTE_OFF else "off"
            return f"{kind} {(token - NOTE_ON) % PITCHES}"
        if token < self._first_velocity:
            return f"shift {(token - SHIFT + 1) / self.steps_per_second:g} s"
        return f"velocity {1 + (token - self._first_velocity) * self._bin_size}"

    def grammar(self) -> Grammar:
        """Returns the grammar of all streams that `fit` writes.

        Legal, too, are streams that are cut before their last notes end. On one step,
        note-offs come first. A velocity stands directly before a note-on, and only if
        it changes. A shift is the longest, or the last one before another event.
        """
        bins = np.arange(self.velocity_bins)
        velocities = 1 + bins * self._bin_size
        velocity_tokens = self._first_velocity + bins[velocities <= MAX_VELOCITY]
        longest = self._first_velocity - 1

        def stops(state: StreamState) -> bool:
            return state.ended or state.notes == NOTE_SOUNDED

        def transitions(state: StreamState) -> dict[int, StreamState]:
            after: dict[int, StreamState] = {}
            if state.ended:
                return after
            if state.velocity != BOUNDARY:
                notes = max(state.notes, NOTE_STRUCK)
                after[NOTE_ON] = state._replace(latest=ON, notes=notes)
            if state.latest in (LONGEST_SHIFT, SHORTER_SHIFT, OFF):
                after[NOTE_OFF] = state._replace(latest=OFF)
            if state.latest in (LONGEST_SHIFT, OFF, ON):
                notes = NOTE_SOUNDED if state.notes else NO_NOTE
                after[SHIFT] = state._replace(latest=SHORTER_SHIFT, notes=notes)
                after[longest] = state._replace(latest=LONGEST_SHIFT, notes=notes)
            if state.latest != VELOCITY:
                for token in velocity_tokens.tolist():
                    if token != state.velocity:
                        after[token] = state._replace(latest=VELOCITY, velocity=token)
            if state.latest == OFF and stops(state):
                after[BOUNDARY] = StreamState(ended=True)
            return after

        kinds = np.arange(self.vocab)
        kinds[NOTE_ON:NOTE_OFF] = NOTE_ON
        kinds[NOTE_OFF:SHIFT] = NOTE_OFF
        kinds[SHIFT:longest] = SHIFT
        return explore(
            StreamState(),
            transitions,
            stops,
            kinds,
            strikes=range(NOTE_ON, NOTE_OFF),
            lifts=range(NOTE_OFF, SHIFT),
            passes=range(SHIFT, self._first_velocity),
        )

    @property
    def _first_velocity(self) -> int:
        """The token of the lowest velocity."""
        return SHIFT + self.max_shift

    @property
    def _bin_size(self) -> int:
        """Number of velocities in a bin."""
        return -(-MAX_VELOCITY // self.velocity_bins)

    def _pitches(self, array: np.ndarray) -> np.ndarray:
        """Returns the pitches of all note-ons and note-offs."""
        return (array[(array >= NOTE_ON) & (array < SHIFT)] - NOTE_ON) % PITCHES

    def _events(self, notes: Notes) -> np.ndarray:
        """Returns the tokens of quantised notes.

        On one step, note-offs come first; both kinds are in order of onset and pitch.
        """
        rank = np.lexsort((notes.pitch, notes.onset))
        onset, offset, pitch = notes.onset[rank], notes.offset[rank], notes.pitch[rank]
        velocity = np.clip(notes.velocity[rank], 1, MAX_VELOCITY)
        bins = (velocity - 1) // self._bin_size
        is_on = np.repeat([False, True], len(rank))
        steps = np.concatenate([offset, onset])
        keys = np.concatenate([pitch + NOTE_OFF, pitch + NOTE_ON])
        velocities = np.concatenate([bins, bins]) + self._first_velocity
        order = np.lexsort((is_on, steps))
        columns = steps, keys, velocities, is_on
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        stream: list[int] = []
        time, stated = 0, BOUNDARY
        for step, key, velocity_token, on in rows:
            while step > time:
                shift = min(step - time, self.max_shift)
                stream.append(SHIFT + shift - 1)
                time += shift
            if on and velocity_token != stated:
                stream.append(velocity_token)
                stated = velocity_token
            stream.append(key)
        return np.array([*stream, BOUNDARY], np.int32)


def _without_pedal(sequence: NoteSequence) -> tuple[NoteSequence, list[str]]:
    """Returns a piece whose notes last while the sustain pedal is down, and remarks."""
    if not any(x.control_number == SUSTAIN for x in sequence.control_changes):
        return sequence, []
    copy = NoteSequence()
    copy.CopyFrom(sequence)
    copy.ClearField("quantization_info")
    from note_seq import sequences_lib

    sustained = sequences_lib.apply_sustain_control_changes(copy)
    return sustained, ["pedal: notes last while the sustain pedal is down"]
