"""Sound of the TFDS catalogue, such as NSynth (Engel et al. 2017, arXiv:1704.01279).

TFDS decodes audio by TensorFlow, so that it takes that to build one; what is built is read without.
Each recording is read twice, first to know what is in it. What NSynth tells of a note is kept, and
of others their label.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import tensorflow_datasets as tfds

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.recordings import to_int16
from zoo.data.audio.soundfont_notes import nsynth_features
from zoo.data.corpora.dedup import SPLITS, assign_groups
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.report import Report
from zoo.data.corpora.tfds_fetch import fetch_builder
from zoo.data.refusal import Refused

TFDS_SPLITS = {
    "train": "train",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
DEFAULT_RATE = 16_000  # of a dataset that does not say: NSynth's
ALTERNATIVE = "build it where that is, and read it from the same $ZOO_DATA anywhere"
Example = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class TfdsAudio(ExcerptSpec):
    """TFDS's `name`."""

    name: str

    @property
    def spec(self) -> str:
        return f"tfds:{self.name}"

    @cached_property
    def builder(self) -> Any:
        return fetch_builder(self.name, self.name, ALTERNATIVE)

    @property
    def licence(self) -> str:
        return self.builder.info.redistribution_info.license or ""

    @property
    def noted(self) -> bool:
        """Whether it tells of its examples what NSynth does."""
        return {"pitch", "velocity", "instrument", "qualities"} <= set(
            self.builder.info.features
        )

    @property
    def features(self) -> Mapping[str, Any]:
        if not self.noted:
            return {}
        of = self.builder.info.features["instrument"]
        return nsynth_features(of["label"].num_classes, of["family"].names)

    def home(self, root: Path) -> Path:
        """The directory of all that is built of it."""
        return root / f"tfds-{self.name.replace('/', '-')}-{self.rate}-{self.length}"

    def gathered(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """What there is: its own splits, or where it has not all three, others by what is whose."""
        del staging, workers, progress  # TFDS has its own
        name, info = self.name, self.builder.info
        report = Report(spec=self.spec, licences={name: self.licence})
        kept: dict[tuple[str, int], int] = {}
        for split in info.splits:
            source = self.builder.as_data_source(split)
            for number in range(len(source)):
                example = source[number]
                if count := len(self.excerpts(example)):
                    kept[split, number] = count
                    report.kept[name] += 1
                    report.styles[self.label(example)] += count
                else:
                    detail = "There is nothing to hear in it; leave it out."
                    report.drop(name, f"{split}/{number}", Refused("silent", detail))
        report.require_music()
        where = {one: TFDS_SPLITS.get(one[0], "") for one in kept}
        if not set(SPLITS) <= set(where.values()):
            where = assign_groups({one: f"{one[0]}/{one[1]}" for one in kept})
        report.splits = Counter(
            {x: sum(kept[y] for y in kept if where[y] == x) for x in SPLITS}
        )
        report.milliseconds = round(1000 * self.seconds * report.splits.total())
        of = lambda split: [one for one in kept if where[one] == split]
        cut = lambda split: self.by_file(of(split), report.splits[split])
        return report, {
            split: [Shard(self, some) for some in cut(split)] for split in SPLITS
        }

    def excerpts(self, example: Example) -> list[np.ndarray]:
        """Of an example those in which there is something to hear, int16 [s] each."""
        x = np.asarray(example["audio"])
        x = x / 32768 if np.issubdtype(x.dtype, np.integer) else x
        x = np.nan_to_num(x.astype(np.float32)).reshape(len(x), -1).mean(axis=1)
        theirs = (
            getattr(self.builder.info.features["audio"], "sample_rate", None)
            or DEFAULT_RATE
        )
        x = to_int16(soxr.resample(x, theirs, self.rate) if theirs != self.rate else x)
        parts = [x[i : i + self.length] for i in range(0, len(x), self.length)]
        return [
            np.pad(part, (0, self.length - len(part))) for part in parts if part.any()
        ]

    def label(self, example: Example) -> str:
        """The family of its instrument, or what it is labelled."""
        features = self.builder.info.features
        if self.noted:
            return features["instrument"]["family"].int2str(
                int(example["instrument"]["family"])
            )
        for key, feature in features.items():
            if isinstance(feature, tfds.features.ClassLabel):
                return feature.int2str(int(example[key]))
        return self.name


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file, by their split in the catalogue and number in it."""

    of: TfdsAudio
    chosen: tuple[tuple[str, int], ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        of = self.of
        sources: dict[str, Any] = {}
        for split, number in self.chosen:
            source = sources.setdefault(split, of.builder.as_data_source(split))
            example = source[number]
            told = {key: example[key] for key in of.features}
            own = example["id"].decode() if "id" in example else f"{split}/{number}"
            parts = of.excerpts(example)
            for i, part in enumerate(parts):
                name = own if len(parts) == 1 else f"{own}#{i}"
                texts = {"id": name, "label": of.label(example), "source": of.name}
                sound = {"rate": of.rate, "audio": part.astype("<i2").tobytes()}
                yield name, {**texts, "licence": of.licence, **sound, **told}
