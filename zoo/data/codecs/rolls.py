"""Piano rolls of several tracks: whole pieces, which `Multitrack` crops to phrases."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    VELOCITY,
    BaseCodec,
    Fit,
    Notes,
    discard_remarks,
    require_in_range,
    require_pitch_range,
    write_notes,
)
from zoo.data.codecs.chorale import CHOIR, VOICES, read_voices
from zoo.data.codecs.metre import (
    Fraction,
    Span,
    bar_steps,
    barred_sequence,
    filled_length,
    fixed_metres,
    metre_spans,
    require_one_length,
)
from zoo.data.codecs.players import (
    BAND,
    DRUMS,
    NONE,
    assign_tracks,
    read_players,
    snap_tracks,
)
from zoo.data.codecs.steps import parse_metres
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.ranges import Pitch, Share, StepsPerQuarter, checked

OFF, ON, BAR = 0, 1, 2  # a step of all BAR begins a count of bars; in whole pieces only


@dataclass(frozen=True, kw_only=True)
@checked
class Rolls(BaseCodec):
    """A whole piece as uint8 [t, k, p], one step for each 16th, by track and pitch.

    Values: 0 off, 1 on. A step of all 2 takes no time and begins a count of bars: it is
    the first step, and follows a pickup or a bar cut short. All bars are decoded in the
    first metre: if it is 4/4, two bars of 2/4 are one of its bars. If at least half of
    the last bar is there, it is filled with rests.

    The tracks are a selection of `BAND`, or are `VOICES`, the voices of a chorale in
    order of mean pitch. The notes of a band are assigned to tracks as follows:

    - Drums are assigned to `drums`. Each hit lasts a step: every 1 of the track is a
      hit.
    - A part whose name is that of a track, in any case, is assigned to that track.
    - If no part is named `melody`, the melody is the highest part in mean pitch among
      those that are monophonic, are not a bass, and have at least half as many notes as
      the busiest of these.
    - Any other part is assigned to the track of its program by `FAMILIES`, else to
      `strings`.

    A roll does not distinguish a note that is repeated without a gap from one that is
    held: both are decoded as one note.

    Kept: tracks, pitch, rhythm in 16ths except for repetitions, bars. Not kept: tempo,
    velocity, programs within a track, drum hits outside low..high.

    Attributes:
      tracks: names of the tracks.
      required: tracks without which a piece is refused.
      metres: metres of the pieces.
      low: lowest MIDI pitch. By default the range is C1 to B7, the 84 pitches of
        MuseGAN's paper.
      high: highest MIDI pitch.
      steps_per_quarter: steps in a quarter note.
      off_grid: maximum share of notes that quantisation may move far or drop.
      chords: maximum share of notes of a line that may sound together with others.

    Raises:
      UsageError: an unknown track; a required track that is not one of `tracks`; an
        invalid range of pitches, metre or number of steps; or bars of a metre do not
        make up bars of the first.
    """

    tracks: tuple[str, ...] = tuple(BAND)
    required: tuple[str, ...] = ()
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    low: Pitch = 24
    high: Pitch = 107
    steps_per_quarter: StepsPerQuarter = 4
    off_grid: Share = 0.25
    chords: Share = 0.1

    def __post_init__(self):
        names = set(self.tracks)
        distinct = len(names) == len(self.tracks) > 0
        if not distinct or not (self._choral or names <= set(BAND)):
            raise UsageError(
                f"tracks are {', '.join(self.tracks) or 'none'}: choose from "
                f"{', '.join(BAND)}, each once, or {', '.join(VOICES)}."
            )
        if missing := [name for name in self.required if name not in names]:
            raise UsageError(
                f"{missing[0]} is required, but is not a track: add it to tracks."
            )
        require_pitch_range(self.low, self.high)
        require_one_length(self.metres, self.fractions, self.steps_per_quarter)

    @functools.cached_property
    def fractions(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        return parse_metres(self.metres, self.steps_per_quarter)

    @property
    def lenient(self) -> Any:
        return dataclasses.replace(self, chords=1.0)

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def frame_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.shape

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Returns rolls [n, t, k, p] with mixed tracks, or shifted off the beat."""
        mixed = [rows[rng.permutation(len(rows)), :, k] for k in range(rows.shape[2])]
        late = np.roll(rows, 3 * rows.shape[1] // 16, axis=1)
        return {"mixed_tracks": np.stack(mixed, axis=2), "off_beat": late}

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return bar_steps(self.fractions[0], self.steps_per_quarter)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a step: (tracks, pitches)."""
        return len(self.tracks), self.high - self.low + 1

    @property
    def vocab(self) -> int:
        return BAR + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as uint8 [t, k, p], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `off-grid`, `range`, `track` or
            `metre`; of a chorale also `voices` or `polyphonic`.
        """
        return fit_aligned(self._fit, sequence)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        read = self._read_chorale if self._choral else self._read_band
        notes, end, remarks = read(sequence)
        self._require_tracks(notes)
        end = max(end, int(notes.offset.max()))
        starts = self._bar_counts(sequence, end)
        end, bar_remarks = filled_length(starts[-1], end, self.bar)
        remarks += bar_remarks
        rolls, repeated = np.zeros((end, *self.shape), np.uint8), 0
        columns = notes.onset, notes.offset, notes.track, notes.pitch - self.low
        order = np.argsort(notes.onset, kind="stable")
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        for onset, offset, k, p in rows:
            if onset and rolls[onset - 1, k, p] and self.tracks[k] != "drums":
                repeated += 1
            rolls[onset:offset, k, p] = ON
        if repeated:
            remarks.append(f"repeated: {repeated} notes joined to the one before them")
        return Fit(np.insert(rolls, starts, BAR, axis=0), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as uint8 [t, k, p]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """Decodes any rolls [t, k, p]; any value other than 0 is on.

        Consecutive steps of a pitch are one note, except that every step of a drum is a
        hit. Each track is an instrument with its name and its program.
        """
        rolls = np.asarray(array).reshape(-1, *self.shape)
        is_bar = bar_marks(rolls)
        starts = np.unique(np.append(0, np.cumsum(~is_bar)[is_bar])).tolist()
        rolls = rolls[~is_bar] != OFF
        spans = [Span(x, self.fractions[0]) for x in starts if x < max(len(rolls), 1)]
        sequence = barred_sequence(spans, len(rolls), self.steps_per_quarter, qpm)
        total_time = sequence.total_time
        for k, name in enumerate(self.tracks):
            sequence.instrument_infos.add(instrument=k, name=name)
            self._write_track(sequence, rolls[:, k], k, qpm)
        sequence.total_time = total_time
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches but drums in range."""
        sounding = self._pitches(array) - self.low
        if not sounding.size:
            return range(1)
        return range(-int(sounding[0]), self.shape[1] - int(sounding[-1]))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes all tracks but drums.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        pitches = self._pitches(array)
        if semitones and not pitches.size:
            raise Refused(
                "range", "It has no pitched notes to transpose; transpose it by 0."
            )
        if pitches.size:
            require_in_range(pitches + semitones, self.low, self.high)
        moved = np.array(array)
        moved[:, self._pitched] = np.roll(moved[:, self._pitched], semitones, axis=2)
        return moved

    def grammar(self) -> None:
        """Returns None: any array of rolls is legal."""

    def describe(self, token: int) -> str:
        """Returns `off`, `on`, or, in whole pieces, `bar`."""
        return ("off", "on", "bar")[int(token)]

    @property
    def _choral(self) -> bool:
        """True if the tracks are the voices of a chorale."""
        return self.tracks == VOICES

    @property
    def _pitched(self) -> list[int]:
        """The indices of the tracks other than drums."""
        return [k for k, name in enumerate(self.tracks) if name != "drums"]

    def _pitches(self, array: np.ndarray) -> np.ndarray:
        """Returns the pitches that sound in tracks other than drums, ascending."""
        rolls = np.asarray(array).reshape(-1, *self.shape)
        sounding = (rolls != OFF) & ~bar_marks(rolls)[:, None, None]
        return self.low + np.flatnonzero(sounding[:, self._pitched].any(axis=(0, 1)))

    def _read_chorale(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """Returns the notes of four voices by index of track, length, and remarks."""
        voices, end, remarks = read_voices(
            sequence,
            self.steps_per_quarter,
            off_grid=self.off_grid,
            chords=self.chords,
            bars=True,
        )
        tracks = [
            x._replace(track=np.full_like(x.pitch, k)) for k, x in enumerate(voices)
        ]
        notes = Notes(*map(np.concatenate, zip(*tracks, strict=True)))
        require_in_range(notes.pitch, self.low, self.high)
        return notes, end, remarks

    def _read_band(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """Returns the notes of a band by index of track, length, and remarks."""
        read = read_players(sequence, self.steps_per_quarter)
        remarks = read.remarks + discard_remarks(sequence, read.notes)
        names = assign_tracks(sequence, read, self.tracks, self.chords)
        tracks = [
            self.tracks.index(name) if name in self.tracks else NONE for name in names
        ]
        players = read.notes.track
        is_drum = np.array([player.program == DRUMS for player in read.players])[
            players
        ]
        onset, offset = read.notes.onset, read.notes.offset
        notes = read.notes._replace(
            track=np.array(tracks)[players],
            offset=np.where(is_drum, onset + 1, offset),
        )
        in_range = (notes.pitch >= self.low) & (notes.pitch <= self.high)
        kept = (notes.track != NONE) & (in_range | ~is_drum)
        if not kept.any():
            raise Refused(
                "empty",
                f"None of its {len(kept)} notes is for {' or '.join(self.tracks)}; "
                "name more tracks.",
            )
        if dropped := len(kept) - np.sum(kept):
            remarks.append(f"tracks: {dropped} notes left out that belong to no track")
        pitched = notes.pitch[kept & ~is_drum]
        if pitched.size:
            require_in_range(pitched, self.low, self.high)
        notes, grid_remarks = snap_tracks(
            notes.take(np.flatnonzero(kept)), self.off_grid, self.steps_per_quarter
        )
        return notes, read.end, remarks + grid_remarks

    def _require_tracks(self, notes: Notes) -> None:
        """Raises Refused (`track`) if a required track is silent."""
        sounding = [self.tracks[k] for k in np.unique(notes.track).tolist()]
        if missing := [name for name in self.required if name not in sounding]:
            raise Refused(
                "track",
                f"It has no {' and no '.join(missing)}, but {', '.join(sounding)}; "
                "choose another piece, or a model that does not require such a track.",
            )

    def _bar_counts(self, sequence: NoteSequence, end: int) -> list[int]:
        """Returns the steps at which counts of bars begin.

        Raises:
          Refused: `metre`.
        """
        rate = self.steps_per_quarter
        with fixed_metres(self.metres):
            spans = metre_spans(metres(sequence), end, self.fractions, rate)
        starts: list[int] = []
        for span in spans:
            if not starts or (span.start - starts[-1]) % self.bar:
                starts.append(span.start)
        return starts

    def _write_track(
        self, sequence: NoteSequence, roll: np.ndarray, k: int, qpm: float
    ) -> None:
        """Adds the notes of a roll bool [t, p] as those of track k."""
        name, step = self.tracks[k], 60 / qpm / self.steps_per_quarter
        is_drum = name == "drums"
        onset, offset, pitch = note_runs(roll, joined=not is_drum)
        columns = onset * step, offset * step, pitch + self.low
        rows = zip(*(column.tolist() for column in columns), strict=True)
        write_notes(
            sequence,
            ((*row, VELOCITY) for row in rows),
            instrument=k,
            program=CHOIR if self._choral else BAND[name],
        )
        for note in sequence.notes[len(sequence.notes) - len(onset) :]:
            note.is_drum = is_drum


def bar_marks(rolls: np.ndarray) -> np.ndarray:
    """Returns bool [t], True for the steps of rolls [t, k, p] that are all BAR."""
    return (rolls == BAR).all(axis=(1, 2))


def note_runs(
    roll: np.ndarray, joined: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns onsets, offsets and pitches [n] of the notes of a roll bool [t, p].

    Args:
      roll: the roll.
      joined: whether consecutive steps of a pitch are one note; otherwise each is one.
    """
    if not joined:
        onset, pitch = np.nonzero(roll)
        return onset, onset + 1, pitch
    edges = np.diff(np.pad(roll, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    pitch, onset = np.nonzero(edges == 1)
    offset = np.nonzero(edges == -1)[1]
    order = np.lexsort((pitch, onset))
    return onset[order], offset[order], pitch[order]
