"""Notes of every General MIDI program, as a SoundFont plays them, in the terms of NSynth.

J. Engel et al.: Neural audio synthesis of musical notes with WaveNet autoencoders,
arXiv:1704.01279, whose names of features and of families these are, but for sounds that are no
instrument's. Each note is held for three quarters of its time, and then let go. Its qualities are
measured where NSynth's were listened for.
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

from zoo.data.audio.excerpt_spec import Cutting
from zoo.data.audio.nsynth_qualities import QUALITIES, qualities
from zoo.data.audio.recordings import quantised
from zoo.data.corpora.dedup import placed
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.report import Report
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.soundfont import bank as sf
from zoo.soundfont.voice import voice

FAMILIES = (
    *(
        "bass",
        "brass",
        "flute",
        "guitar",
        "keyboard",
        "mallet",
        "organ",
        "reed",
        "string",
    ),
    *("synth_lead", "vocal", "effect"),
)
SOURCES = ("acoustic", "electronic", "synthetic")
BY_PROGRAM = (  # the first program of each run of one family
    *(
        (0, "keyboard"),
        (8, "mallet"),
        (16, "organ"),
        (22, "reed"),
        (23, "organ"),
        (24, "guitar"),
    ),
    *(
        (32, "bass"),
        (40, "string"),
        (47, "mallet"),
        (48, "string"),
        (52, "vocal"),
        (55, "string"),
    ),
    *((56, "brass"), (64, "reed"), (72, "flute"), (80, "synth_lead"), (104, "guitar")),
    *((108, "mallet"), (109, "reed"), (110, "string"), (111, "reed"), (112, "mallet")),
    (120, "effect"),
)
ELECTRONIC = {4, 5, 7, 16, 17, 18, *range(26, 32), *range(33, 38), 120}
DISTORTED = {29, 30}
SYNTHETIC = {38, 39, 50, 51, 54, 62, 63, *range(80, 104)}
OWN_FONT = "Not stated: this is a SoundFont of yours, on whatever terms you hold it."
DEFAULT_FONT = (
    "Played by TimGM6mb of Tim Brechbill, which is under the GNU GPL, version 2."
)
PLAYED = 48_000  # what a note is played at, before it has its rate
HELD = 0.75  # of a note's time
GAIN = 2.0  # of the loudest notes most are below full scale


@dataclasses.dataclass(frozen=True)
class Notes(Cutting):
    """`programs` x pitches x `velocities`, each of them an excerpt.

    Pitches are every `every`-th from the first to the last. The SoundFont is `soundfont`, or the
    General MIDI set that pretty_midi ships.

    Raises:
      UsageError: no note is asked for, or one that MIDI has not.
    """

    programs: tuple[int, ...] = tuple(range(128))
    pitches: tuple[int, int] = (24, 96)
    every: int = 3
    velocities: tuple[int, ...] = (50, 100)
    soundfont: Path | None = None

    def __post_init__(self) -> None:
        asked = [*self.programs, *self.pitches, *self.velocities]
        if not self.order or not 0 <= min(asked) <= max(asked) <= 127:
            raise UsageError(
                f"{len(self.order)} notes are asked for, of programs, pitches and velocities from "
                f"{min(asked, default=0)} to {max(asked, default=0)}: choose some, from 0 to 127."
            )
        super().__post_init__()

    @property
    def spec(self) -> str:
        return "soundfont_notes"

    @property
    def order(self) -> list[tuple[int, int, int]]:
        """Programs, pitches and velocities, of all notes."""
        low, high = self.pitches
        return [
            *product(
                self.programs, range(low, high + 1, max(1, self.every)), self.velocities
            )
        ]

    @property
    def licence(self) -> str:
        return OWN_FONT if self.soundfont else DEFAULT_FONT

    @functools.cached_property
    def font(self) -> sf.SoundFont:
        return sf.load(self.soundfont)

    @property
    def features(self) -> Mapping[str, Any]:
        return known(128, FAMILIES)

    def home(self, root: Path) -> Path:
        """The directory of all that is built of it; another one for other notes."""
        asked = repr((self.programs, self.pitches, self.every, self.velocities))
        digest = hashlib.blake2b(asked.encode(), digest_size=6)
        digest.update(sf.path(self.soundfont).read_bytes())
        return root / f"{self.spec}-{self.rate}-{self.length}-{digest.hexdigest()}"

    def gathered(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """What there is: notes of one program and pitch go together, and none that is silent."""
        del staging, workers, progress  # the work is to play what is written
        report, alike = Report(spec=self.spec), defaultdict(list)
        source = sf.path(self.soundfont).name
        report.licences = {source: self.licence}
        for note in self.order:
            if not self.font.find(0, *note):
                detail = "The SoundFont has no sample for it; leave it out."
                report.drop(source, named(*note), Refused("silent", detail))
            else:
                report.kept[source] += 1
                report.styles[family_of(note[0])] += 1
                alike[f"{note[0]}-{note[1]}"].append(note)
        report.milliseconds = round(1000 * self.seconds * report.kept.total())
        report.require_music()
        splits: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for own, split in placed({name: name for name in alike}).items():
            splits[split] += alike[own]
        report.splits = Counter(
            {split: len(chosen) for split, chosen in splits.items()}
        )
        cut = {
            split: [Shard(self, some) for some in self.by_file(chosen, len(chosen))]
            for split, chosen in splits.items()
        }
        return report, cut

    def played(self, program: int, pitch: int, velocity: int) -> np.ndarray:
        """One note, float32 [s]."""
        held = round(HELD * self.seconds * PLAYED)
        both = voice(
            self.font,
            PLAYED,
            bank=0,
            program=program,
            key=pitch,
            velocity=velocity,
            duration=held,
        )
        mono = GAIN * both.mean(axis=1)
        mono = soxr.resample(mono, PLAYED, self.rate) if self.rate != PLAYED else mono
        fade = min(round(0.02 * self.rate), self.length)
        out = np.pad(mono[: self.length], (0, max(0, self.length - len(mono))))
        out[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return out


@dataclasses.dataclass(frozen=True)
class Shard:
    """The notes of one file."""

    notes: Notes
    order: tuple[tuple[int, int, int], ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        source = sf.path(self.notes.soundfont).name
        for program, pitch, velocity in self.order:
            name, family = named(program, pitch, velocity), family_of(program)
            audio = self.notes.played(program, pitch, velocity)
            texts = {
                "id": name,
                "label": family,
                "source": source,
                "licence": self.notes.licence,
            }
            of = {"label": program, "family": family, "source": source_of(program)}
            told = {"pitch": pitch, "velocity": velocity, "instrument": of}
            told["qualities"] = qualities(
                audio, self.notes.rate, HELD, program in DISTORTED
            )
            sound = quantised(audio).astype("<i2").tobytes()
            yield name, {**texts, **told, "rate": self.notes.rate, "audio": sound}


def known(instruments: int, families: Sequence[str]) -> Mapping[str, Any]:
    """What NSynth tells of a note, as TFDS describes it."""
    kind = tfds.features.ClassLabel
    number, family, source = (
        kind(num_classes=128),
        kind(names=[*families]),
        kind(names=[*SOURCES]),
    )
    instrument = {
        "label": kind(num_classes=instruments),
        "family": family,
        "source": source,
    }
    kinds = {name: tfds.features.Scalar(dtype=np.bool_) for name in QUALITIES}
    of = {"pitch": number, "velocity": number, "instrument": instrument}
    return of | {"qualities": kinds}


def named(program: int, pitch: int, velocity: int) -> str:
    """As NSynth names a note: family, source, instrument, pitch and velocity."""
    what = f"{family_of(program)}_{source_of(program)}_{program:03d}"
    return f"{what}-{pitch:03d}-{velocity:03d}"


def family_of(program: int) -> str:
    return [family for first, family in BY_PROGRAM if first <= program][-1]


def source_of(program: int) -> str:
    return SOURCES[1 if program in ELECTRONIC else 2 if program in SYNTHETIC else 0]
