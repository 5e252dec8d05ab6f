"""The synthetic test of Yu et al. 2017: sequences of an oracle are learnt.

python experiments/games/seqgan_oracle.py --oracle oracle.npz \\
    --workdir runs/seqgan_oracle

10,000 sequences of 20 tokens are drawn from an LSTM with known weights. A SeqGAN is
trained on them by likelihood, then against its critic; a Markov chain counts them. The
mean negative log-likelihood of generated sequences under the oracle is NLL_oracle. A
model can lower it by writing the same over and over, or by copying. So the share of
distinct 4-grams, the entropy of tokens and the share of copied 4-grams stand beside it,
and the same metrics of the oracle's own sequences.

Axes: n sequence, t step.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import spearmanr

from zoo.core import Batch, Key, Params
from zoo.errors import UsageError
from zoo.evaluation.oracle_lstm import Oracle, diversity
from zoo.models import Markov, SeqGAN
from zoo.models.markov import Discounts, Order
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import (
    BatchSize,
    LearningRate,
    Pieces,
    Temperature,
    TrainingSteps,
    checked,
)
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.train import loop
from zoo.train.options import Options

VALIDATION = 2_000  # sequences that validation draws
CHUNK = 500  # sequences drawn at a time
PUBLISHED = ("nll_oracle", "entropy", "distinct_4_of_2000", "copied_4")
Rows = np.ndarray
Sample = Callable[[Key, int], Any]  # (key, n) -> sequences [n, t, ..]


@dataclasses.dataclass(frozen=True)
@checked
class OracleSequences:
    """Sequences drawn from an oracle, to train on."""

    SIZES: ClassVar[tuple[str, ...]] = ("sizes", "styles")

    sequences: Pieces = 10_000
    """Sequences to train on; as many are generated to evaluate a model."""
    batch: BatchSize = 64
    """Sequences of a batch."""


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of sequences, shuffled in each epoch; an incomplete last one is dropped.

    Raises:
      UsageError: a batch is larger than the data.
    """

    rows: Rows
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch > len(self.rows):
            raise UsageError(
                f"a batch of {self.batch} is larger than the data, "
                f"{len(self.rows)} sequences: lower batch."
            )

    def __getitem__(self, step: int) -> Batch:
        epoch, index = divmod(step, len(self.rows) // self.batch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.rows))
        tokens = self.rows[order[index * self.batch :][: self.batch]]
        return {"tokens": tokens, "mask": np.ones(tokens.shape[:2], bool)}


def seqgan_oracle(
    oracle: Path,
    workdir: Path = Path("runs/seqgan_oracle"),
    turns: TrainingSteps = 60,
    model: SeqGAN = SeqGAN(warmup=5000, critic_warmup=500, critic_steps=1, ends=False),
    task: OracleSequences = OracleSequences(),
    rate: LearningRate = 1e-2,
    critic_rate: LearningRate = 3e-4,
    order: Order = 2,
    discounts: Discounts = (0.6, 0.9, 1.1),
    markov_temperature: Temperature = 0.73,
    options: Options = Options(save_every=250),
) -> dict[str, Any]:
    """Trains a SeqGAN and a Markov chain on an oracle's sequences, and evaluates both.

    Args:
        oracle: file of the oracle's weights, .npz.
        workdir: directory of the run; the same one continues it.
        turns: steps of the generator in adversarial training.
        model: the family; the size of its vocabulary is the oracle's.
        task: the sequences.
        rate: learning rate of the generator; in adversarial training it decays.
        critic_rate: learning rate of the critic.
        order: tokens in a context of the Markov chain.
        discounts: its discounts of counts of 1, of 2, and of 3 or more.
        markov_temperature: temperature at which it is sampled.
        options: how the run is executed.
    """
    began = time.perf_counter()
    truth = Oracle.read(oracle)
    model = dataclasses.replace(model, sizes=(truth.vocab,))
    n = task.sequences
    slots = 2 ** min(25, 4 + (n * model.length * truth.vocab).bit_length())
    markov = Markov(
        truth.vocab + 1, order, slots, discounts=discounts, length=model.length
    )
    train_key, test_key = jax.random.split(jax.random.key(1000 + options.seed), 2)
    real = sequences(lambda key, n: truth.sample(key, n, model.length), train_key, n)

    def metrics_of(params: Params, n: int) -> dict[str, float]:
        rows = sequences(sampler(model, params), test_key, n)
        return sequence_metrics(truth, rows.reshape(n, -1), real)

    def validate(params: Params) -> dict[str, float]:
        metrics = metrics_of(params, min(VALIDATION, n))
        return {"valid": metrics["nll_oracle"], **metrics}

    decaying = optax.cosine_decay_schedule(rate, turns, 0.05)
    rates = {"likelihood": rate, "critic": critic_rate, "generator": decaying}
    fitted = loop.fit(
        model,
        Batches(real[..., None], task.batch, options.seed),
        tx={name: optax.adam(rate) for name, rate in rates.items()},
        steps=model.warmup + model.critic_warmup + turns * model.critic_steps,
        workdir=workdir,
        options=options,
        validate=validate,
    )
    counted = loop.fit(
        markov,
        Batches(real + 1, min(CHUNK, n), options.seed),
        tx={},
        steps=n // min(CHUNK, n),
        workdir=workdir / "markov",
        options=options,
    )
    draw = Draw(temperature=markov_temperature)
    chain = sampler(markov, counted.state.params, draw=draw)
    chain_rows = np.maximum(sequences(chain, test_key, n).reshape(n, -1) - 1, 0)
    oracle_rows = sequences(lambda key, n: truth.sample(key, n), test_key, n)
    metrics_by_name = {
        "seqgan": metrics_of(fitted.state.params, n),
        "best": sequence_metrics(truth, chain_rows, real),
        "real": sequence_metrics(truth, real, oracle_rows),
    }
    pretrained = logged_at(workdir / "metrics.jsonl", model.warmup)
    metrics = {f"{name}_mle": pretrained[name] for name in PUBLISHED}
    metrics |= critic_metrics(model, fitted.state.params, truth, real, key=test_key)
    for name, values in metrics_by_name.items():
        metrics |= {f"{key}_{name}": value for key, value in values.items()}
    elsewhere = time.perf_counter() - began - fitted.here
    result = {"experiment": "seqgan_oracle", "metrics": metrics}
    result |= provenance(fitted.seconds + elsewhere)
    write(workdir / "result.json", result)
    return result


def logged_at(path: Path, step: int) -> dict[str, float]:
    """Returns the validation metrics of a step, from a metrics.jsonl."""
    points = map(json.loads, path.read_text().splitlines())
    return next(point for point in points if point["step"] == step and "valid" in point)


def critic_metrics(
    model: SeqGAN, params: Params, truth: Oracle, real: Rows, *, key: jax.Array
) -> dict[str, float]:
    """Returns how well the critic ranks sequences.

    `critic_right_taught` is the share of pairs of a training and a generated sequence
    in which it prefers the first, `critic_right_new` the same for new sequences of the
    oracle, and `critic_by_oracle` the rank correlation of its verdicts on generated
    sequences with their likelihood under the oracle.
    """
    n = min(VALIDATION, len(real))
    verdict = jax.jit(model.verdict)

    def verdicts(rows: Rows) -> np.ndarray:
        return np.asarray(verdict(params, rows.reshape(n, -1, 1)))

    def preferred(rows: Rows) -> float:
        return float((verdicts(rows)[:, None] > generated_verdicts[None]).mean())

    new = sequences(
        lambda key, n: truth.sample(key, n, model.length),
        jax.random.fold_in(key, 1),
        n,
    )
    generated = sequences(sampler(model, params), key, n)
    generated_verdicts = verdicts(generated)
    likelihood = np.asarray(truth.token_log_probs(jnp.asarray(generated[..., 0]))).mean(
        axis=1
    )
    correlation = spearmanr(generated_verdicts, likelihood).statistic
    return {
        "critic_right_taught": preferred(real[:n]),
        "critic_right_new": preferred(new),
        "critic_by_oracle": float(correlation),
    }


def sampler(family: Any, params: Params, **options: Any) -> Sample:
    """Returns `(key, n) -> sequences` of a family, compiled."""
    sample = jax.jit(family.sample, static_argnames=("n", *options))
    return lambda key, n: sample(params, key, n=n, **options)


def sequences(sample: Sample, key: Key, n: int) -> Rows:
    """Draws `n` sequences, `CHUNK` at a time."""
    chunks = [
        np.asarray(sample(jax.random.fold_in(key, i), min(CHUNK, n)))
        for i in range(-(-n // CHUNK))
    ]
    return np.concatenate(chunks)[:n]


def sequence_metrics(oracle: Oracle, rows: Rows, others: Rows) -> dict[str, float]:
    """Returns NLL_oracle of sequences [n, t], their variety, and copied 4-grams.

    Args:
      oracle: the oracle.
      rows: sequences to evaluate.
      others: sequences; `copied_4` is the share of 4-grams that occur in them.
    """
    copied = np.isin(four_grams(rows, oracle.vocab), four_grams(others, oracle.vocab))
    return {
        "nll_oracle": oracle.nll(jnp.asarray(rows)),
        **diversity(rows),
        "distinct_4_of_2000": diversity(rows[:VALIDATION])["distinct_4"],
        "copied_4": float(copied.mean()),
    }


def four_grams(rows: Rows, vocab: int) -> np.ndarray:
    """Returns every four successive tokens of sequences [n, t], as one integer each."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, 4, axis=1).reshape(-1, 4)
    return (windows.astype(np.int64) * (vocab ** np.arange(4))).sum(axis=1)


if __name__ == "__main__":
    launch(seqgan_oracle)
