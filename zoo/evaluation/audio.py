"""Figures of models of sound: how near what they give back is to what they were given.

Beside what Griffin & Lim's iteration makes of the true mel spectrum, which is what there is without
a model. Axes: b signal, s sample.
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.audio.batches import pad_or_trim
from zoo.evaluation.instrument_classifier import Judge, learn
from zoo.inference.model import Model
from zoo.inference.resynthesis import reconstructed
from zoo.inference.timbre_transfer import PrincipalAxes, latents
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.spectral_loss import multi_resolution_stft_loss
from zoo.tasks.audio import Audio

BATCH = 16
STEPS = 60  # of Griffin & Lim
FIDELITIES = (0.95, 0.99)
NEAR = 50  # cents by which a note may be off its name, to count as one that has a pitch
LOUD = 0.1  # of its loudest frame: where a pitch is sought


@dataclasses.dataclass(frozen=True)
class AudioEvaluation:
    """Options of the evaluation of a model of audio; calling it evaluates one."""

    measured: int = 320
    """Excerpts of the test split to evaluate on."""
    judged: int = 3000
    """Training steps of the classifier of instruments."""
    besides: str = "rendered:chorales"
    """Another dataset of sound to evaluate on, never trained on; "" for none."""

    def __call__(self, model: Model, task: Audio) -> dict[str, float]:
        """Returns the metrics of a model trained on `task`."""
        train, test = task.excerpts("train"), task.excerpts("test")
        samples = len(train[0].audio)
        judge = learn(train, samples, task.coder.rate, steps=self.judged)
        metrics = figures(model, test, self.measured, judge=judge)
        metrics |= ranked(model, train, test, self.measured)
        if self.besides:
            other = task.excerpts("test", self.besides)
            others = figures(model, other, self.measured)
            metrics |= {f"music_{name}": value for name, value in others.items()}
        return metrics


def figures(
    model: Model,
    excerpts: Sequence[Any],
    many: int,
    seed: int = 0,
    judge: Judge | None = None,
) -> dict[str, float]:
    """Means over `many` excerpts, evenly from all, and over those of each label: the distance of
    spectra, the mean absolute difference of log-mel spectra, for notes that have a pitch the median
    error of it in cents, and how often a judge names their label; of the reconstruction, and of
    Griffin & Lim's."""
    found: dict[str, list[float]] = defaultdict(list)

    def tell(tag: str, label: str, values: dict[str, float]) -> None:
        for kind, value in values.items():
            found[f"{tag}{kind}"].append(value)
            found[f"{tag}{kind}_{label}"].append(value)

    for some, x, versions in taken(model, excerpts, many, seed):
        for tag, y in versions.items():
            every = measured(x, y, model.codec.rate)  # type: ignore[attr-defined]
            for row, one in enumerate(some):
                tell(
                    tag,
                    one.label,
                    {kind: float(values[row]) for kind, values in every.items()},
                )
                if (off := astray(one, x[row], y[row])) is not None:
                    tell(tag, one.label, {"cents": off})
        for tag, y in ({"original_": x} | versions if judge else {}).items():
            for one, name in zip(some, judge.names(y), strict=True):  # type: ignore[union-attr]
                tell(tag, one.label, {"named": float(name == one.label)})
    middle = lambda name: np.median if "cents" in name else np.mean
    return {name: float(middle(name)(values)) for name, values in sorted(found.items())}


def ranked(
    model: Model,
    excerpts: Sequence[Any],
    test: Sequence[Any],
    many: int,
    seed: int = 0,
) -> dict[str, float]:
    """How many directions of latents explain so much of the variance over `many` excerpts, and the
    distance of spectra of as many others when they are all that is left."""
    codec: Any = model.codec
    some = lambda of, i: codec.decode(of[int(i)].audio)
    spaced = lambda of: np.linspace(0, len(of) - 1, min(many, len(of))).astype(int)
    ranking = PrincipalAxes.of(
        np.asarray(latents(model, some(excerpts, i)[None]))[0] for i in spaced(excerpts)
    )
    found: dict[str, float] = {}
    for fidelity in FIDELITIES:
        vary = ranking.projection(fidelity)
        off = [
            measured(x, reconstructed(model, x, seed, vary), codec.rate)["distance"][0]
            for x in (some(test, i)[None] for i in spaced(test))
        ]
        found[f"directions_{fidelity}"] = float(ranking.count(fidelity))
        found[f"directions_{fidelity}_distance"] = float(np.mean(off))
    return found


def taken(
    model: Model, excerpts: Sequence[Any], many: int, seed: int
) -> Iterator[tuple[list[Any], np.ndarray, dict[str, np.ndarray]]]:
    """Excerpts, their samples [b, s], and what is made of those, by what its figures begin with."""
    codec: Any = model.codec
    mel = Mel(codec.rate)
    back = jax.jit(lambda x, rng: mel.inverse(mel(x), x.shape[1], rng, STEPS))
    length = max(len(one.audio) for one in excerpts)
    chosen = np.linspace(0, len(excerpts) - 1, min(many, len(excerpts))).astype(int)
    for first in range(0, len(chosen), BATCH):
        some = [excerpts[int(i)] for i in chosen[first : first + BATCH]]
        x = np.stack([codec.decode(pad_or_trim(one.audio, length)) for one in some])
        versions = {
            "": reconstructed(model, x, seed),
            "griffin_lim_": np.asarray(back(x, jax.random.key(seed))),
        }
        yield some, x, versions


def measured(x: np.ndarray, y: np.ndarray, rate: int) -> dict[str, np.ndarray]:
    """How far signals y [b, s] are from x, [b] each."""
    return {name: np.asarray(one(x, y)) for name, one in measures(rate).items()}


@functools.cache
def measures(rate: int) -> dict[str, Callable[[Any, Any], jax.Array]]:
    mel = Mel(rate)
    apart = lambda x, y: jnp.abs(mel.log(x) - mel.log(y)).mean(axis=(-2, -1))
    return {"distance": jax.jit(multi_resolution_stft_loss), "log_mel": jax.jit(apart)}


def astray(one: Any, x: np.ndarray, y: np.ndarray) -> float | None:
    """By how many cents y [s] is off the pitch of x, in the median; None where x has none."""
    if "pitch" not in one.features:
        return None
    import librosa  # takes seconds, and only notes need it

    hz = 440 * 2 ** ((one.features["pitch"] - 69) / 12)
    ours, theirs = (
        librosa.yin(
            z,
            fmin=hz / 1.4,
            fmax=min(hz * 1.4, one.rate / 2.1),
            sr=one.rate,
            frame_length=2048,
        )
        for z in (y, x)
    )
    level = librosa.feature.rms(y=x, frame_length=2048, hop_length=512)[0]
    loud = level[: len(theirs)] > LOUD * level.max()
    cents = lambda a, b: 1200 * np.log2(a / b)
    if not loud.any() or abs(np.median(cents(theirs[loud], hz))) > NEAR:
        return None
    return float(np.median(np.abs(cents(ours[loud], theirs[loud]))))
