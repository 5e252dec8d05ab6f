"""The oracle LSTM against the definition, and a small run of its experiment."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.evaluation.oracle_lstm import Oracle, diversity

ROOT = pathlib.Path(__file__).parents[2]


def weights(vocab=5, embed=3, width=4):
    rng = np.random.default_rng(0)
    shapes = {"embedding": (vocab, embed), "Wout": (width, vocab), "bout": (vocab,)}
    for gate in "ifoc":
        shapes |= {
            f"W{gate}": (embed, width),
            f"U{gate}": (width, width),
            f"b{gate}": (width,),
        }
    return {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def likelihood(w, row):
    """Log-likelihood of each token, gate by gate, as the protocol writes it."""
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    h, c, before, found = np.zeros(4), np.zeros(4), 0, []
    for token in row:
        x = w["embedding"][before]
        i, f, o, new = (x @ w[f"W{g}"] + h @ w[f"U{g}"] + w[f"b{g}"] for g in "ifoc")
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        h = sigmoid(o) * np.tanh(c)
        logits = h @ w["Wout"] + w["bout"]
        found.append(logits[token] - np.log(np.exp(logits).sum()))
        before = token
    return found


def test_likelihoods_are_those_of_the_protocol():
    w = weights()
    rows = np.array([[0, 3, 1, 4], [2, 2, 0, 0]])
    found = Oracle(w).token_log_probs(jnp.array(rows))
    np.testing.assert_allclose(found, [likelihood(w, row) for row in rows], atol=1e-5)
    np.testing.assert_allclose(
        Oracle(w).nll(jnp.array(rows)), -np.mean(found), rtol=1e-6
    )


def test_it_draws_what_it_says_is_likely():
    oracle = Oracle(weights())
    rows = np.asarray(oracle.sample(jax.random.key(0), 20_000, 2))
    pairs = np.array([[a, b] for a in range(5) for b in range(5)])
    p = np.exp(np.asarray(oracle.token_log_probs(jnp.array(pairs))).sum(axis=1))
    counts = np.bincount(rows[:, 0] * 5 + rows[:, 1], minlength=25)
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    assert np.abs(counts / len(rows) - p).max() < 0.015


def test_variety_by_hand():
    found = diversity(np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 1]]))
    assert found["distinct_4"] == 3 / 4  # 1234 is there twice
    share = np.array([3, 2, 2, 2, 1]) / 10
    np.testing.assert_allclose(found["entropy"], -(share * np.log(share)).sum())


def test_no_file_is_said(tmp_path):
    with pytest.raises(UsageError, match="there is no oracle at"):
        Oracle.read(tmp_path / "oracle.npz")


def test_the_experiment_runs(tmp_path):
    import seqgan_oracle

    from zoo.models import SeqGAN
    from zoo.train.options import Options

    np.savez(tmp_path / "oracle.npz", **weights(vocab=30))
    model = SeqGAN(
        embed=4,
        width=4,
        warmup=4,
        critic_warmup=0,
        critic_steps=1,
        rollouts=1,
        ends=False,
    )
    result = seqgan_oracle.seqgan_oracle(
        tmp_path / "oracle.npz",
        tmp_path / "run",
        turns=1,
        model=model,
        task=seqgan_oracle.OracleSequences(sequences=64, batch=8),
        options=Options(save_every=4, quiet=True),
    )
    metrics = result["metrics"]
    assert {"nll_oracle_mle", "nll_oracle_seqgan", "nll_oracle_best"} <= metrics.keys()
    assert metrics["nll_oracle_real"] < metrics["nll_oracle_mle"]
    # the chain of order 2 is sampled at a lower temperature, unlike the oracle
    assert metrics["nll_oracle_best"] != metrics["nll_oracle_seqgan"]
    assert metrics["distinct_4_best"] == pytest.approx(
        metrics["distinct_4_of_2000_best"], abs=0.2
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_critic_is_compared_with_the_oracle_s_likelihood(sign):
    """A critic that is the likelihood has a rank correlation of 1, its negative of
    -1."""
    import types

    from seqgan_oracle import critic_metrics

    oracle = Oracle(weights())
    rows = np.asarray(oracle.sample(jax.random.key(0), 500, 6))
    order = np.argsort(
        np.asarray(oracle.token_log_probs(jnp.asarray(rows))).sum(axis=1)
    )
    least, most = jnp.asarray(rows[order[:32]]), rows[order[-32:]]
    critic = types.SimpleNamespace(
        length=6,
        sample=lambda params, key, n: least[:n, :, None],
        verdict=lambda params, x: sign * oracle.token_log_probs(x[..., 0]).mean(axis=1),
    )
    metrics = critic_metrics(critic, {}, oracle, most, key=jax.random.key(1))
    assert metrics["critic_by_oracle"] == pytest.approx(sign)
    assert metrics["critic_right_taught"] == (sign > 0)
    assert (metrics["critic_right_new"] > 0.5) == (sign > 0)
