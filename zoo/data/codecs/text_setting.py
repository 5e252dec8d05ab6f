"""Melodies that a text is sung to: one note for each of its syllables.

A line of the text takes a fixed number of bars. Where a syllable may begin depends on
its stress, after F. Lerdahl, R. Jackendoff: A generative theory of tonal music, 1983,
section 4.2, on metrical accents: stressed syllables on beats, others off them. The
rule is an automaton, so that any model of melodies can be sampled under it. Unstressed
syllables before the first stressed one of a line are sung in the beat before its first
bar: a pickup.
"""

import contextlib
import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import BOUNDARY
from zoo.data.codecs.grammar import NEVER, Grammar, explore, padded
from zoo.data.codecs.melody import Melody
from zoo.data.codecs.metre import bar_steps
from zoo.data.codecs.steps import HOLD, METRE, REST
from zoo.data.refusal import Refused
from zoo.ranges import Bars, checked

Stresses = tuple[bool, ...]  # of the syllables of a line
# On beats, on halves of beats (thirds in compound metres), and on every step.
BEATS, DIVISIONS, STEPS = range(3)
MIN_NODES = 1024  # of a grammar: those of most texts have as many


class SettingState(NamedTuple):
    """The state of a stream.

    Attributes:
      step: steps since its beginning.
      sung: syllables that have begun.
      sounding: whether the last of them still sounds.
      barred: whether the metre token of this step has been written, if it has one.
      ended: whether the piece has ended.
    """

    step: int = 0
    sung: int = 0
    sounding: bool = False
    barred: bool = False
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
@checked
class TextSetting(Melody):
    """The melodies of a codec that a text can be sung to.

    Attributes:
      lines: for each line of the text, whether its syllables are stressed.
      metre: the metre of all bars, one of `metres`.
      line_bars: bars of a line.
      freedom: where stressed syllables may begin: BEATS, DIVISIONS or STEPS. Only on
        BEATS are others kept off the first beat of bars.
      compass: the lowest and the highest pitch.
    """

    lines: tuple[Stresses, ...] = ()
    metre: str = "4/4"
    line_bars: Bars = 2
    freedom: int = BEATS
    compass: tuple[int, int] = (0, 127)

    @functools.cached_property
    def bar(self) -> int:
        """Steps of a bar."""
        numerator, denominator = map(int, self.metre.split("/"))
        return bar_steps((numerator, denominator), self.steps_per_quarter)

    @functools.cached_property
    def pulse(self) -> int:
        """Steps of a beat, which in 6/8, 9/8 and 12/8 is a dotted quarter."""
        numerator, denominator = map(int, self.metre.split("/"))
        unit = 4 * self.steps_per_quarter // denominator
        compound = numerator % 3 == 0 and numerator > 3
        return 3 * unit if compound else unit

    @property
    def division(self) -> int:
        """Steps of the half of a beat; of its third in compound metres."""
        return self.pulse // (3 if self.pulse % 3 == 0 else 2) or 1

    @functools.cached_property
    def pickup(self) -> int:
        """Steps before the first bar."""
        return self._lead(self.lines[0]) * self.pulse

    @property
    def length(self) -> int:
        """Steps of the piece."""
        return self.pickup + len(self.lines) * self.line_bars * self.bar

    @property
    def events(self) -> int:
        """Tokens of the piece, with its metres and BOUNDARY."""
        return self.length + 2 + bool(self.pickup)

    @functools.cached_property
    def places(self) -> tuple[tuple[int, int], ...]:
        """For each syllable, the first step at which it may begin, and the last.

        These are a beat before and after its place if the line is sung evenly and its
        last note is twice as long as the others.
        """
        found = []
        for index, line in enumerate(self.lines):
            begin = self.pickup + index * self.line_bars * self.bar
            after = self.lines[index + 1] if index + 1 < len(self.lines) else ()
            end = begin + self.line_bars * self.bar - self._lead(after) * self.pulse
            upbeat = self._upbeat(line)
            found += [(begin - self.pulse, begin - 1)] * upbeat
            count = len(line) - upbeat
            for place in range(count):
                even = begin + place * (end - begin) // (count + 1)
                first, last = even - self.pulse, even + self.pulse
                found.append((max(first, begin), min(last, end - self.pulse)))
        return tuple(found)

    @functools.cached_property
    def onsets(self) -> tuple[frozenset[int], ...]:
        """The steps at which each syllable may begin."""
        stresses = [stressed for line in self.lines for stressed in line]
        return tuple(
            frozenset(
                step
                for step in range(first, last + 1)
                if self._may_begin(step - self.pickup, stressed)
            )
            for (first, last), stressed in zip(self.places, stresses, strict=True)
        )

    def grammar(self) -> Grammar:
        """Returns the grammar of the settings of the text.

        A syllable sounds until the next one begins. Rests stand before a line alone.

        Raises:
          Refused: `syllables`: there is none.
        """
        if self._tables.needs[0].min() == NEVER:
            longest = max(map(len, self.lines))
            raise Refused(
                "syllables",
                f"{longest} syllables of a line do not fit {self.line_bars} bars of "
                f"{self.metre}; divide the line.",
            )
        return self._tables

    @functools.cached_property
    def _tables(self) -> Grammar:
        tables = explore(SettingState(), self._transitions, _has_ended, self._tokens)
        nodes = len(tables.stops)
        return padded(tables, max(MIN_NODES, 1 << (nodes - 1).bit_length()))

    def onset_steps(self, array: np.ndarray) -> np.ndarray:
        """Returns the steps from the first bar line on at which notes begin, [n]."""
        timed, _ = self._parse(np.asarray(array))
        return np.flatnonzero(array[timed] >= self._onset) - self.pickup

    def accent(self, steps: np.ndarray) -> np.ndarray:
        """Returns the metrical accents of steps.

        3 at a bar line, 2 in the middle of a bar of an even number of beats, 1 at other
        beats, and 0 off beats.
        """
        accents = np.zeros(self.bar, int)
        accents[:: self.pulse] = 1
        if self.bar % (2 * self.pulse) == 0:
            accents[self.bar // 2] = 2
        accents[0] = 3
        return accents[steps % self.bar]

    @property
    def _tokens(self) -> np.ndarray:
        """The kind of each token: onsets are of one kind, those out of range of one."""
        low, high = (pitch + self._offset for pitch in self.compass)
        tokens = np.arange(self.vocab)
        outside = (tokens >= self._onset) & ((tokens < low) | (tokens > high))
        return np.where(outside, self._onset + 1, np.minimum(tokens, self._onset))

    @functools.cached_property
    def _begins(self) -> frozenset[int]:
        """The numbers of syllables after which a line has ended."""
        return frozenset(np.cumsum([0, *map(len, self.lines)]).tolist())

    def _transitions(self, state: SettingState) -> dict[int, SettingState]:
        if state.ended:
            return {}
        step, sung = state.step, state.sung
        if not state.barred and step in (0, self.pickup):
            token = METRE + self.metres.index(self.metre)
            return {token: state._replace(barred=True)}
        if step == self.length:
            return {BOUNDARY: SettingState(ended=True)} if sung == self.sung else {}
        after = {}
        later = state._replace(step=step + 1, barred=False)
        if sung < self.sung and step in self.onsets[sung]:
            after[self._onset] = later._replace(sung=sung + 1, sounding=True)
        overdue = sung < self.sung and step >= max(self.onsets[sung], default=-1)
        if overdue:
            return after
        if state.sounding:
            after[HOLD] = later
        if sung in self._begins and self._may_rest(step):
            after[REST] = later._replace(sounding=False)
        return after

    @property
    def sung(self) -> int:
        """Syllables of the text."""
        return sum(map(len, self.lines))

    def _may_rest(self, step: int) -> bool:
        """Says whether a rest may stand here: in the last beat of a line, or before."""
        place = (step - self.pickup) % (self.line_bars * self.bar)
        return place >= self.line_bars * self.bar - self.pulse or step < self.pickup

    def _may_begin(self, step: int, stressed: bool) -> bool:
        """Says whether a syllable may begin at a step after the first bar line."""
        if self.freedom == STEPS:
            return True
        if self.freedom == DIVISIONS:
            return step % self.division == 0
        if stressed:
            return step % self.pulse == 0
        return step % self.division == 0 and step % self.bar != 0

    def _upbeat(self, line: Stresses) -> int:
        """Returns the unstressed syllables at the beginning, if they fit a beat."""
        count = line.index(True) if True in line else 0
        return count if count * self.division <= self.pulse else 0

    def _lead(self, line: Stresses) -> int:
        """Returns the beats that a line needs before its first bar, 0 or 1."""
        return int(self._upbeat(line) > 0)


def fitted(setting: TextSetting) -> TextSetting:
    """Returns the strictest setting that some melody fits.

    Raises:
      Refused: `syllables`: there are too many in a line.
    """
    for freedom in (BEATS, DIVISIONS):
        found = replace(setting, freedom=freedom)
        with contextlib.suppress(Refused):
            found.grammar()
            return found
    found = replace(setting, freedom=STEPS)
    found.grammar()
    return found


def _has_ended(state: SettingState) -> bool:
    return state.ended
