"""SoundFont 2 files: which samples a note plays, and how (SoundFont Technical Specification 2.04).

A preset (bank, program) is a list of zones that point at instruments; an instrument is a list of
zones that point at samples. A zone is a dictionary of generators: an instrument's are absolute, a
preset's are added to them. `find` resolves both levels for one key and velocity.
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

DRUMS = 128  # the bank where percussion kits live

# Generators by their number in section 8.1.2, with the default where it is not 0.
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
DEFAULTS = dict.fromkeys(TIMES, -12000) | {CUTOFF: 13500, SCALE: 100, ROOT: -1}
NOT_ADDED = {
    INSTRUMENT,
    KEYS,
    VELOCITIES,
    SAMPLE,
    MODES,
    ROOT,
}  # meaningless in a preset

Generators = dict[int, int]

_PRESET = np.dtype("S20,<u2,<u2,<u2,<u4,<u4,<u4")
_INSTRUMENT = np.dtype("S20,<u2")
_GENERATOR = np.dtype("<u2,<i2")
_SAMPLE = np.dtype("S20,<u4,<u4,<u4,<u4,<u4,u1,i1,<u2,<u2")


@dataclasses.dataclass(frozen=True)
class Zone:
    """One sample as one note plays it; positions are indices into `SoundFont.samples`."""

    start: int
    end: int
    loop: tuple[int, int] | None
    rate: int
    root: float  # the key, in semitones, at which the sample sounds as recorded
    generators: Generators

    def __getitem__(self, generator: int) -> int:
        return self.generators.get(generator, DEFAULTS.get(generator, 0))


class SoundFont:
    """A parsed SoundFont: `samples` int16 [n], and the zones of each preset."""

    def __init__(self, path: pathlib.Path):
        try:
            chunks = _chunks(path.read_bytes())
            self.samples = np.frombuffer(chunks["smpl"], "<i2")
            headers = np.frombuffer(chunks["phdr"], _PRESET)
            self._headers = np.frombuffer(chunks["shdr"], _SAMPLE)
            instruments = np.frombuffer(chunks["inst"], _INSTRUMENT)
        except (OSError, KeyError, ValueError, struct.error) as error:
            raise ZooError(
                f"{path} is not a readable SoundFont 2 file ({error})."
            ) from error
        lower = _zones(instruments["f1"], chunks["ibag"], chunks["igen"], SAMPLE)
        upper = _zones(headers["f3"], chunks["pbag"], chunks["pgen"], INSTRUMENT)
        self._presets = {
            (int(header["f2"]), int(header["f1"])): [
                (zone, lower[zone[INSTRUMENT]]) for zone in zones
            ]
            for header, zones in zip(headers, upper, strict=False)
        }

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - a SoundFont lives as long as the process
    def find(
        self, bank: int, program: int, key: int, velocity: int
    ) -> tuple[Zone, ...]:
        """Zones that sound for a key.

        A program that the font lacks falls back to its bank's first, a key beyond the recorded
        range to the nearest one within.
        """
        choices = ((bank, program), (bank, 0), (0, program), (0, 0))
        preset = next((self._presets[c] for c in choices if c in self._presets), [])
        for near in sorted(range(128), key=lambda other: abs(other - key)):
            if zones := [
                self._zone(low, high)
                for high, lower in preset
                if _within(high, near, velocity)
                for low in lower
                if _within(low, near, velocity)
            ]:
                return tuple(zones)
        return ()

    def _zone(self, low: Generators, high: Generators) -> Zone:
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
    """`own`, or the General MIDI set that pretty_midi ships.

    Raises:
        ZooError: pretty_midi is missing.
    """
    if own is not None:
        return own
    spec = importlib.util.find_spec("pretty_midi")  # found, not imported
    if spec is None or spec.origin is None:
        raise ZooError(
            "pretty_midi, whose SoundFont is played, is missing; reinstall the zoo."
        )
    return pathlib.Path(spec.origin).with_name("TimGM6mb.sf2")


@functools.cache
def load(own: pathlib.Path | None = None) -> SoundFont:
    """The SoundFont at `path(own)`.

    Raises:
        ZooError: the file is missing, or is not a SoundFont.
    """
    return SoundFont(path(own))


def _chunks(data: bytes) -> dict[str, bytes]:
    """RIFF chunks by name, those inside lists included."""
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("no RIFF sfbk header")
    found = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"LIST":
            at += 12  # step inside, past the list's own name
            continue
        found[name.decode("latin-1")] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def _zones(
    first: np.ndarray, bags: bytes, raw: bytes, target: int
) -> list[list[Generators]]:
    """For each owner but the terminal one, its zones, each with the global zone's defaults."""
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
    """Ranges are two bytes, low then high."""
    return all(
        (zone[name] & 255) <= value <= (zone[name] >> 8 & 255)
        for name, value in ((KEYS, key), (VELOCITIES, velocity))
        if name in zone
    )
