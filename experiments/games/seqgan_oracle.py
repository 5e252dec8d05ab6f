"""The synthetic test of Yu et al. 2017: sequences of an oracle are learned, and judged by it.

python experiments/games/seqgan_oracle.py --oracle oracle.npz --workdir runs/seqgan_oracle

10,000 sequences of 20 tokens are drawn from an LSTM with known weights. A SeqGAN is taught by their
likelihood, then by its critic; a Markov chain counts them. Each then writes sequences, whose mean
negative log-likelihood under the oracle is NLL_oracle. It can be had low by writing the same over
and over, or by copying: the share of distinct 4-grams, the entropy of tokens and the share of
4-grams that are copied stand beside it, and the same of the oracle's own.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import spearmanr
from zoo.runner.experiment import launch

from zoo.core import Batch, Params
from zoo.errors import UsageError
from zoo.evaluation.oracle_lstm import Oracle, variety
from zoo.models import Markov, SeqGAN
from zoo.nn.sequence.sampling import Draw
from zoo.runner.results import provenance, write
from zoo.train import loop
from zoo.train.options import Options

FEW = 2_000  # sequences that validation draws
CHUNK = 500  # sequences drawn at a time


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of sequences in an order of each epoch, by the seed; those left over wait."""

    rows: np.ndarray
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch > len(self.rows):
            raise UsageError(
                f"a batch of {self.batch} is more than {len(self.rows)} sequences: lower --batch."
            )

    def __getitem__(self, step: int) -> Batch:
        epoch, place = divmod(step, len(self.rows) // self.batch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.rows))
        tokens = self.rows[order[place * self.batch :][: self.batch]]
        return {"tokens": tokens, "mask": np.ones(tokens.shape[:2], bool)}


def seqgan_oracle(
    oracle: Path,
    workdir: Path = Path("runs/seqgan_oracle"),
    sequences: int = 10_000,
    batch: int = 64,
    width: int = 32,
    warm: int = 5000,
    tutor: int = 500,
    turns: int = 60,
    every: int = 1,
    rollouts: int = 16,
    rate: float = 1e-2,
    judge_rate: float = 3e-4,
    order: int = 2,
    discounts: tuple[float, float, float] = (0.6, 0.9, 1.1),
    temperature: float = 0.73,
    options: Options = Options(save_every=250),
) -> dict[str, Any]:
    """Trains a SeqGAN on an oracle's sequences, counts them, and measures what both write.

    Args:
        oracle: its weights, an .npz file.
        workdir: where everything about the run is kept; the same one goes on.
        sequences: of the oracle, to learn from; as many are drawn to be measured.
        batch: sequences in a batch.
        width: of the generator's LSTM and of what it reads.
        warm: steps of likelihood, at the end of which there is a checkpoint.
        tutor: steps of the critic alone.
        turns: moves of the generator against its critic.
        every: moves of the critic for one of these.
        rollouts: completions of each prefix.
        rate: learning rate of the generator, by likelihood and by its critic, where it decays.
        judge_rate: of the critic.
        order: tokens that the Markov chain looks back.
        discounts: what its counts of 1, of 2, and of 3 or more give up.
        temperature: at which it is drawn from.
        options: how the run is run.
    """
    began = time.perf_counter()
    true = Oracle.read(oracle)
    model = SeqGAN(
        (true.vocab,),
        embed=width,
        width=width,
        warmup=warm,
        critic_warmup=tutor,
        critic_steps=every,
        rollouts=rollouts,
        ends=False,
    )
    places = 2 ** min(25, 4 + (sequences * model.length * true.vocab).bit_length())
    sizes = true.vocab + 1, order, places
    markov = Markov(*sizes, discounts=discounts, length=model.length)
    keys = jax.random.split(jax.random.key(1000 + options.seed), 2)
    real = drawn(lambda key, n: true.sample(key, n, model.length), keys[0], sequences)

    def figures(family: Any, params: Params, n: int, **how: Any) -> dict[str, float]:
        sample = jax.jit(family.sample, static_argnames=("n", "draw"))
        rows = drawn(lambda key, n: sample(params, key, n=n, **how), keys[1], n)
        rows = rows.reshape(n, -1)
        return measured(
            true, np.maximum(rows - 1, 0) if family == markov else rows, real
        )

    def validate(params: Params) -> dict[str, float]:
        found = figures(model, params, min(FEW, sequences))
        return {"valid": found["nll_oracle"], **found}

    decaying = optax.cosine_decay_schedule(rate, turns, 0.05)
    rules = {"likelihood": rate, "critic": judge_rate, "generator": decaying}
    fitted = loop.fit(
        model,
        Batches(real[..., None], batch, options.seed),
        tx={name: optax.adam(rate) for name, rate in rules.items()},
        steps=warm + tutor + turns * every,
        workdir=workdir,
        options=options,
        validate=validate,
    )
    counted = loop.fit(
        markov,
        Batches(real + 1, min(CHUNK, sequences), options.seed),
        tx={},
        steps=sequences // min(CHUNK, sequences),
        workdir=workdir / "markov",
        options=options,
    )
    logged = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    taught = next(
        point for point in logged if point["step"] == warm and "valid" in point
    )
    found = {
        "seqgan": figures(model, fitted.state.params, sequences),
        "best": figures(
            markov, counted.state.params, sequences, draw=Draw(temperature=temperature)
        ),
        "real": measured(
            true, real, drawn(lambda key, n: true.sample(key, n), keys[1], sequences)
        ),
    }
    few = ("nll_oracle", "entropy", "distinct_4_of_2000", "copied_4")
    metrics = {f"{name}_mle": taught[name] for name in few}
    metrics |= known(model, fitted.state.params, true, real, keys)
    metrics |= {
        f"{k}_{name}": v for name, each in found.items() for k, v in each.items()
    }
    elsewhere = time.perf_counter() - began - fitted.here
    result = {"experiment": "seqgan_oracle", "metrics": metrics}
    result |= provenance(fitted.seconds + elsewhere)
    write(workdir / "result.json", result)
    return result


def known(
    model: SeqGAN, params: Params, true: Oracle, taught: np.ndarray, keys: jax.Array
) -> dict[str, float]:
    """What the critic knows: in which share of pairs it holds a sequence that it was taught, or a
    new one of the oracle's, more real than one of the generator's; and how its verdicts on these
    go with their likelihood under the oracle, by ranks."""
    few = min(FEW, len(taught))
    sample, verdict = jax.jit(model.sample, static_argnames="n"), jax.jit(model.verdict)
    key = jax.random.fold_in(keys[1], 1)
    new = drawn(lambda key, n: true.sample(key, n, model.length), key, few)
    own = drawn(lambda key, n: sample(params, key, n=n), keys[1], few)
    verdicts = lambda rows: np.asarray(verdict(params, rows.reshape(few, -1, 1)))
    of_own, likely = (
        verdicts(own),
        np.asarray(true.score(jnp.asarray(own[..., 0]))).mean(axis=1),
    )
    right = lambda rows: float((verdicts(rows)[:, None] > of_own[None]).mean())
    return {
        "critic_right_taught": right(taught[:few]),
        "critic_right_new": right(new),
        "critic_by_oracle": float(spearmanr(of_own, likely).statistic),
    }


def drawn(sample: Any, key: Any, n: int) -> np.ndarray:
    """`n` sequences of `sample(key, n)`, so many at a time."""
    parts = [
        sample(jax.random.fold_in(key, i), min(CHUNK, n)) for i in range(-(-n // CHUNK))
    ]
    return np.concatenate([np.asarray(part) for part in parts])[:n]


def measured(oracle: Oracle, rows: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Of sequences [n, t]: NLL_oracle; variety of all and of the first 2,000; the share of their
    4-grams that `others` have."""
    grams = lambda x: np.lib.stride_tricks.sliding_window_view(x, 4, axis=1).reshape(
        -1, 4
    )
    code = lambda x: (grams(x).astype(np.int64) * (oracle.vocab ** np.arange(4))).sum(
        axis=1
    )
    few = variety(rows[:FEW])["distinct_4"]
    return {
        "nll_oracle": oracle.nll(jnp.asarray(rows)),
        **variety(rows),
        "distinct_4_of_2000": few,
        "copied_4": float(np.isin(code(rows), code(others)).mean()),
    }


if __name__ == "__main__":
    launch(seqgan_oracle)
