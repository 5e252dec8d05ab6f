"""Piano rolls of several tracks: whole pieces, of which `Multitrack` has so many bars."""

import functools
from dataclasses import dataclass

import numpy as np

from zoo.data.codecs.base import (
    VELOCITY,
    BaseCodec,
    Fit,
    Notes,
    blank,
    losses,
    outside,
    write_notes,
)
from zoo.data.codecs.chorale import CHOIR, VOICES, choir
from zoo.data.codecs.metre import Fraction, Span, bar_steps, signatures, spans
from zoo.data.codecs.players import BAND, DRUMS, NONE, read_players, seats, together
from zoo.data.codecs.steps import Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.errors import UsageError

OFF, BAR = 0, 2  # BAR in whole pieces alone, all over its row


@dataclass(frozen=True, kw_only=True)
class Rolls(BaseCodec):
    """A whole piece as uint8 [t, k, p], one row per 16th, track and pitch low..high.

    0 off, 1 on; a row of nothing but 2 takes no time and says that bars are counted anew: it begins
    a piece, and follows a pickup or a bar cut short. Bars are those of the first metre, which all
    are decoded in: in 2/4, two of its bars are one of 4/4. A last bar of which at least half is
    there is filled with rests.

    Tracks are some of `BAND`, or `VOICES`, the lines of a chorale in order of mean pitch. To a band
    goes

    - what is a drum, to the drums, each hit a step long: every 1 of theirs is a hit;
    - a part that has the name of a track, whatever its case, to that track;
    - where none is named so, to the melody the highest in mean pitch of those parts that are one
      line, no bass, and have at least half as many notes as the busiest of them;
    - any other part to the track of its program, see `FAMILIES`, and else to the strings.

    A roll does not tell a note repeated without a gap from one that is held: it comes back as one.

    Kept: tracks, pitch, rhythm in 16ths but for repetitions, bars. Not kept: tempo, velocity,
    programs within a track, drum hits outside low..high.

    Raises:
      UsageError: tracks there are not, `wanted` that are none, pitches that are no range, `metres`
        whose bars do not make up one of the first, and what `Steps` raises.
    """

    tracks: tuple[str, ...] = tuple(BAND)
    wanted: tuple[str, ...] = ()  # tracks without which a piece is refused
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    low: int = 24  # MIDI numbers: C1 to B7, the 84 pitches of the paper
    high: int = 107
    steps_per_quarter: int = 4
    off_grid: float = 0.25  # share of notes that may be bent to the grid or lost to it
    chords: float = 0.1  # share of notes of a line that may sound with others of it

    def __post_init__(self):
        names = set(self.tracks)
        if (
            not names
            or len(names) < len(self.tracks)
            or not (self._choral or names <= set(BAND))
        ):
            raise UsageError(
                f"tracks are some of {', '.join(BAND)}, or {', '.join(VOICES)}, each once, not "
                f"{', '.join(self.tracks) or 'none'}"
            )
        if strange := [name for name in self.wanted if name not in names]:
            raise UsageError(
                f"{strange[0]} is wanted, but is no track: add it to tracks"
            )
        if any(
            self.bar % bar_steps(metre, self.steps_per_quarter) for metre in self.known
        ):
            raise UsageError(
                f"bars of {', '.join(self.metres)} do not make up bars of {self.metres[0]}, as in "
                "rolls they must: choose metres that do, and train another model for the others."
            )

    @functools.cached_property
    def known(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        fields = self.low, self.high, self.steps_per_quarter, self.metres
        return Steps(*fields).known

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def frame_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.shape

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Returns rolls [n, t, k, p] with tracks of different phrases, or off the beat."""
        mixed = [rows[rng.permutation(len(rows)), :, k] for k in range(rows.shape[2])]
        late = np.roll(rows, 3 * rows.shape[1] // 16, axis=1)
        return {"mixed_tracks": np.stack(mixed, axis=2), "off_beat": late}

    @property
    def bar(self) -> int:
        """Steps of a bar."""
        return bar_steps(self.known[0], self.steps_per_quarter)

    @property
    def shape(self) -> tuple[int, int]:
        """Of one step: tracks and pitches."""
        return len(self.tracks), self.high - self.low + 1

    @property
    def vocab(self) -> int:
        return BAR + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """The rolls uint8 [t, k, p], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `off-grid`, `range`, `track`, `metre`; of
        voices also `voices`, `polyphonic`.
        """
        notes, end, remarks = (self._voices if self._choral else self._band)(sequence)
        self._missing(notes)
        starts, end, filled = self._bars(sequence, max(end, int(notes.offset.max())))
        rolls, repeated = np.zeros((end, *self.shape), np.uint8), 0
        columns = notes.onset, notes.offset, notes.track, notes.pitch - self.low
        order = np.argsort(notes.onset, kind="stable")
        for onset, offset, k, p in zip(
            *(x[order].tolist() for x in columns), strict=True
        ):
            repeated += bool(
                onset and rolls[onset - 1, k, p] and self.tracks[k] != "drums"
            )
            rolls[onset:offset, k, p] = 1
        if repeated:
            filled.append(f"repeated: {repeated} notes run on from the one before them")
        return Fit(np.insert(rolls, starts, BAR, axis=0), (*remarks, *filled))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """uint8 [t, k, p]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """The music of any rolls [t, k, p], whatever is not 0 being on.

        A note begins wherever its pitch does, and is held for as long as it is; every step of a
        drum is a hit. Each track has its program, an instrument by its name.
        """
        rolls = np.asarray(array).reshape(-1, *self.shape)
        bars = marks(rolls)
        starts = np.unique(np.append(0, np.cumsum(~bars)[bars])).tolist()
        rolls = rolls[~bars] != OFF
        found = [Span(at, self.known[0]) for at in starts if at < max(len(rolls), 1)]
        sequence, step = blank(qpm), 60 / qpm / self.steps_per_quarter
        for start, metre in signatures(found, len(rolls), self.steps_per_quarter):
            sequence.time_signatures.add(
                time=start * step, numerator=metre[0], denominator=metre[1]
            )
        for k, name in enumerate(self.tracks):
            drum = name == "drums"
            program = CHOIR if self._choral else BAND[name]
            sequence.instrument_infos.add(instrument=k, name=name)
            onset, offset, pitch = runs(rolls[:, k], held=not drum)
            columns = (
                (onset * step).tolist(),
                (offset * step).tolist(),
                (pitch + self.low).tolist(),
            )
            notes = ((*note, VELOCITY) for note in zip(*columns, strict=True))
            write_notes(sequence, notes, instrument=k, program=program)
            for note in sequence.notes[len(sequence.notes) - len(onset) :]:
                note.is_drum = drum
        sequence.total_time = len(rolls) * step
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch but drums within low..high."""
        sounding = self._pitches(array) - self.low
        if not sounding.size:
            return range(1)
        return range(-int(sounding[0]), self.shape[1] - int(sounding[-1]))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher but for drums.

        Raises `Refused` (`range`) out of `reach`.
        """
        pitches = self._pitches(array)
        if semitones and not pitches.size:
            raise Refused(
                "range", "It has no pitched notes to be moved; transpose it by 0."
            )
        if pitches.size:
            outside(pitches + semitones, self.low, self.high)
        moved = np.array(array)
        moved[:, self._pitched] = np.roll(moved[:, self._pitched], semitones, axis=2)
        return moved

    def grammar(self) -> None:
        """None: every array of rolls is music, but for silence."""

    def describe(self, token: int) -> str:
        """`off`, `on`, or, in whole pieces, `bar`."""
        return ("off", "on", "bar")[int(token)]

    @property
    def _choral(self) -> bool:
        return self.tracks == VOICES

    @property
    def _pitched(self) -> list[int]:
        """The tracks that are not drums."""
        return [k for k, name in enumerate(self.tracks) if name != "drums"]

    def _pitches(self, array: np.ndarray) -> np.ndarray:
        """The pitches that sound in tracks that are not drums, ascending."""
        rolls = np.asarray(array).reshape(-1, *self.shape)
        sounding = (rolls != OFF) & ~marks(rolls)[:, None, None]
        return self.low + np.flatnonzero(sounding[:, self._pitched].any(axis=(0, 1)))

    def _voices(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """The notes of four voices, `track` by place in `tracks`; the length; and remarks."""
        loose = self.off_grid, self.chords
        voices, end, remarks = choir(
            sequence, self.steps_per_quarter, *loose, bars=True
        )
        voices = [
            x._replace(track=np.full_like(x.pitch, k)) for k, x in enumerate(voices)
        ]
        notes = Notes(*map(np.concatenate, zip(*voices, strict=True)))
        outside(notes.pitch, self.low, self.high)
        return notes, end, remarks

    def _band(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """As `_voices`, of a band."""
        notes, players, end, remarks = read_players(sequence, self.steps_per_quarter)
        remarks += losses(sequence, notes)
        names = seats(sequence, notes, players, self.tracks, self.chords)
        places = [
            self.tracks.index(name) if name in self.tracks else NONE for name in names
        ]
        hit = np.array([player.program == DRUMS for player in players])[notes.track]
        notes = notes._replace(
            track=np.array(places)[notes.track],
            offset=np.where(hit, notes.onset + 1, notes.offset),
        )
        strange = hit & ((notes.pitch < self.low) | (notes.pitch > self.high))
        kept = (notes.track != NONE) & ~strange
        if not kept.any():
            tracks = " or ".join(self.tracks)
            raise Refused(
                "empty",
                f"None of its {len(kept)} notes is for {tracks}; name more tracks.",
            )
        if left := len(kept) - np.sum(kept):
            remarks.append(f"tracks: {left} notes left out that no track has")
        if (tuned := notes.pitch[kept & ~hit]).size:
            outside(tuned, self.low, self.high)
        notes, bent = together(
            notes.take(np.flatnonzero(kept)), self.off_grid, self.steps_per_quarter
        )
        return notes, end, remarks + bent

    def _missing(self, notes: Notes) -> None:
        """Raise `Refused` (`track`) where one that is wanted is silent."""
        there = [self.tracks[k] for k in np.unique(notes.track).tolist()]
        if missing := [name for name in self.wanted if name not in there]:
            raise Refused(
                "track",
                f"It has no {' and no '.join(missing)}, but {', '.join(there)}; choose another "
                "piece, or a model that wants no such track.",
            )

    def _bars(
        self, sequence: NoteSequence, end: int
    ) -> tuple[list[int], int, list[str]]:
        """The steps from which bars are counted, the length once filled, and remarks."""
        try:
            found = spans(metres(sequence), end, self.known, self.steps_per_quarter)
        except Refused as refused:
            # to add a metre is no cure here: its bars are of another length
            bar, kinds = (
                refused.detail.partition(";")[0].rstrip("."),
                " or ".join(self.metres),
            )
            raise Refused(
                "metre",
                f"{bar}. Rolls are of {kinds}: other metres need a model of their own.",
            ) from refused
        starts: list[int] = []
        for span in found:
            if not starts or (span.start - starts[-1]) % self.bar:
                starts.append(span.start)
        rest = (end - starts[-1]) % self.bar
        if 2 * rest < self.bar:
            return starts, end, []
        return (
            starts,
            end + self.bar - rest,
            ["padded: rests up to the end of the last bar"],
        )


def marks(rolls: np.ndarray) -> np.ndarray:
    """Which rows of rolls [t, k, p] take no time."""
    return (rolls == BAR).all(axis=(1, 2))


def runs(roll: np.ndarray, held: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onsets, offsets and pitches [n] of a roll [t, p] in order, a step each unless `held`."""
    if not held:
        onset, pitch = np.nonzero(roll)
        return onset, onset + 1, pitch
    edges = np.diff(np.pad(roll, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    pitch, onset = np.nonzero(edges == 1)
    offset = np.nonzero(edges == -1)[1]
    order = np.lexsort((pitch, onset))
    return onset[order], offset[order], pitch[order]
