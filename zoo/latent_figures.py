"""Figures of a latent space: what comes back, what lies between, what moves which attribute.

Axes: n phrases, z latent, i step of a path, a attribute, s strength.
"""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Batch, Key, Params
from zoo.models import MusicVAE
from zoo.nn.variational import active, divergence, marginal
from zoo.trained import Trained


def reconstruction(
    model: Trained, batches: Iterable[Batch], particles: tuple[int, ...] = (1, 8, 64), seed: int = 0
) -> dict[str, float]:
    """How well phrases come back, and what that costs; means over the phrases of `batches`.

    Per-step accuracies as in Roberts et al. 2018, table 1: the share of steps whose token is
    reproduced from a z of the posterior, `teacher_forced` by the likeliest token given the true
    ones before it, `sampled` by tokens drawn at temperature 1 after those drawn before. `kl`: the
    rate, in nats per phrase; `active` of the latents say anything; `nll_k`: the importance-weighted
    bound on -log p(x) from k samples, in nats per phrase.
    """
    family = model.family
    assert isinstance(family, MusicVAE)
    measure = jax.jit(functools.partial(_measure, family, particles))
    sums: dict[str, float] = {}
    means, rows = [], 0
    for index, batch in enumerate(batches):
        rng = jax.random.fold_in(jax.random.key(seed), index)
        real = np.asarray(batch["mask"]).any(axis=1)
        figures, mean = jax.device_get(measure(model.params, dict(batch), rng))
        for name, values in figures.items():
            sums[name] = sums.get(name, 0.0) + float(values[real].sum())
        means.append(mean[real])
        rows += int(real.sum())
    figures = {name: total / rows for name, total in sums.items()}
    return figures | {"active": float(active(jnp.asarray(np.concatenate(means))).sum())}


def _measure(
    family: MusicVAE, particles: tuple[int, ...], params: Params, batch: Batch, rng: Key
) -> tuple[dict[str, jax.Array], jax.Array]:
    """The figures of each phrase [n], and its posterior mean [n, z]."""
    tokens, style = batch["tokens"], batch.get("style")
    q = family.encode(params, tokens, style)
    one, two, three = jax.random.split(rng, 3)
    z = q.sample(one)
    _, hit = family.score(params, z, tokens, style)
    drawn = family.decode(params, two, z, style=style)
    same = (drawn == tokens).reshape(*tokens.shape[:2], -1).mean(axis=(1, 2))
    many = jax.vmap(q.sample)(jax.random.split(three, max(particles)))
    log_p = jax.lax.map(lambda z: family.score(params, z, tokens, style)[0].sum(axis=1), many)
    bounds = {f"nll_{k}": -marginal(log_p[:k], q, many[:k]) for k in particles}
    figures = {
        "accuracy_teacher_forced": hit.mean(axis=1),
        "accuracy_sampled": same,
        "kl": divergence(q).sum(axis=1),
    }
    return figures | bounds, q.mean
