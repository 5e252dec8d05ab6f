"""Notes of every General MIDI program, rendered by a SoundFont, with NSynth's features.

Features and families have the names of J. Engel et al.: Neural audio synthesis of
musical notes with WaveNet autoencoders, arXiv:1704.01279; the family `effect` is added
for sound effects. Each note is held for three quarters of its duration, as in NSynth.
Qualities are measured (`zoo.data.audio.nsynth_qualities`), not annotated by listeners.
"""

import dataclasses
import functools
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import tensorflow_datasets as tfds

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.nsynth_qualities import QUALITIES, measure_qualities
from zoo.data.audio.recordings import to_int16
from zoo.data.corpora.dedup import assign_groups
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.report import Report
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.soundfont import bank as sf
from zoo.soundfont.voice import voice

FAMILIES = (
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
    "effect",
)
SOURCES = ("acoustic", "electronic", "synthetic")
FAMILY_STARTS = (  # the first program of each range of one family
    (0, "keyboard"),
    (8, "mallet"),
    (16, "organ"),
    (22, "reed"),
    (23, "organ"),
    (24, "guitar"),
    (32, "bass"),
    (40, "string"),
    (47, "mallet"),
    (48, "string"),
    (52, "vocal"),
    (55, "string"),
    (56, "brass"),
    (64, "reed"),
    (72, "flute"),
    (80, "synth_lead"),
    (104, "guitar"),
    (108, "mallet"),
    (109, "reed"),
    (110, "string"),
    (111, "reed"),
    (112, "mallet"),
    (120, "effect"),
)
ELECTRONIC = {4, 5, 7, 16, 17, 18, *range(26, 32), *range(33, 38), 120}
DISTORTED = {29, 30}
SYNTHETIC = {38, 39, 50, 51, 54, 62, 63, *range(80, 104)}
OWN_FONT_LICENCE = "Not stated: this is your own SoundFont, under your own terms."
DEFAULT_FONT_LICENCE = (
    "Rendered by TimGM6mb of Tim Brechbill, which is under the GNU GPL, version 2."
)
SYNTH_RATE = 48_000  # sample rate of the synthesiser, before resampling
HELD_FRACTION = 0.75  # fraction of the duration before the release
GAIN = 2.0  # with it, most of the loudest notes are below full scale

Note = tuple[int, int, int]  # program, pitch, velocity


@dataclasses.dataclass(frozen=True)
class SoundfontNotes(ExcerptSpec):
    """The notes of all combinations of `programs`, pitches and `velocities`.

    Attributes:
      programs: General MIDI programs, from 0.
      pitches: the lowest and the highest MIDI number.
      every: interval between successive pitches, in semitones.
      velocities: MIDI velocities.
      soundfont: path of a SoundFont, by default the General MIDI set of pretty_midi.

    Raises:
      UsageError: there are no notes, or a number is not in 0..127.
    """

    programs: tuple[int, ...] = tuple(range(128))
    pitches: tuple[int, int] = (24, 96)
    every: int = 3
    _: dataclasses.KW_ONLY
    velocities: tuple[int, ...] = (50, 100)
    soundfont: Path | None = None

    def __post_init__(self) -> None:
        numbers = [*self.programs, *self.pitches, *self.velocities]
        if not self.notes or not 0 <= min(numbers) <= max(numbers) <= 127:
            raise UsageError(
                f"programs, pitches and velocities from {min(numbers, default=0)} to "
                f"{max(numbers, default=0)} make {len(self.notes)} notes: choose at "
                "least one of each, from 0 to 127."
            )
        super().__post_init__()

    @property
    def spec(self) -> str:
        return "soundfont_notes"

    @property
    def notes(self) -> list[Note]:
        low, high = self.pitches
        pitches = range(low, high + 1, max(1, self.every))
        return list(product(self.programs, pitches, self.velocities))

    @property
    def licence(self) -> str:
        return OWN_FONT_LICENCE if self.soundfont else DEFAULT_FONT_LICENCE

    @property
    def licences(self) -> dict[str, str]:
        """The licence of the SoundFont, by its name."""
        return {sf.path(self.soundfont).name: self.licence}

    @functools.cached_property
    def font(self) -> sf.SoundFont:
        return sf.load(self.soundfont)

    @property
    def features(self) -> Mapping[str, Any]:
        return nsynth_features(128, FAMILIES)

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the notes."""
        numbers = repr((self.programs, self.pitches, self.every, self.velocities))
        digest = hashlib.blake2b(numbers.encode(), digest_size=6)
        digest.update(sf.path(self.soundfont).read_bytes())
        return root / f"{self.spec}-{self.rate}-{self.length}-{digest.hexdigest()}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """Returns a report and the shards of each split.

        Notes of one program and pitch share a split. Silent notes are dropped.
        """
        del staging, workers, progress  # notes are rendered while they are written
        report = Report(spec=self.spec)
        groups: dict[str, list[Note]] = defaultdict(list)
        source = sf.path(self.soundfont).name
        report.licences = self.licences
        for note in self.notes:
            if not self.font.find(0, *note):
                detail = "The SoundFont has no sample for it; leave it out."
                report.drop(source, note_id(*note), Refused("silent", detail))
            else:
                report.kept[source] += 1
                report.styles[family_of(note[0])] += 1
                groups[f"{note[0]}-{note[1]}"].append(note)
        report.milliseconds = round(1000 * self.seconds * report.kept.total())
        report.require_music()
        splits: dict[str, list[Note]] = defaultdict(list)
        for group, split in assign_groups({name: name for name in groups}).items():
            splits[split] += groups[group]
        report.splits = Counter({split: len(notes) for split, notes in splits.items()})
        shards = {
            split: [Shard(self, part) for part in self.shard(notes, len(notes))]
            for split, notes in splits.items()
        }
        return report, shards

    def render(self, program: int, pitch: int, velocity: int) -> np.ndarray:
        """Renders one note, float32 [s]."""
        held = round(HELD_FRACTION * self.seconds * SYNTH_RATE)
        stereo = voice(
            self.font,
            SYNTH_RATE,
            bank=0,
            program=program,
            key=pitch,
            velocity=velocity,
            duration=held,
        )
        mono = GAIN * stereo.mean(axis=1)
        if self.rate != SYNTH_RATE:
            mono = soxr.resample(mono, SYNTH_RATE, self.rate)
        fade = min(round(0.02 * self.rate), self.length)
        out = np.pad(mono[: self.length], (0, max(0, self.length - len(mono))))
        out[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return out


@dataclasses.dataclass(frozen=True)
class Shard:
    """The notes of one file."""

    dataset: SoundfontNotes
    notes: tuple[Note, ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        dataset = self.dataset
        for program, pitch, velocity in self.notes:
            name, family = note_id(program, pitch, velocity), family_of(program)
            audio = dataset.render(program, pitch, velocity)
            distorted = program in DISTORTED
            yield (
                name,
                {
                    "id": name,
                    "label": family,
                    "source": sf.path(dataset.soundfont).name,
                    "licence": dataset.licence,
                    "rate": dataset.rate,
                    "audio": to_int16(audio).astype("<i2").tobytes(),
                    "pitch": pitch,
                    "velocity": velocity,
                    "instrument": {
                        "label": program,
                        "family": family,
                        "source": source_of(program),
                    },
                    "qualities": measure_qualities(
                        audio, dataset.rate, HELD_FRACTION, distorted
                    ),
                },
            )


def nsynth_features(instruments: int, families: Sequence[str]) -> Mapping[str, Any]:
    """Returns the TFDS features of NSynth's annotations.

    Args:
      instruments: number of instruments.
      families: names of the instrument families.
    """
    label, scalar = tfds.features.ClassLabel, tfds.features.Scalar
    return {
        "pitch": label(num_classes=128),
        "velocity": label(num_classes=128),
        "instrument": {
            "label": label(num_classes=instruments),
            "family": label(names=[*families]),
            "source": label(names=[*SOURCES]),
        },
        "qualities": {name: scalar(dtype=np.bool_) for name in QUALITIES},
    }


def note_id(program: int, pitch: int, velocity: int) -> str:
    """Returns NSynth's name: family, source, instrument, pitch and velocity."""
    instrument = f"{family_of(program)}_{source_of(program)}_{program:03d}"
    return f"{instrument}-{pitch:03d}-{velocity:03d}"


def family_of(program: int) -> str:
    """Returns the instrument family of a General MIDI program."""
    return [family for first, family in FAMILY_STARTS if first <= program][-1]


def source_of(program: int) -> str:
    """Returns how the sound of a General MIDI program is produced, one of `SOURCES`."""
    if program in ELECTRONIC:
        return "electronic"
    return "synthetic" if program in SYNTHETIC else "acoustic"
