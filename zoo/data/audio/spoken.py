"""Sentences of literature as an audio dataset, spoken by engines.

An example is one sentence by one voice. Its phonemes are the tokens that the codec
writes of its text, with the sample at which each ends. A sentence is in the same split
for all voices, by its hash. Silence around an utterance is cut to `LEAD` and `TAIL`
seconds, and utterances are equally loud. Axes: s sample, t token.
"""

import dataclasses
import functools
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
import tensorflow_datasets as tfds

from zoo.data.audio.excerpt_spec import ExcerptSpec
from zoo.data.audio.recordings import to_int16
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.report import Report
from zoo.data.corpora.workers import read_all
from zoo.data.refusal import Refused
from zoo.data.speech.engines import speak, voice_of
from zoo.data.speech.tokens import token_ends
from zoo.data.speech.utterance import Utterance
from zoo.data.text.phonemes import Phonemes
from zoo.data.text.reading import read
from zoo.errors import require, shown

PREFIX, FILE_SIGN = "spoken:", "@"
NEXT_VOICE = re.compile(r"\+(?=[^+/]*/)")  # espeak/en-us+f2 is one voice
SHIPPED = Path(__file__).parent / "sentences.txt"
SPLIT_ENDS = {"train": 0.94, "validation": 0.97, "test": 1.0}
LEAD, TAIL = 0.05, 0.15  # seconds of silence that are kept
LEVEL, PEAK = 0.08, 0.97  # root of the mean square of an utterance; its loudest sample
AHEAD_BYTES = 1 << 40  # no files are read ahead
VERSION = "2"  # of how sentences are rendered


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on the rendering of one sentence: seconds, and bytes."""

    seconds: float = 120.0
    memory: int = 2 << 30


class Rendered(NamedTuple):
    """An utterance in a file of samples: its place there in bytes, and its tokens."""

    file: str
    offset: int
    samples: int
    tokens: list[int]
    ends: list[int]


class Sentence(NamedTuple):
    """A rendered sentence: its number, text and voice."""

    number: int
    text: str
    voice: str
    rendered: Rendered

    @property
    def name(self) -> str:
        return sentence_name(self.number, self.voice)


@dataclasses.dataclass(frozen=True)
class SpokenSentences(ExcerptSpec):
    """Sentences, each spoken by every voice.

    Attributes:
      voices: such as "flite/slt".
      sentences: path of a text file with a sentence in each line, where a line that
        begins with # is none; by default the one that ships.

    Raises:
      UsageError: there is no such voice, or no such file.
    """

    voices: tuple[str, ...]
    sentences: Path = SHIPPED

    def __post_init__(self) -> None:
        require(
            len(set(self.voices)) == len(self.voices) > 0,
            f"the voices {shown('+'.join(self.voices))} are none, or one is named "
            "twice: write as in spoken:flite/slt+flite/rms.",
        )
        for voice in self.voices:
            voice_of(voice)
        require(
            self.sentences.is_file(),
            f"there is no file of sentences {self.sentences}: give one in `sentences`.",
        )
        super().__post_init__()

    @property
    def spec(self) -> str:
        own = "" if self.sentences == SHIPPED else f"{FILE_SIGN}{self.sentences}"
        return f"{PREFIX}{'+'.join(self.voices)}{own}"

    @functools.cached_property
    def texts(self) -> tuple[str, ...]:
        """The sentences."""
        lines = self.sentences.read_text("utf-8").splitlines()
        return tuple(
            dict.fromkeys(x.strip() for x in lines if x.strip() and x[0] != "#")
        )

    @property
    def licences(self) -> dict[str, str]:
        """The licence of each voice."""
        return {
            voice: found.licences[name]
            for voice in self.voices
            for found, name in [voice_of(voice)]
        }

    @property
    def features(self) -> Mapping[str, Any]:
        row = tfds.features.Tensor(shape=(None,), dtype=np.int32)
        return {
            "text": tfds.features.Text(doc="The sentence."),
            "phonemes": row,
            "ends": row,
            "voice": tfds.features.Text(doc="Such as flite/slt."),
        }

    def home(self, root: Path) -> Path:
        """Returns the directory of the built dataset; it changes with the sentences."""
        about = "\n".join((VERSION, *self.voices, *self.texts))
        digest = hashlib.blake2b(about.encode(), digest_size=6).hexdigest()
        return root / f"spoken-{self.rate}-{self.length}-{digest}"

    def collect(
        self, staging: Path, workers: int, progress: Progress
    ) -> tuple[Report, dict[str, list["Shard"]]]:
        """Returns a report and the shards of each split; sentences are rendered."""
        for old in staging.glob("*.pcm"):  # of an interrupted build
            old.unlink()
        report = Report(spec=self.spec, licences=self.licences)
        splits: dict[str, list[Sentence]] = {split: [] for split in SPLIT_ENDS}
        for one in self.rendered(staging, workers, report, progress=progress):
            splits[split_of(one.text)].append(one)
            report.kept[one.voice] += 1
            report.styles[one.voice] += 1
            report.milliseconds += round(1000 * one.rendered.samples / self.rate)
        report.require_music()
        report.splits = Counter({split: len(x) for split, x in splits.items() if x})
        shards = {
            split: [
                Shard(self, staging, part) for part in self.shard(found, len(found))
            ]
            for split, found in splits.items()
            if found
        }
        return report, shards

    def rendered(
        self, folder: Path, workers: int, report: Report, *, progress: Progress
    ) -> Iterator[Sentence]:
        """Yields sentences, rendered into files in a folder; reports the others.

        The voices of a sentence follow each other.
        """
        jobs = [(i, voice) for i in range(len(self.texts)) for voice in self.voices]
        places = (Path(sentence_name(i, voice)) for i, voice in jobs)
        reader = Renderer(self, folder)
        results = read_all(places, reader, Limits(), workers, ahead_bytes=AHEAD_BYTES)
        pairs = zip(jobs, results, strict=True)
        for done, ((number, voice), (_, result)) in enumerate(pairs, 1):
            progress(done, len(jobs))
            if isinstance(result, Refused):
                report.drop(voice, sentence_name(number, voice), result)
            else:
                yield Sentence(number, self.texts[number], voice, result)


def spoken_sentences(spec: str, rate: int, seconds: float) -> SpokenSentences:
    """Returns the dataset of a spec such as `spoken:flite/slt+flite/rms`.

    Args:
      spec: the voices, and after @ the path of a file of sentences, if it is not the
        one that ships.
      rate: samples per second.
      seconds: maximum duration of a sentence.

    Raises:
      UsageError: there is no such voice, or no such file.
    """
    voices, _, path = spec.removeprefix(PREFIX).partition(FILE_SIGN)
    sentences = Path(path).expanduser().resolve() if path else SHIPPED
    return SpokenSentences(
        tuple(NEXT_VOICE.split(voices)), sentences, rate=rate, seconds=seconds
    )


@dataclasses.dataclass(frozen=True)
class Renderer:
    """Renders a sentence into a file of its process in `folder`."""

    dataset: SpokenSentences
    folder: Path

    def __call__(self, path: Path) -> Rendered:
        """Renders the sentence that a name such as `00012-flite/slt` stands for.

        Raises:
          Refused: `long`, or the engine or our front end refuses it.
          ZooError: the engine is not installed, or failed.
        """
        number, _, voice = path.as_posix().partition("-")
        text = self.dataset.texts[int(number)]
        words, _ = read(text)
        said = levelled(trimmed(speak(text, voice)))
        audio = said.audio
        rate, scale = self.dataset.rate, self.dataset.rate / said.rate
        if said.rate != rate:
            audio = soxr.resample(audio, said.rate, rate)
        if len(audio) > self.dataset.length:
            raise Refused(
                "long",
                f"It lasts {len(audio) / rate:.1f} s; raise `seconds`.",
            )
        ends = np.rint(token_ends(words, said) * scale).astype(int)
        ends = np.minimum(ends, len(audio))
        ends[-1] = len(audio)
        name = f"{os.getpid()}.pcm"
        with (self.folder / name).open("ab") as file:
            offset = file.tell()
            file.write(to_int16(audio).astype("<i2").tobytes())
        tokens = Phonemes().row(words).tolist()
        return Rendered(
            file=name,
            offset=offset,
            samples=len(audio),
            tokens=tokens,
            ends=ends.tolist(),
        )


@dataclasses.dataclass(frozen=True)
class Shard:
    """The sentences of one file."""

    dataset: SpokenSentences
    folder: Path
    sentences: tuple[Sentence, ...]

    def __call__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        licences = self.dataset.licences
        for one in self.sentences:
            at = one.rendered
            with (self.folder / at.file).open("rb") as file:
                file.seek(at.offset)
                audio = file.read(2 * at.samples)
            yield (
                one.name,
                {
                    "id": one.name,
                    "label": one.voice,
                    "source": one.voice,
                    "licence": licences[one.voice],
                    "rate": self.dataset.rate,
                    "audio": audio,
                    "text": one.text,
                    "phonemes": np.array(at.tokens, np.int32),
                    "ends": np.array(at.ends, np.int32),
                    "voice": one.voice,
                },
            )


def trimmed(spoken: Utterance) -> Utterance:
    """Returns an utterance with at most `LEAD` and `TAIL` seconds of silence around."""
    bounds = spoken.bounds
    first = spoken.words[0]
    last = len(spoken.phonemes) - (not spoken.phonemes[-1])
    begin = max(0, int(bounds[first]) - round(LEAD * spoken.rate))
    end = min(len(spoken.audio), int(bounds[last]) + round(TAIL * spoken.rate))
    inside = np.clip(bounds - begin, 0, end - begin)
    audio = spoken.audio[begin:end]
    return dataclasses.replace(spoken, audio=audio, bounds=inside)


def levelled(spoken: Utterance) -> Utterance:
    """Returns an utterance at `LEVEL`, or less loud if it would exceed `PEAK`."""
    power = float(np.sqrt(np.mean(np.square(spoken.audio, dtype=np.float64))))
    loudest = float(np.abs(spoken.audio).max())
    if not loudest:
        raise Refused("silent", "The engine's sound is silent; leave it out.")
    gain = min(LEVEL / power, PEAK / loudest)
    return dataclasses.replace(spoken, audio=(gain * spoken.audio).astype(np.float32))


def split_of(text: str) -> str:
    """Returns the split of a sentence, by its hash.

    The shipped sentences were chosen by hashes of another key.
    """
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=b"split").digest()
    share = int.from_bytes(digest, "big") / 2**64
    return next(split for split, end in SPLIT_ENDS.items() if share < end)


def sentence_name(number: int, voice: str) -> str:
    """Returns the name of a sentence by a voice."""
    return f"{number:05d}-{voice}"
