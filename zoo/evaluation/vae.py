"""Figures of a latent space: what comes back, what lies between, what moves which attribute.

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
from zoo.inference.attribute_steering import GREEDY, Steering
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.listen.curves import Panel, plot_curves
from zoo.metrics.attributes import ATTRIBUTES, attribute_table
from zoo.models import Markov, MusicVAE
from zoo.nn.latent.variational import (
    active_units,
    importance_weighted_log_prob,
    kl_divergence,
    slerp,
)
from zoo.tasks.base import Task

STRENGTHS = np.array([-1, -0.5, 0, 0.5, 1])
PATH = np.linspace(0, 1, 11)
BEST = 16  # phrases drawn at a point, of which one is kept
PAIRS = 128  # of phrases, at most, between which paths are laid
ORDER, SLOTS = (
    8,
    2**20,
)  # of the chain that says whether what lies between is like music


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
      steered: phrases whose attributes are changed; 0 for reconstruction alone.
    """
    metrics = reconstruction(model, task.eval_batches("test"))
    if not steered or not model.codec.monophonic or model.codec.bars > 2:
        return metrics
    space = LatentSpace(model)
    train, test = (phrases(task.eval_batches(split)) for split in ("train", "test"))
    steering = Steering.of(space, train)
    steering.save(workdir)
    moved, curves = steered_attributes(steering, spaced(test, steered))
    ends = spaced(test, 2 * min(4 * steered, PAIRS))
    between, path = interpolated(space, train, ends)
    write(workdir / "latent.json", {"attributes": curves, "path": path})
    picture(path, workdir / "path.png")
    return {**metrics, **moved, **between}


def picture(path: dict[str, list[float]], file: pathlib.Path) -> None:
    """Draws the curves of `interpolated` over the way from one end to the other."""
    over = lambda **names: {
        name: (PATH.tolist(), path[key]) for key, name in names.items()
    }
    costs = over(
        cost="one draw", best_cost=f"likeliest of {BEST}", mixed_cost="steps of either"
    )
    panels = [
        Panel(
            "way", "steps unlike", over(far="the first end's", near="the last end's")
        ),
        Panel("way", "cost of a step, 1 for real ones", costs),
    ]
    plot_curves(panels, file)


def spaced(rows: np.ndarray, n: int) -> np.ndarray:
    """`n` of the rows, evenly spaced, or all there are, an even number of them."""
    n = min(n, len(rows) // 2 * 2) if n > 1 else n
    return rows[np.linspace(0, len(rows) - 1, n).astype(int)]


def phrases(batches: Iterable[Batch]) -> np.ndarray:
    """The phrases int32 [n, t] of batches."""
    rows = [np.asarray(x["tokens"])[np.asarray(x["mask"]).any(axis=1)] for x in batches]
    return np.concatenate(rows)


def steered_attributes(
    steering: Steering, chosen: np.ndarray
) -> tuple[dict[str, float], dict[str, list[list[float]]]]:
    """How far attributes go at strength 1, and how well they go with strength.

    Returns:
      For each attribute `moved_NAME`, in standard deviations, the mean over phrases [n, t];
      `followed_NAME`, the correlation with strength of its distance from each phrase's own mean;
      and `others_NAME`, the most that any other moves. And the means of all, [s, a], by name.
    """
    space, codec = steering.space, steering.space.melody_codec
    z, style, figures, curves = (
        space.means(chosen),
        space.likeliest_style(chosen),
        {},
        {},
    )
    for a, name in enumerate(ATTRIBUTES):
        values = []
        for strength in STRENGTHS:
            there = steering(z, {name: strength}, style=style) if strength else z
            music = space.phrases(there, draw=GREEDY, style=style)
            values.append(attribute_table(music, codec) / steering.std)
        every = np.stack(values)  # [s, n, a]
        own = every[:, :, a] - every[:, :, a].mean(axis=0)
        strength = np.broadcast_to(STRENGTHS[:, None], own.shape)
        moved = np.nanmean(every[-1] - every[len(STRENGTHS) // 2], axis=0)
        figures[f"moved_{name}"] = float(moved[a])
        figures[f"followed_{name}"] = correlation(own, strength)
        figures[f"others_{name}"] = float(np.abs(np.delete(moved, a)).max())
        curves[name] = np.nanmean(every, axis=1).round(4).tolist()
    return figures, curves


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's, of what is finite in both; 0 where one does not vary."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
    return float((x * y).sum() / max(np.sqrt((x**2).sum() * (y**2).sum()), 1e-12))


def interpolated(
    space: LatentSpace, train: np.ndarray, ends: np.ndarray
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Paths between pairs of phrases [n, t], as Roberts et al. 2018 look at theirs (figure 4).

    Returns:
      `between_cost`: the furthest that a Markov chain's nats per event, on average over the paths,
      are from those of the phrases themselves, relative to them; `between_back`: the most that the
      mean distance from either end ever goes back on the way, in shares of the steps of a phrase;
      `between_cost_best`: the first where the likeliest of `BEST` is kept at each point. And the
      curves [i]: `far`, from the first end, `near`, from the last, `cost` and `best_cost` likewise,
      and `mixed_cost`, where each step is taken from one end or the other instead.
    """
    one, other = ends[::2], ends[1::2]
    cost, style = chain(space, train), space.likeliest_style(ends)
    z = jnp.asarray(space.means(ends, style))
    points = np.asarray(slerp(z[::2], z[1::2], jnp.asarray(PATH, jnp.float32)))
    names = ("far", "near", "cost", "best_cost", "mixed_cost")
    curves: dict[str, list[float]] = {name: [] for name in names}
    rng, real = np.random.default_rng(0), cost(ends).mean()
    for share, here in zip(PATH, points, strict=True):
        of = None if style is None else (1 - share) * style[::2] + share * style[1::2]
        music, best = (
            space.phrases(here, style=of, best_of=many) for many in (1, BEST)
        )
        mixed = np.where(rng.random(one.shape) < share, other, one)
        curves["far"].append(float((music != one).mean()))
        curves["near"].append(float((music != other).mean()))
        curves["cost"].append(float(cost(music).mean() / real))
        curves["best_cost"].append(float(cost(best).mean() / real))
        curves["mixed_cost"].append(float(cost(mixed).mean() / real))
    back = max(-np.diff(curves["far"]).min(), np.diff(curves["near"]).max(), 0.0)
    off, least = (
        float(np.abs(np.array(curves[x]) - 1).max()) for x in ("cost", "best_cost")
    )
    figures = {
        "between_cost": off,
        "between_cost_best": least,
        "between_back": float(back),
    }
    return figures, curves


def chain(
    space: LatentSpace, train: np.ndarray, order: int = ORDER
) -> Callable[[np.ndarray], np.ndarray]:
    """Nats per event [n] of phrases [n, t], by a Markov chain counted on those of training."""
    codec = space.melody_codec
    family = Markov(codec.vocab, order, SLOTS, length=codec.length)
    net = family.init(jax.random.key(0), family.example(1))["net"]
    tally = jax.jit(family.count)
    for first in range(0, len(train), 512):
        part = train[first : first + 512]
        every = np.arange(512) < len(part)
        part = np.pad(part, ((0, 512 - len(part)), (0, 0)))
        mask = np.broadcast_to(every[:, None], part.shape)
        net = jax.tree.map(jnp.add, net, tally(net, part, mask))
    log_prob = jax.jit(family.log_prob)
    all_ = lambda rows: jnp.ones(rows.shape, bool)
    return lambda rows: (
        -np.asarray(log_prob({"net": net}, rows, all_(rows))) / rows.shape[1]
    )


def reconstruction(
    model: Model,
    batches: Iterable[Batch],
    particles: tuple[int, ...] = (1, 8, 64),
    seed: int = 0,
) -> dict[str, float]:
    """How well phrases come back, and what that costs; means over the phrases of `batches`.

    Per-step accuracies as in Roberts et al. 2018, table 1: the share of steps whose token is
    reproduced from a z of the posterior, `teacher_forced` by the likeliest token given the true
    ones before it, `sampled` by tokens drawn at temperature 1 after those drawn before. `kl`: the
    rate, in nats per phrase; `active` of the latents say anything; `nll_k`: the importance-weighted
    bound on -log p(x) from k samples, in nats per phrase.
    """
    measure = jax.jit(functools.partial(_measure, model.family, particles))
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
    return figures | {
        "active": float(active_units(jnp.asarray(np.concatenate(means))).sum())
    }


def _measure(
    family: MusicVAE, particles: tuple[int, ...], params: Params, batch: Batch, rng: Key
) -> tuple[dict[str, jax.Array], jax.Array]:
    """The figures of each phrase [n], and its posterior mean [n, z]."""
    tokens, style = batch["tokens"], batch.get("style")
    q = family.encode(params, tokens, style)
    one, two, three = jax.random.split(rng, 3)
    z = q.sample(one)
    _, hit = family.token_log_probs(params, z, tokens, style=style)
    drawn = family.decode(params, two, z, style=style)
    same = (drawn == tokens).reshape(*tokens.shape[:2], -1).mean(axis=(1, 2))
    many = jax.vmap(q.sample)(jax.random.split(three, max(particles)))
    log_p = jax.lax.map(
        lambda z: family.token_log_probs(params, z, tokens, style=style)[0].sum(axis=1),
        many,
    )
    bounds = {
        f"nll_{k}": -importance_weighted_log_prob(log_p[:k], q, many[:k])
        for k in particles
    }
    figures = {
        "accuracy_teacher_forced": hit.mean(axis=1),
        "accuracy_sampled": same,
        "kl": kl_divergence(q).sum(axis=1),
    }
    return figures | bounds, q.mean
