"""A reader of SoundFont 2 files (SoundFont Technical Specification 2.04).

A preset (bank, program) is a list of zones that point at instruments, and an instrument
is a list of zones that point at samples. A zone is a dictionary of generators. Those of
an instrument are absolute, and those of a preset are added to them. `SoundFont.find`
resolves both levels for one key and velocity.
"""

import dataclasses
import functools
import importlib.util
import itertools
import pathlib
import struct
from collections.abc import Iterator

import numpy as np

from zoo.errors import ZooError

DRUMS = 128  # the bank of percussion kits

# Generators by their numbers in section 8.1.2.
INSTRUMENT, KEYS, VELOCITIES, SAMPLE = 41, 43, 44, 53
PAN, ATTENUATION, MODES, CUTOFF, RESONANCE = 17, 48, 54, 8, 9
COARSE, FINE, SCALE, ROOT = 51, 52, 56, 58
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE = 33, 34, 35, 36, 37, 38
SWEEP, SWEEP_DELAY, SWEEP_ATTACK, SWEEP_HOLD, SWEEP_DECAY, SWEEP_SUSTAIN = (
    11,
    25,
    26,
    27,
    28,
    29,
)
VIBRATO, VIBRATO_DELAY, VIBRATO_RATE = 6, 23, 24
TIMES = (
    *range(DELAY, SUSTAIN),
    RELEASE,
    *range(SWEEP_DELAY, SWEEP_SUSTAIN),
    VIBRATO_DELAY,
)
# Defaults other than 0. Times are in timecents, -12000 of them for a millisecond.
DEFAULTS = dict.fromkeys(TIMES, -12000) | {CUTOFF: 13500, SCALE: 100, ROOT: -1}
NOT_ADDED = {
    INSTRUMENT,
    KEYS,
    VELOCITIES,
    SAMPLE,
    MODES,
    ROOT,
}  # not allowed in a preset

Generators = dict[int, int]

_PRESET = np.dtype("S20,<u2,<u2,<u2,<u4,<u4,<u4")
_INSTRUMENT = np.dtype("S20,<u2")
_GENERATOR = np.dtype("<u2,<i2")
_SAMPLE = np.dtype("S20,<u4,<u4,<u4,<u4,<u4,u1,i1,<u2,<u2")


@dataclasses.dataclass(frozen=True)
class Zone:
    """One sample, and how one note plays it.

    Attributes:
      start: first sample, an index of `SoundFont.samples`.
      end: index after the last sample.
      loop: indices of the first sample of the loop and of that after its last; None if
        the sample is not looped.
      rate: sampling rate in Hz.
      root: key, in semitones, at which the sample plays as recorded.
      generators: amounts by generator.
    """

    start: int
    end: int
    loop: tuple[int, int] | None
    _: dataclasses.KW_ONLY
    rate: int
    root: float
    generators: Generators

    def __getitem__(self, generator: int) -> int:
        """Returns the amount of a generator, by default that of the specification."""
        return self.generators.get(generator, DEFAULTS.get(generator, 0))


class SoundFont:
    """A parsed SoundFont.

    Attributes:
      samples: all samples, int16 [n].

    Raises:
      ZooError: the file is no readable SoundFont 2 file.
    """

    def __init__(self, path: pathlib.Path):
        try:
            chunks = _chunks(path.read_bytes())
            self.samples = np.frombuffer(chunks["smpl"], "<i2")
            headers = np.frombuffer(chunks["phdr"], _PRESET)
            self._headers = np.frombuffer(chunks["shdr"], _SAMPLE)
            instruments = np.frombuffer(chunks["inst"], _INSTRUMENT)
        except (OSError, KeyError, ValueError, struct.error) as error:
            raise ZooError(
                f"{path} is not a readable SoundFont 2 file ({error}): choose an .sf2 "
                "file."
            ) from error
        lower = _zones(instruments["f1"], chunks["ibag"], chunks["igen"], SAMPLE)
        upper = _zones(headers["f3"], chunks["pbag"], chunks["pgen"], INSTRUMENT)
        self._presets = {
            (int(header["f2"]), int(header["f1"])): [
                (zone, lower[zone[INSTRUMENT]]) for zone in zones
            ]
            for header, zones in zip(headers, upper, strict=False)
        }

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - it lives until the end
    def find(
        self, bank: int, program: int, key: int, velocity: int
    ) -> tuple[Zone, ...]:
        """Returns the zones that a note plays, none if the font has none.

        A missing program is replaced by the first of its bank, then by that of bank 0.
        A key without samples is replaced by the nearest key with samples.
        """
        choices = ((bank, program), (bank, 0), (0, program), (0, 0))
        preset = next((self._presets[c] for c in choices if c in self._presets), [])
        nearest_first = sorted(range(128), key=lambda other: abs(other - key))
        for nearest in nearest_first:
            zones = [
                self._zone(low, high)
                for high, lower in preset
                if _within(high, nearest, velocity)
                for low in lower
                if _within(low, nearest, velocity)
            ]
            if zones:
                return tuple(zones)
        return ()

    def _zone(self, low: Generators, high: Generators) -> Zone:
        """Merges a zone of an instrument with one of a preset."""
        merged = dict(low)
        for generator, amount in high.items():
            if generator not in NOT_ADDED:
                merged[generator] = (
                    merged.get(generator, DEFAULTS.get(generator, 0)) + amount
                )
        _, start, end, loop_start, loop_end, rate, pitch, correction, _, _ = (
            self._headers[low[SAMPLE]].tolist()
        )

        def moved(position: int, fine: int, coarse: int) -> int:
            """Adds the offset of two generators to a position."""
            offset = merged.get(fine, 0) + 32768 * merged.get(coarse, 0)
            return min(max(position + offset, 0), len(self.samples) - 4)

        loop = moved(loop_start, 2, 45), moved(loop_end, 3, 50)
        root = merged.get(ROOT, -1)
        return Zone(
            start=moved(start, 0, 4),
            end=moved(end, 1, 12),
            loop=loop if merged.get(MODES, 0) & 1 and loop[1] - loop[0] > 1 else None,
            rate=rate,
            root=(root if root >= 0 else min(pitch, 127)) - correction / 100,
            generators=merged,
        )


def path(own: pathlib.Path | None = None) -> pathlib.Path:
    """Returns `own`, or by default the General MIDI set that pretty_midi ships.

    Raises:
      ZooError: pretty_midi is missing.
    """
    if own is not None:
        return own
    spec = importlib.util.find_spec("pretty_midi")  # does not import it
    if spec is None or spec.origin is None:
        raise ZooError(
            "cannot find the default SoundFont, which pretty_midi ships: install "
            "pretty_midi."
        )
    return pathlib.Path(spec.origin).with_name("TimGM6mb.sf2")


@functools.cache
def load(own: pathlib.Path | None = None) -> SoundFont:
    """Loads the SoundFont at `path(own)`, once.

    Raises:
      ZooError: the file is missing, or is no SoundFont.
    """
    return SoundFont(path(own))


def _chunks(data: bytes) -> dict[str, bytes]:
    """Returns RIFF chunks by name, including those in lists."""
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("no RIFF sfbk header")
    chunks = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"LIST":
            at += 12  # the header of a list, whose chunks follow
            continue
        chunks[name.decode("latin-1")] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks


def _zones(
    first: np.ndarray, bags: bytes, raw: bytes, target: int
) -> list[list[Generators]]:
    """Reads the zones of each preset or instrument, merged with its global zone.

    Args:
      first: index of the first zone of each, and of the terminal record.
      bags: the chunk of zones.
      raw: the chunk of generators.
      target: the generator that zones other than the global one must have.
    """
    starts = np.frombuffer(bags, "<u2").reshape(-1, 2)[:, 0].tolist()
    pairs = np.frombuffer(raw, _GENERATOR).tolist()

    def zones(begin: int, end: int) -> Iterator[Generators]:
        shared: Generators = {}
        for bag in range(begin, end):
            zone = dict(pairs[starts[bag] : starts[bag + 1]])
            if target in zone:
                yield shared | zone
            elif bag == begin:
                shared = zone

    edges = first.tolist()
    return [list(zones(a, b)) for a, b in itertools.pairwise(edges)]


def _within(zone: Generators, key: int, velocity: int) -> bool:
    """Says whether a zone's ranges contain a key and a velocity.

    A range is two bytes, the lowest and the highest value.
    """
    return all(
        (zone[name] & 255) <= value <= (zone[name] >> 8 & 255)
        for name, value in ((KEYS, key), (VELOCITIES, velocity))
        if name in zone
    )
