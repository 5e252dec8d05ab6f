"""Metrics of models of audio: the distance of reconstructions from their originals.

Griffin & Lim's inversion of the true mel spectrogram is the baseline. Axes: b sound,
s sample.
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.audio.batches import pad_or_trim
from zoo.evaluation.instrument_classifier import InstrumentClassifier, learn
from zoo.inference.model import Model
from zoo.inference.resynthesis import reconstructed
from zoo.inference.timbre_transfer import PrincipalAxes, latents
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.spectral_loss import multi_resolution_stft_loss
from zoo.ranges import Pieces, TrainingSteps, checked
from zoo.tasks.audio import Audio

BATCH = 16
GRIFFIN_LIM_ITERATIONS = 60
FIDELITIES = (0.95, 0.99)
MAX_DETUNING = 50  # cents from its nominal pitch, for a note to count as pitched
PITCHED_LEVEL = 0.1  # of the loudest frame, from which on pitch is estimated


@dataclasses.dataclass(frozen=True)
@checked
class AudioEvaluation:
    """Options of the evaluation of a model of audio; calling it evaluates one."""

    measured: Pieces = 320
    """Excerpts of the test split to evaluate on."""
    judged: TrainingSteps = 3000
    """Training steps of the classifier of instruments."""
    besides: str = "rendered:chorales"
    """Another dataset of sound to evaluate on, never trained on; "" for none."""

    def __call__(self, model: Model, task: Audio) -> dict[str, float]:
        """Returns the metrics of a model trained on `task`."""
        train, test = task.excerpts("train"), task.excerpts("test")
        rate, samples = task.coder.rate, len(train[0].audio)
        classifier = learn(train, samples, rate, steps=self.judged)
        metrics = reconstruction_metrics(
            model, test, self.measured, classifier=classifier
        )
        metrics |= latent_metrics(model, train, test, count=self.measured)
        if self.besides:
            other = task.excerpts("test", self.besides)
            others = reconstruction_metrics(model, other, self.measured)
            metrics |= {f"music_{name}": value for name, value in others.items()}
        return metrics


def reconstruction_metrics(
    model: Model,
    excerpts: Sequence[Any],
    count: int,
    *,
    seed: int = 0,
    classifier: InstrumentClassifier | None = None,
) -> dict[str, float]:
    """Returns means over `count` evenly spaced excerpts, and over those of each label.

    `distance` is the multi-resolution STFT loss, `log_mel` the mean absolute difference
    of log-mel spectrograms, `cents` the median pitch error of pitched notes, `named`
    how often the classifier finds the label. Those of Griffin & Lim begin with
    `griffin_lim_`, and the classifier's on originals with `original_`.
    """
    values: dict[str, list[float]] = defaultdict(list)

    def add(prefix: str, label: str, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            values[f"{prefix}{name}"].append(value)
            values[f"{prefix}{name}_{label}"].append(value)

    for batch in reconstructions(model, excerpts, count, seed):
        for prefix, output in batch.outputs.items():
            distances = spectral_distances(batch.audio, output, model.codec.rate)
            for row, excerpt in enumerate(batch.excerpts):
                own = {name: float(values[row]) for name, values in distances.items()}
                add(prefix, excerpt.label, own)
                error = pitch_error(excerpt, batch.audio[row], output[row])
                if error is not None:
                    add(prefix, excerpt.label, {"cents": error})
        if classifier is not None:
            versions = {"original_": batch.audio, **batch.outputs}
            for prefix, audio in versions.items():
                labels = classifier.labels(audio)
                for excerpt, label in zip(batch.excerpts, labels, strict=True):
                    hit = float(label == excerpt.label)
                    add(prefix, excerpt.label, {"named": hit})
    mean = lambda name: np.median if "cents" in name else np.mean
    return {name: float(mean(name)(x)) for name, x in sorted(values.items())}


def latent_metrics(
    model: Model,
    train: Sequence[Any],
    test: Sequence[Any],
    *,
    count: int,
    seed: int = 0,
) -> dict[str, float]:
    """Returns how many principal axes explain most of the variance of the latents.

    For each fidelity, `directions_F` is the number of axes with that share of the
    variance over `count` excerpts of the train split, and `directions_F_distance` the
    STFT loss of the test split when only those are kept.
    """
    codec = model.codec
    audio = lambda excerpts, i: codec.decode(excerpts[int(i)].audio)[None]
    spaced = lambda excerpts: evenly_spaced(len(excerpts), count)
    axes = PrincipalAxes.of(
        np.asarray(latents(model, audio(train, i)))[0] for i in spaced(train)
    )
    metrics: dict[str, float] = {}
    for fidelity in FIDELITIES:
        project = axes.projection(fidelity)
        distances = []
        for i in spaced(test):
            x = audio(test, i)
            output = reconstructed(model, x, seed, project)
            distances.append(spectral_distances(x, output, codec.rate)["distance"][0])
        metrics[f"directions_{fidelity}"] = float(axes.count(fidelity))
        metrics[f"directions_{fidelity}_distance"] = float(np.mean(distances))
    return metrics


class Reconstructions(NamedTuple):
    """A batch of excerpts, their audio [b, s], and its reconstructions by prefix."""

    excerpts: list[Any]
    audio: np.ndarray
    outputs: dict[str, np.ndarray]


def reconstructions(
    model: Model, excerpts: Sequence[Any], count: int, seed: int
) -> Iterator[Reconstructions]:
    """Yields evenly spaced excerpts with the model's and Griffin & Lim's output."""
    codec = model.codec
    mel = Mel(codec.rate)
    iterations = GRIFFIN_LIM_ITERATIONS
    invert = jax.jit(lambda x, rng: mel.inverse(mel(x), x.shape[1], rng, iterations))
    length = max(len(excerpt.audio) for excerpt in excerpts)
    chosen = evenly_spaced(len(excerpts), count)
    for first in range(0, len(chosen), BATCH):
        batch = [excerpts[int(i)] for i in chosen[first : first + BATCH]]
        padded = [pad_or_trim(excerpt.audio, length) for excerpt in batch]
        audio = np.stack([codec.decode(x) for x in padded])
        outputs = {
            "": reconstructed(model, audio, seed),
            "griffin_lim_": np.asarray(invert(audio, jax.random.key(seed))),
        }
        yield Reconstructions(batch, audio, outputs)


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """Returns `count` evenly spaced indices below `total`, or all there are."""
    return np.linspace(0, total - 1, min(count, total)).astype(int)


def spectral_distances(
    x: np.ndarray, y: np.ndarray, rate: int
) -> dict[str, np.ndarray]:
    """Returns the distances [b] of audio y [b, s] from x, by name."""
    return {name: np.asarray(f(x, y)) for name, f in compiled_distances(rate).items()}


@functools.cache
def compiled_distances(rate: int) -> dict[str, Callable[[Any, Any], jax.Array]]:
    """Returns compiled functions of two batches of audio, by name."""
    mel = Mel(rate)
    log_mel = lambda x, y: jnp.abs(mel.log(x) - mel.log(y)).mean(axis=(-2, -1))
    return {
        "distance": jax.jit(multi_resolution_stft_loss),
        "log_mel": jax.jit(log_mel),
    }


def pitch_error(excerpt: Any, x: np.ndarray, y: np.ndarray) -> float | None:
    """Returns the median pitch error of y [s] in cents; None if x has no clear
    pitch."""
    if "pitch" not in excerpt.features:
        return None
    import librosa  # its import takes seconds, and only notes need it

    hertz = 440 * 2 ** ((excerpt.features["pitch"] - 69) / 12)
    rate = excerpt.rate
    limits = {"fmin": hertz / 1.4, "fmax": min(hertz * 1.4, rate / 2.1)}
    output, original = (
        librosa.yin(audio, sr=rate, frame_length=2048, **limits) for audio in (y, x)
    )
    level = librosa.feature.rms(y=x, frame_length=2048, hop_length=512)[0]
    loud = level[: len(original)] > PITCHED_LEVEL * level.max()
    cents = lambda a, b: 1200 * np.log2(a / b)
    if not loud.any() or abs(np.median(cents(original[loud], hertz))) > MAX_DETUNING:
        return None
    return float(np.median(np.abs(cents(output[loud], original[loud]))))
