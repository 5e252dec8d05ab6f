"""Figures of a latent space: what comes back, what lies between, what moves which
attribute.

Axes: n phrases, t step, z latent, i step of a path, a attribute, s strength.
"""

import functools
import pathlib
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from zoo.config import write
from zoo.core import Batch, Key, Params
from zoo.inference.attribute_steering import CANDIDATES, GREEDY, ROUNDS, Steering
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.listen.curves import Panel, plot_curves
from zoo.metrics.attributes import ATTRIBUTES, attribute_table
from zoo.models import Markov, MusicVAE
from zoo.nn.latent.variational import (
    active_units,
    importance_weighted_log_prob,
    kl_divergence,
)
from zoo.tasks import LatentSequences, Task
from zoo.train.measuring import affordable, bounded, followed, say

Cost = Callable[[np.ndarray], np.ndarray]  # phrases [n, t, ..] -> nats per token [n]
STRENGTHS = np.array([-1, -0.5, 0, 0.5, 1])
PATH = np.linspace(0, 1, 11)
BEST_OF = 16  # phrases drawn at a point, of which the likeliest is kept
PAIRS = 128  # of phrases to interpolate between
ORDER, SLOTS = 8, 2**20  # of the Markov chain by which phrases cost
COUNTED_AT_ONCE = 512  # phrases
PARTICLES = 1, 8, 64  # samples of the bounds on the likelihood
# Passes that measuring a phrase takes, times the parts of measuring, which share the
# time of training: reconstruction; encoding, attributes and costs; interpolation of a
# pair; and steering.
PARTS, DECODING = 4, 4  # decoding a phrase, step after step, takes four passes
RECONSTRUCTION = PARTS * (max(PARTICLES) + 3)
ENCODING = PARTS * 6
BETWEEN = PARTS * DECODING * len(PATH) * (BEST_OF + 1)
STEERING = PARTS * DECODING * CANDIDATES * ROUNDS
STEERING *= (len(STRENGTHS) - 1) * len(ATTRIBUTES)


def latent_space_metrics(
    model: Model, task: Task, *, workdir: pathlib.Path, steered: int
) -> dict[str, float]:
    """Returns the metrics of a MusicVAE: reconstruction, interpolation, attributes.

    For melodies of one or two bars it leaves attributes.npz in `workdir`, by which
    `zoo vary` steers, latent.json, and path.png, the curves of interpolations.

    Args:
      model: a trained MusicVAE.
      task: the phrases to evaluate it on.
      workdir: the directory of the run.
      steered: the most phrases whose attributes are changed; 0 for reconstruction
        alone.
    """
    trained = model.about["step"] * task.batch
    rows = affordable(trained, RECONSTRUCTION)
    size = min(task.batch, rows)
    test_batches = bounded(task.eval_batches("test", batch=size), rows, size)
    metrics = reconstruction(model, test_batches)
    if not steered or not model.codec.monophonic or model.codec.bars > 2:
        return metrics
    say("evaluating the latent space")
    space = LatentSpace.of(model)
    train, test = (phrases(task.eval_batches(split)) for split in ("train", "test"))
    if (most := affordable(trained, ENCODING)) < len(train):
        train = spaced(train, most)
    steering = Steering.of(space, train)
    steering.save(workdir)
    if (most := affordable(trained, STEERING, least=0)) < steered:
        say(f"this run is short: attributes of {most} phrases are steered")
    moved: dict[str, float] = {}
    curves: dict[str, list[list[float]]] = {}
    if steered := min(steered, most):
        moved, curves = steered_attributes(steering, spaced(test, steered))
    pairs = min(affordable(trained, BETWEEN, least=2), PAIRS)
    cost = markov_cost(model.codec.vocab, train)
    between, path = interpolated(space, cost, shuffled(spaced(test, 2 * pairs)))
    write(workdir / "latent.json", {"attributes": curves, "path": path})
    plot_path(path, workdir / "path.png")
    return {**metrics, **moved, **between}


def prior_metrics(
    model: Model, task: LatentSequences, *, workdir: pathlib.Path
) -> dict[str, float]:
    """Returns the metrics of a prior on the latents of single phrases.

    Those of `interpolated`, and the same costs of great circles and straight lines
    between the latents themselves, and of latents drawn from the normal prior.
    `accuracy_inverted` is the share of steps that a map to noise and back leaves.
    It leaves latent.json in `workdir`, path.png, the curves of interpolations, and for
    melodies attributes.npz, by which `zoo vary` steers.

    Args:
      model: a trained LatentDiffusion of one phrase.
      task: the latents that it was trained on.
      workdir: the directory of the run.
    """
    say("evaluating the latent space")
    space = LatentSpace.of(model)
    train, test = (
        np.concatenate(task.phrases(split, task.corpus)[0])
        for split in ("train", "test")
    )
    trained = model.about["step"] * task.batch
    if (most := affordable(trained, ENCODING)) < len(train):
        train = spaced(train, most)
    if model.codec.monophonic:
        Steering.of(space, train).save(workdir)
    pairs = min(affordable(trained, BETWEEN, least=2), PAIRS)
    ends = shuffled(spaced(test, 2 * pairs))
    cost = markov_cost(model.codec.vocab, train)
    metrics, path = interpolated(space, cost, ends)
    write(workdir / "latent.json", {"path": path})
    plot_path(path, workdir / "path.png")
    z = space.means(ends)
    back = space.from_normal(space.to_normal(z))
    same = space.phrases(back, draw=GREEDY) == space.phrases(z, draw=GREEDY)
    metrics["accuracy_inverted"] = float(same.mean())
    return {**metrics, **costs_without_prior(LatentSpace(space.model), cost, ends)}


def costs_without_prior(
    space: LatentSpace, cost: Cost, ends: np.ndarray
) -> dict[str, float]:
    """Returns the costs of other roads between pairs of phrases, and of a normal prior.

    `between_cost_slerp` and `between_cost_straight` are those of great circles and of
    straight lines between latents, `prior_cost_normal` that of normal latents; each as
    the metric of `interpolated` with the same beginning.
    """
    z, real = space.means(ends), cost(ends).mean()
    a, b, shares = z[::2], z[1::2], PATH[:, None, None].astype(np.float32)
    points = {
        "between_cost_slerp": space.path(a, b, PATH),
        "between_cost_straight": a + shares * (b - a),
        "prior_cost_normal": space.drawn(len(ends))[None],
    }
    return {
        name: max(
            abs(float(cost(space.phrases(point)).mean() / real) - 1) for point in path
        )
        for name, path in followed(points.items(), "measuring roads without the prior")
    }


def plot_path(path: dict[str, list[float]], file: pathlib.Path) -> None:
    """Plots the curves of `interpolated` over the interpolation."""
    shares = PATH.tolist()
    distances = {"the first end": path["far"], "the last end": path["near"]}
    costs = {
        "one draw": path["cost"],
        f"likeliest of {BEST_OF}": path["best_cost"],
        "steps of either": path["mixed_cost"],
    }
    panels = [
        Panel(x, y, {name: (shares, values) for name, values in curves.items()})
        for x, y, curves in (
            ("interpolation", "share of steps that differ from", distances),
            ("interpolation", "cost of a step, 1 for real phrases", costs),
        )
    ]
    plot_curves(panels, file)


def spaced(rows: np.ndarray, n: int) -> np.ndarray:
    """Returns `n` evenly spaced rows, or an even number of all there are."""
    n = min(n, len(rows) // 2 * 2) if n > 1 else n
    return rows[np.linspace(0, len(rows) - 1, n).astype(int)]


def shuffled(rows: np.ndarray) -> np.ndarray:
    """Returns the rows in a fixed random order, so that pairs are of two pieces."""
    return np.random.default_rng(0).permutation(rows)


def phrases(batches: Iterable[Batch]) -> np.ndarray:
    """Returns the phrases int32 [n, t] of batches."""
    rows = [np.asarray(x["tokens"])[np.asarray(x["mask"]).any(axis=1)] for x in batches]
    return np.concatenate(rows)


def steered_attributes(
    steering: Steering, phrases: np.ndarray
) -> tuple[dict[str, float], dict[str, list[list[float]]]]:
    """Steers each attribute of phrases [n, t], and measures all of them.

    Returns: Metrics, and the mean of every attribute at each strength, [s, a], by name.
    For each attribute, `moved_NAME` is its mean change at strength 1, in standard
    deviations; `followed_NAME` the correlation of its change with the strength; and
    `others_NAME` the largest mean change of any other attribute.
    """
    space, codec = steering.space, steering.space.melody_codec
    z, style = space.means(phrases), space.likeliest_style(phrases)
    metrics: dict[str, float] = {}
    curves: dict[str, list[list[float]]] = {}
    for a, name in enumerate(followed(ATTRIBUTES, "steering attributes")):
        tables = []
        for strength in STRENGTHS:
            point = steering(z, {name: strength}, style=style) if strength else z
            music = space.phrases(point, draw=GREEDY, style=style)
            tables.append(attribute_table(music, codec) / steering.std)
        values = np.stack(tables)  # [s, n, a]
        centred = values[:, :, a] - values[:, :, a].mean(axis=0)
        strengths = np.broadcast_to(STRENGTHS[:, None], centred.shape)
        change = np.nanmean(values[-1] - values[len(STRENGTHS) // 2], axis=0)
        metrics[f"moved_{name}"] = float(change[a])
        metrics[f"followed_{name}"] = correlation(centred, strengths)
        metrics[f"others_{name}"] = float(np.abs(np.delete(change, a)).max())
        curves[name] = np.nanmean(values, axis=1).round(4).tolist()
    return metrics, curves


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Returns Pearson's correlation of what is finite in both; 0 if one is constant."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite] - x[finite].mean(), y[finite] - y[finite].mean()
    return float((x * y).sum() / max(np.sqrt((x**2).sum() * (y**2).sum()), 1e-12))


def interpolated(
    space: LatentSpace, cost: Cost, ends: np.ndarray
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Interpolates between pairs of phrases, after Roberts et al. 2018, figure 4.

    The mean of `cost` over phrases is relative to that of `ends` [n, t, ..].

    Returns: Metrics, and curves [i] over the interpolation. `between_cost` is the
    largest deviation of the cost from 1, `between_cost_best` that of the likeliest of
    several draws, `prior_cost` that of phrases drawn from the prior, `between_back` the
    largest step back of the mean distance from either end, as a fraction of the steps.
    The curves are `far`, the share of steps that
    differ from the first end, `near`, from the last, `cost`, `best_cost`, and
    `mixed_cost`, where each step is taken from one end or the other at random.
    """
    first, last = ends[::2], ends[1::2]
    style = space.likeliest_style(ends)
    z = space.means(ends, style)
    points = space.path(z[::2], z[1::2], PATH)
    names = ("far", "near", "cost", "best_cost", "mixed_cost")
    curves: dict[str, list[float]] = {name: [] for name in names}
    rng, real = np.random.default_rng(0), cost(ends).mean()
    path = followed(PATH, "interpolating points")
    for share, point in zip(path, points, strict=True):
        shares = None
        if style is not None:
            shares = (1 - share) * style[::2] + share * style[1::2]
        music = space.phrases(point, style=shares)
        best = space.phrases(point, style=shares, best_of=BEST_OF)
        mixed = np.where(rng.random(first.shape) < share, last, first)
        curves["far"].append(float((music != first).mean()))
        curves["near"].append(float((music != last).mean()))
        curves["cost"].append(float(cost(music).mean() / real))
        curves["best_cost"].append(float(cost(best).mean() / real))
        curves["mixed_cost"].append(float(cost(mixed).mean() / real))
    drawn = space.phrases(space.drawn(len(ends)))
    back = max(-np.diff(curves["far"]).min(), np.diff(curves["near"]).max(), 0.0)
    deviation = lambda name: float(np.abs(np.array(curves[name]) - 1).max())
    metrics = {
        "between_cost": deviation("cost"),
        "between_cost_best": deviation("best_cost"),
        "between_back": float(back),
        "prior_cost": float(abs(cost(drawn).mean() / real - 1)),
    }
    return metrics, curves


def markov_cost(vocab: int, train: np.ndarray, order: int = ORDER) -> Cost:
    """Returns a function from phrases [n, t, ..] to their NLL, nats per token [n].

    It is that of a Markov chain counted on the phrases `train`, whose voices are read
    one after the other at each step.
    """
    train = train.reshape(len(train), -1)
    family = Markov(vocab, order, SLOTS, length=train.shape[1])
    net = family.init(jax.random.key(0), family.example(1))["net"]
    count = jax.jit(family.count)
    for first in range(0, len(train), COUNTED_AT_ONCE):
        part = train[first : first + COUNTED_AT_ONCE]
        real = np.arange(COUNTED_AT_ONCE) < len(part)
        part = np.pad(part, ((0, COUNTED_AT_ONCE - len(part)), (0, 0)))
        mask = np.broadcast_to(real[:, None], part.shape)
        net = jax.tree.map(jnp.add, net, count(net, part, mask))
    log_prob = jax.jit(family.log_prob)

    def cost(rows: np.ndarray) -> np.ndarray:
        rows = rows.reshape(len(rows), -1)
        mask = jnp.ones(rows.shape, bool)
        return -np.asarray(log_prob({"net": net}, rows, mask)) / rows.shape[1]

    return cost


def reconstruction(
    model: Model,
    batches: Iterable[Batch],
    particles: tuple[int, ...] = PARTICLES,
    seed: int = 0,
) -> dict[str, float]:
    """Returns how well phrases are reconstructed, and at what rate.

    Metrics are means over the phrases of `batches`. Accuracies are the share of steps
    whose token is reproduced from a sample of the posterior (Roberts et al. 2018, table
    1): `accuracy_teacher_forced` by the likeliest token given the true ones before it,
    `accuracy_sampled` by tokens drawn at temperature 1. `kl` is the rate in nats per
    phrase, `active` the number of active latents, and `nll_k` the importance-weighted
    bound on -log p(x) of k samples, in nats per phrase.
    """
    measure = jax.jit(functools.partial(phrase_metrics, model.family, particles))
    sums: dict[str, float] = {}
    means, rows = [], 0
    for index, batch in enumerate(followed(batches, "reconstructing batches")):
        rng = jax.random.fold_in(jax.random.key(seed), index)
        real = np.asarray(batch["mask"]).any(axis=1)
        metrics, mean = jax.device_get(measure(model.params, dict(batch), rng))
        for name, values in metrics.items():
            sums[name] = sums.get(name, 0.0) + float(values[real].sum())
        means.append(mean[real])
        rows += int(real.sum())
    active = float(active_units(jnp.asarray(np.concatenate(means))).sum())
    return {**{name: total / rows for name, total in sums.items()}, "active": active}


def phrase_metrics(
    family: MusicVAE, particles: tuple[int, ...], params: Params, batch: Batch, rng: Key
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Returns the metrics of each phrase [n], and its posterior mean [n, z]."""
    tokens, style = batch["tokens"], batch.get("style")
    q = family.encode(params, tokens, style)
    latent_rng, decode_rng, bound_rng = jax.random.split(rng, 3)

    def token_log_probs(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return family.token_log_probs(params, z, tokens, style=style)

    z = q.sample(latent_rng)
    _, hit = token_log_probs(z)
    sampled = family.decode(params, decode_rng, z, style=style)
    same = (sampled == tokens).reshape(*tokens.shape[:2], -1).mean(axis=(1, 2))
    samples = jax.vmap(q.sample)(jax.random.split(bound_rng, max(particles)))
    log_p = jax.lax.map(lambda z: token_log_probs(z)[0].sum(axis=1), samples)
    metrics = {
        "accuracy_teacher_forced": hit.mean(axis=1),
        "accuracy_sampled": same,
        "kl": kl_divergence(q).sum(axis=1),
    }
    for k in particles:
        bound = importance_weighted_log_prob(log_p[:k], q, samples[:k])
        metrics[f"nll_{k}"] = -bound
    return metrics, q.mean
