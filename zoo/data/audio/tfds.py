"""Audio datasets of the TFDS catalogue, such as NSynth (Engel et al. 2017).

TFDS decodes audio by TensorFlow, which building therefore needs; reading does not. Each
recording is read twice, the first time to find out which excerpts are silent. The
annotations of NSynth's notes are kept; of other datasets, the label. (NSynth:
arXiv:1704.01279.)
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
DEFAULT_RATE = 16_000  # samples per second of datasets without a stated rate: NSynth's
ALTERNATIVE = (
    "build it where TensorFlow is installed, and read it from the same $ZOO_DATA "
    "anywhere"
)
Example = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class TfdsAudio(ExcerptSpec):
    """The TFDS dataset `name`, resampled and divided into excerpts."""

    name: str

    @property
    def spec(self) -> str:
        return f"tfds:{self.name}"

    @cached_property
    def builder(self) -> Any:
        return fetch_builder(self.name, ALTERNATIVE)

    @property
    def licence(self) -> str:
        return self.builder.info.redistribution_info.license or ""

    @property
    def licences(self) -> dict[str, str]:
        """The licence of the data set, by its name."""
        return {self.name: self.licence}

    @property
    def has_nsynth_features(self) -> bool:
        """Tells whether examples have the annotations of NSynth."""
        nsynth = {"pitch", "velocity", "instrument", "qualities"}
        return nsynth <= set(self.builder.info.features)

    @property
    def features(self) -> Mapping[str, Any]:
        if not self.has_nsynth_features:
            return {}
        instrument = self.builder.info.features["instrument"]
        return nsynth_features(
            instrument["label"].num_classes, instrument["family"].names
        )

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset."""
        return root / f"tfds-{self.name.replace('/', '-')}-{self.rate}-{self.length}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """Returns a report and the shards of each split.

        The splits are those of the dataset if it has all three, else new ones by
        example.
        """
        del staging, workers, progress  # TFDS has its own
        info = self.builder.info
        report = Report(spec=self.spec, licences=self.licences)
        counts: dict[tuple[str, int], int] = {}  # excerpts by TFDS split and index
        for tfds_split in info.splits:
            source = self.builder.as_data_source(tfds_split)
            for index in range(len(source)):
                example = source[index]
                if count := len(self.excerpts(example)):
                    counts[tfds_split, index] = count
                    report.kept[self.name] += 1
                    report.styles[self.label(example)] += count
                else:
                    refused = Refused("silent", "It is silent; leave it out.")
                    report.drop(self.name, f"{tfds_split}/{index}", refused)
        report.require_music()
        split_of = {key: TFDS_SPLITS.get(key[0], "") for key in counts}
        if not set(SPLITS) <= set(split_of.values()):
            split_of = assign_groups({key: f"{key[0]}/{key[1]}" for key in counts})
        members = {
            split: [key for key in counts if split_of[key] == split] for split in SPLITS
        }
        report.splits = Counter(
            {split: sum(counts[key] for key in members[split]) for split in SPLITS}
        )
        report.milliseconds = round(1000 * self.seconds * report.splits.total())
        shards = {
            split: [
                Shard(self, part)
                for part in self.shard(members[split], report.splits[split])
            ]
            for split in SPLITS
        }
        return report, shards

    def excerpts(self, example: Example) -> list[np.ndarray]:
        """Returns the excerpts of an example that are not silent, int16 [s] each."""
        x = np.asarray(example["audio"])
        x = x / 32768 if np.issubdtype(x.dtype, np.integer) else x
        x = np.nan_to_num(x.astype(np.float32)).reshape(len(x), -1).mean(axis=1)
        feature = self.builder.info.features["audio"]
        rate = getattr(feature, "sample_rate", None) or DEFAULT_RATE
        x = to_int16(soxr.resample(x, rate, self.rate) if rate != self.rate else x)
        parts = [x[i : i + self.length] for i in range(0, len(x), self.length)]
        return [
            np.pad(part, (0, self.length - len(part))) for part in parts if part.any()
        ]

    def label(self, example: Example) -> str:
        """Returns the instrument family, the class label, or the dataset's name."""
        features = self.builder.info.features
        if self.has_nsynth_features:
            family = int(example["instrument"]["family"])
            return features["instrument"]["family"].int2str(family)
        for key, feature in features.items():
            if isinstance(feature, tfds.features.ClassLabel):
                return feature.int2str(int(example[key]))
        return self.name


@dataclasses.dataclass(frozen=True)
class Shard:
    """The examples of one file, by TFDS split and index."""

    dataset: TfdsAudio
    examples: tuple[tuple[str, int], ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        dataset = self.dataset
        sources: dict[str, Any] = {}
        for split, index in self.examples:
            source = sources.setdefault(split, dataset.builder.as_data_source(split))
            example = source[index]
            features = {key: example[key] for key in dataset.features}
            name = example["id"].decode() if "id" in example else f"{split}/{index}"
            parts = dataset.excerpts(example)
            for i, part in enumerate(parts):
                excerpt_id = name if len(parts) == 1 else f"{name}#{i}"
                yield (
                    excerpt_id,
                    {
                        "id": excerpt_id,
                        "label": dataset.label(example),
                        "source": dataset.name,
                        "licence": dataset.licence,
                        "rate": dataset.rate,
                        "audio": part.astype("<i2").tobytes(),
                        **features,
                    },
                )
