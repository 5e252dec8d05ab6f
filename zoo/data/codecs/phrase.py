"""Phrases of one line or of four voices: full bars, always of one length."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zoo.data.codecs.base import BOUNDARY, BaseCodec, Fit
from zoo.data.codecs.chorale import CHOIR, VOICES, Chorale
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.melody import Melody
from zoo.data.codecs.metre import fixed_metres, require_one_length
from zoo.data.codecs.phrase_cropping import CroppedPhrases
from zoo.data.codecs.steps import HOLD, METRE, REST
from zoo.data.proto import QPM, NoteSequence
from zoo.data.refusal import Refused
from zoo.ranges import Bars, Pitch, Share, StepsPerQuarter, checked

PITCH = METRE  # the token of the lowest pitch; in a Melody, the first metre


class PhraseState(NamedTuple):
    """The state of a phrase: its steps, and whether a note sounds or has begun."""

    step: int = 0
    sounding: bool = False
    has_note: bool = False


@dataclass(frozen=True)
@checked
class Excerpt(CroppedPhrases, BaseCodec):
    """The common part of `Phrase` and `Quartet`: one token for each step and voice.

    Tokens: 0 BOUNDARY, which no phrase contains, 1 HOLD, 2 REST, then one note onset
    for each pitch low..high. A note that sounds where a phrase begins is struck there.
    All phrases are decoded in the first metre: if it is 4/4, two bars of 2/4 are one of
    its bars.

    Attributes:
      bars: number of bars in a phrase.
      metres: metres of the pieces.
      low: lowest MIDI pitch.
      high: highest MIDI pitch.
      steps_per_quarter: steps in a quarter note.
      off_grid: as in `Steps`.
      chords: as in `Steps`.

    Raises:
      UsageError: bars of a metre do not make up bars of the first; or as `source`.
    """

    voices: ClassVar[int] = 1

    bars: Bars = 2
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    low: Pitch = 36
    _: KW_ONLY
    high: Pitch = 96
    steps_per_quarter: StepsPerQuarter = 4
    off_grid: Share = 0.25
    chords: Share = 0.1

    def __post_init__(self):
        fractions = self.source.fractions
        require_one_length(self.metres, fractions, self.steps_per_quarter)

    @property
    @abstractmethod
    def source(self) -> Melody | Chorale:  # type: ignore[override]
        """The codec of the pieces that phrases are cropped from."""

    @property
    def _source_fields(self) -> dict[str, Any]:
        """The fields that `source` has, too."""
        return {
            "low": self.low,
            "high": self.high,
            "steps_per_quarter": self.steps_per_quarter,
            "metres": self.metres,
            "off_grid": self.off_grid,
            "chords": self.chords,
        }

    @functools.cached_property
    def _bar_lengths(self) -> list[int]:
        """Steps in a bar of each metre."""
        return list(self.source.bar_lengths()[METRE : METRE + len(self.metres)])

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return self._bar_lengths[0]

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def lenient(self) -> Any:
        return dataclasses.replace(self, chords=1.0)

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "voices": self.voices}
        return {"vocab": self.vocab, "length": self.length, **sizes}

    @property
    def vocab(self) -> int:
        return PITCH + self.high - self.low + 1

    def adapted(self, sequence: NoteSequence) -> Fit:
        """Encodes the first phrase as `fit` does.

        A short piece is padded with rests, and one out of range is transposed.
        """
        piece, remarks = self._padded(sequence)
        try:
            fit = self.fit(piece)
        except Refused as refused:
            if refused.reason != "range":
                raise
            semitones = self._transposition(piece)
            if semitones is None:
                raise
            for note in piece.notes:
                if not note.is_drum:
                    note.pitch += semitones
            remarks.append(f"transposed: by {semitones:+d} semitones")
            fit = self.fit(piece)
        return Fit(fit.array, (*remarks, *fit.remarks))

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a piece, one from every `stride`-th bar on.

        Silent phrases are left out; the beginnings of the others do not change.
        """
        phrases = []
        for length in sorted(set(self._bar_lengths), reverse=True):
            ratio = self.bar // length  # bars of this length in one of the first metre
            windows = self.source.excerpts(stream, self.bars * ratio, stride * ratio)
            steps = [self._without_metres(window) for window in windows]
            phrases += [x for x in steps if len(x) == self.length]
        return phrases

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """Decodes a phrase, or any number of steps up to the first BOUNDARY."""
        rows = np.asarray(array).reshape(-1, self.voices)
        rows = self._source_tokens(rows)
        return self.source.decode(np.insert(rows, 0, METRE, axis=0), qpm, program)

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within low..high."""
        onsets = array[array >= PITCH]
        if not onsets.size:
            return range(1)
        return range(PITCH - int(onsets.min()), self.vocab - int(onsets.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes a phrase.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        moved = self.source.transpose(self._source_tokens(array), semitones)
        return self._phrase_tokens(moved)

    def describe(self, token: int) -> str:
        """Returns `boundary`, `hold`, `rest`, or a pitch as `C4`."""
        return self.source.describe(int(self._source_tokens(np.array(token))))

    def _fit_phrases(
        self, sequence: NoteSequence, stride: int = 1
    ) -> tuple[list[np.ndarray], tuple[str, ...]]:
        with fixed_metres(self.metres):
            return super()._fit_phrases(sequence, stride)

    def _transposition(self, piece: NoteSequence) -> int | None:
        """Returns the smallest transposition into low..high, None if none fits."""
        pitches = [x.pitch for x in piece.notes if not x.is_drum]
        lowest, highest = min(pitches, default=0), max(pitches, default=0)
        if highest - lowest > self.high - self.low:
            return None
        return self.low - lowest if lowest < self.low else self.high - highest

    def _source_tokens(self, array: np.ndarray) -> np.ndarray:
        """Returns tokens of phrases as tokens of `source`, which has metres."""
        return np.where(array >= PITCH, array + len(self.metres), array)

    def _phrase_tokens(self, array: np.ndarray) -> np.ndarray:
        """Returns tokens of `source`, without metres, as tokens of phrases."""
        tokens = np.where(array >= PITCH, array - len(self.metres), array)
        return tokens.astype(np.int32)

    def _without_metres(self, stream: np.ndarray) -> np.ndarray:
        """Returns the steps of a stream of `source` as tokens of phrases."""
        lead = stream.reshape(len(stream), -1)[:, 0]
        timed = (lead == HOLD) | (lead == REST) | (lead >= PITCH + len(self.metres))
        return self._phrase_tokens(stream[timed])


@dataclass(frozen=True)
class Phrase(Excerpt):
    """`bars` full bars of a melody as int32 [length], in the tokens of `Excerpt`."""

    monophonic = True

    @functools.cached_property
    def source(self) -> Melody:  # type: ignore[override]
        return Melody(**self._source_fields, min_notes=1)

    def grammar(self) -> Grammar:
        """Returns the grammar of phrases with a note, and no HOLD after a rest."""

        def transitions(state: PhraseState) -> dict[int, PhraseState]:
            step = state.step + 1
            if state.step > self.length:
                return {}
            if state.step == self.length:
                return {BOUNDARY: state._replace(step=step)} if state.has_note else {}
            after = {
                REST: state._replace(step=step, sounding=False),
                PITCH: PhraseState(step, sounding=True, has_note=True),
            }
            if state.sounding:
                after[HOLD] = state._replace(step=step)
            return after

        def stops(state: PhraseState) -> bool:
            return state.has_note and state.step >= self.length

        kinds = np.minimum(np.arange(self.vocab), PITCH)
        return explore(PhraseState(), transitions, stops, kinds)


@dataclass(frozen=True)
@checked
class Quartet(Excerpt):
    """`bars` full bars of four voices as int32 [length, 4], in the tokens of `Excerpt`.

    The columns are the voices from soprano to bass, in order of mean pitch as in
    `Chorale`.
    """

    voices: ClassVar[int] = len(VOICES)
    frame_shape = (len(VOICES),)

    _: KW_ONLY
    high: Pitch = 84

    @functools.cached_property
    def source(self) -> Chorale:
        return Chorale(**self._source_fields)

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """Decodes a phrase as `Excerpt.decode` does, for a choir."""
        return super().decode(array, qpm, program)

    def grammar(self) -> None:
        """Returns None: any array of rows is legal."""
