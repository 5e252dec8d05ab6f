"""Singing made from speaking, by the vocoder WORLD.

The vocoder divides speech into pitch, spectral envelope and aperiodicity (M. Morise, F.
Yokomori, K. Ozawa: WORLD, IEICE Trans. Inf. & Syst. E99-D(7), 2016). The latter two
are stretched phoneme by phoneme, pitch is that of the notes, and the three are
synthesised (as T. Saitou et al. do: Speech-to-singing synthesis, WASPAA 2007). Axes:
s sample, f frame of 5 ms, t phoneme.
"""

import dataclasses
import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo.data.speech.contour import compass_of, contour, hertz, octaves
from zoo.data.speech.placing import (
    SILENT,
    Placed,
    SungNote,
    Syllable,
    joined,
    place,
    require_notes,
    syllables_in,
)
from zoo.errors import ZooError

MISSING = "Singing needs the vocoder WORLD: pip install 'music-zoo[speech]'."
VOICELESS = ("CH", "F", "HH", "K", "P", "S", "SH", "T", "TH")
PERIOD = 0.005  # seconds between frames
FLOOR, CEILING = 60.0, 500.0  # hertz of the voices that are analysed
EDGE, EDGE_SHARE = 0.08, 0.3  # of a vowel that is not stretched: seconds, and share
QUIET = 1e-12  # spectral power of silence
RAMP = 0.01  # seconds in which sound begins and ends at silences
MOST_GAIN = 12.0  # decibels by which the level of a note is changed
LEVEL, PEAK = -20.0, 0.98  # of vowels, in decibels of full scale; the loudest sample


class Spoken(Protocol):
    """An utterance: samples [s], their rate, and phonemes with t + 1 bounds."""

    @property
    def audio(self) -> np.ndarray: ...

    @property
    def rate(self) -> int: ...

    @property
    def phonemes(self) -> Sequence[str]: ...

    @property
    def bounds(self) -> np.ndarray: ...


class World(NamedTuple):
    """The parameters of a voice: f0 [f], envelope [f, bins], aperiodicity [f, bins]."""

    f0: np.ndarray
    envelope: np.ndarray
    aperiodicity: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Singing:
    """A sung line.

    Attributes:
      audio: samples float32 [s], up to the end of the last note.
      rate: samples per second.
      f0: hertz [f] of frames of 5 ms; 0 where it is not voiced.
      phonemes: the phonemes in order; "" is silence.
      bounds: int64 [t + 1], the first sample of each phoneme and the end.
      notes: the notes that are sung, in the octave of the singer.
      remarks: one `code: sentence` for each change.
    """

    audio: np.ndarray
    rate: int
    f0: np.ndarray
    phonemes: tuple[str, ...]
    bounds: np.ndarray
    notes: tuple[SungNote, ...]
    remarks: tuple[str, ...]


def world() -> Any:
    """Returns the module of the vocoder.

    Raises:
      ZooError: it is not installed.
    """
    if importlib.util.find_spec("pyworld") is None:
        raise ZooError(MISSING)
    import pyworld

    return pyworld


def analyse(audio: np.ndarray, rate: int) -> World:
    """Returns the parameters of speech [s].

    Raises:
      ZooError: the vocoder is not installed.
    """
    vocoder = world()
    samples = np.ascontiguousarray(audio, np.float64)
    f0, times = vocoder.dio(
        samples, rate, f0_floor=FLOOR, f0_ceil=CEILING, frame_period=1000 * PERIOD
    )
    f0 = vocoder.stonemask(samples, f0, times, rate)
    envelope = vocoder.cheaptrick(samples, f0, times, rate)
    return World(f0, envelope, vocoder.d4c(samples, f0, times, rate))


def sing(
    spoken: Spoken,
    notes: Sequence[SungNote],
    *,
    syllables: Sequence[Syllable] = (),
    compass: tuple[int, int] | None = None,
    seed: int = 0,
) -> Singing:
    """Sings an utterance to notes.

    Args:
      spoken: the utterance, with the phonemes of ARPAbet and silences by other names.
      notes: the notes in order, one or more for each syllable, with rests between.
      syllables: the numbers of the phonemes of each; by default `syllables_in`.
      compass: lowest and highest MIDI pitch of the singer, by default around the pitch
        of the speech; a melody that leaves it is moved by octaves, with a remark.
      seed: of jitter and vibrato.

    Raises:
      Refused: `notes` or `words`, as `require_notes`.
      ZooError: the vocoder is not installed.
    """
    parts = list(syllables) or syllables_in(spoken.phonemes)
    require_notes(notes, parts)
    voice = analyse(spoken.audio, spoken.rate)
    pitches = [note.pitch for note in notes]
    shift, remarks = octaves(pitches, compass or compass_of(voice.f0))
    line = [note._replace(pitch=note.pitch + 12 * shift) for note in joined(notes)]
    edges = np.asarray(spoken.bounds) / spoken.rate
    layout = place(np.diff(edges), parts, line)
    vowels = {x.vowel for x in parts}
    total = round(line[-1].end * spoken.rate)
    times = PERIOD * np.arange(int(line[-1].end / PERIOD) + 2)
    voicing = [_voicing(spoken.phonemes, i, vowels) for i in range(len(edges) - 1)]
    warped, voiced = _warped(
        voice, layout.placed, edges=edges, times=times, voicing=voicing
    )
    f0 = np.where(voiced, hertz(contour(line, times, seed)), 0.0)
    audio = world().synthesize(
        f0,
        warped.envelope,
        warped.aperiodicity,
        spoken.rate,
        frame_period=1000 * PERIOD,
    )
    audio = np.pad(audio[:total], (0, max(0, total - len(audio))))
    held = [x for x in layout.placed if x.phoneme in vowels]
    audio = audio * _levels(audio, spoken.rate, _by_note(held, line))
    audio *= _gate(layout.placed, spoken.rate, total)
    audio *= min(1.0, PEAK / max(np.abs(audio).max(), QUIET))
    starts = [round(x.start * spoken.rate) for x in layout.placed]
    names = spoken.phonemes
    return Singing(
        audio=audio.astype(np.float32),
        rate=spoken.rate,
        f0=f0,
        phonemes=tuple(
            "" if x.phoneme == SILENT else names[x.phoneme] for x in layout.placed
        ),
        bounds=np.array([*starts, total], np.int64),
        notes=tuple(line),
        remarks=(*remarks, *layout.remarks),
    )


def _voicing(names: Sequence[str], number: int, vowels: set[int]) -> bool | None:
    """Says whether a phoneme is voiced; None if it is where the speech was."""
    if number in vowels:
        return True
    return False if names[number] in VOICELESS else None


def _warped(
    voice: World,
    placed: Sequence[Placed],
    *,
    edges: np.ndarray,
    times: np.ndarray,
    voicing: Sequence[bool | None],
) -> tuple[World, np.ndarray]:
    """Returns the parameters at `times` of a song, and which frames are voiced."""
    source = np.full(len(times), -1.0)
    voiced, known = np.zeros(len(times), bool), np.zeros(len(times), bool)
    for number, here in _pieces(placed, times):
        begin, end = edges[number : number + 2]
        if voicing[number]:
            begin, end = _voiced_part(voice.f0, begin, end)
        done = sum(x.end - x.start for x in placed[: here.place] if x.phoneme == number)
        length = sum(x.end - x.start for x in placed if x.phoneme == number)
        at = done + times[here.frames] - placed[here.place].start
        source[here.frames] = begin + _stretched(at, length, end - begin)
        voiced[here.frames] = bool(voicing[number])
        known[here.frames] = voicing[number] is not None
    frame = np.clip(source / PERIOD, 0, len(voice.f0) - 1)
    voiced = np.where(known, voiced, voice.f0[np.rint(frame).astype(int)] > 0)
    silent = source < 0
    envelope = np.exp(_interpolated(np.log(voice.envelope + QUIET), frame))
    envelope[silent] = QUIET
    aperiodicity = _interpolated(voice.aperiodicity, frame)
    return World(voice.f0, envelope, aperiodicity), voiced & ~silent


class _Piece(NamedTuple):
    """The number of a placed phoneme in the song, and its frames."""

    place: int
    frames: np.ndarray


def _pieces(placed: Sequence[Placed], times: np.ndarray) -> list[tuple[int, _Piece]]:
    """Returns the number of each sounding phoneme, and its frames."""
    owner = np.searchsorted([x.end for x in placed], times, side="right")
    found = []
    for index, one in enumerate(placed):
        frames = np.flatnonzero(owner == index)
        if one.phoneme != SILENT and frames.size:
            found.append((one.phoneme, _Piece(index, frames)))
    return found


def _voiced_part(f0: np.ndarray, begin: float, end: float) -> tuple[float, float]:
    """Returns the times of the first and the last voiced frame of a vowel."""
    frames = np.arange(int(np.ceil(begin / PERIOD)), int(end / PERIOD) + 1)
    frames = frames[frames < len(f0)]
    frames = frames[f0[frames] > 0]
    if len(frames) < 3:
        return begin, end
    return float(frames[0] * PERIOD), float(frames[-1] * PERIOD)


def _stretched(at: np.ndarray, length: float, spoken: float) -> np.ndarray:
    """Returns the times in a spoken phoneme at times `at` of the sung one, [f].

    Of one that becomes longer the edges, in which it moves from and to its neighbours,
    keep their length.
    """
    edge = min(EDGE, EDGE_SHARE * spoken) if length > spoken else 0.0
    sung = [0.0, edge, length - edge, length]
    return np.interp(at, sung, [0.0, edge, spoken - edge, spoken])


def _interpolated(values: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Returns values [f, bins] at frames with fractions [n], [n, bins]."""
    low = np.floor(frame).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (frame - low)[:, None]
    return (1 - share) * values[low] + share * values[high]


def _by_note(
    vowels: Sequence[Placed], notes: Sequence[SungNote]
) -> list[tuple[float, float]]:
    """Returns the times of the vowel of each note."""
    return [
        (max(one.start, note.start), min(one.end, note.end))
        for one in vowels
        for note in notes
        if min(one.end, note.end) > max(one.start, note.start)
    ]


def _levels(
    audio: np.ndarray, rate: int, vowels: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Returns the gain [s] that makes the vowels of all notes equally loud."""
    at, levels = [], []
    for start, end in vowels:
        part = audio[round(start * rate) : round(end * rate)]
        power = float(np.mean(part**2)) if part.size else 0.0
        if power > QUIET:
            third = (end - start) / 3
            at += [start + third, end - third]
            levels += [10 * np.log10(power)] * 2
    if not at:
        return np.ones(len(audio))
    middle = float(np.median(levels))
    gains = LEVEL - middle + np.clip(middle - np.array(levels), -MOST_GAIN, MOST_GAIN)
    return 10 ** (np.interp(np.arange(len(audio)) / rate, at, gains) / 20)


def _gate(placed: Sequence[Placed], rate: int, total: int) -> np.ndarray:
    """Returns a gain [s] of 0 in silences, with ramps on the sounds beside them."""
    gain = np.ones(total)
    ramp = round(RAMP * rate)
    rise = np.sin(np.linspace(0, np.pi / 2, ramp)) ** 2
    for one in placed:
        if one.phoneme != SILENT:
            continue
        start, end = round(one.start * rate), round(one.end * rate)
        gain[start:end] = 0.0
        after = gain[end : end + ramp]
        after *= rise[: len(after)]
        begin = max(start - ramp, 0)
        gain[begin:start] *= rise[::-1][ramp - (start - begin) :]
    last = gain[max(total - ramp, 0) :]
    last *= rise[::-1][: len(last)]
    return gain
