"""An n-gram cache over the training pieces and the current piece.

A network of this size forgets the tunes it was trained on, and chorales share theirs: a
fifth of the frames of JSB's validation split follow twelve top notes that a training
piece has too, whose next note is then right nine times in ten. Therefore the network's
probability of a note is the base of an n-gram model (a neural cache, Grave et al.
2017). Contexts c_1, c_2, .. are applied from the shortest to the longest (MacKay & Peto
1995; Teh 2006, eq. 10), each with a gate g_i:

    Q_i(x) = (max(n(c_i x) - d_i, 0) + (a_i + d_i u(c_i)) P_{i-1}(x)) / (N(c_i) + a_i)
    P_i(x) = (1 - g_i) P_{i-1}(x) + g_i Q_i(x).

P_0 is the network's distribution, n(c x) the count of x after c, N(c) the count of
anything after c, and u(c) the number of different notes after c. A context that was
never seen changes nothing. Every P_i is a distribution over the same notes given the
same past, so that the likelihood stays a proper one. (A relative chain may predict a
note beyond the keyboard; the sum is then below one, never above.) Contexts are compared
by 64-bit hashes.
Axes: k slot, o context, f frame (of all pieces, one after the other).
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.core import Array, Batch, NoteLikelihood, supports
from zoo.errors import require
from zoo.inference.model import Model
from zoo.models import NoteTransformer
from zoo.tasks.base import Task
from zoo.train import sharding
from zoo.train.minimize import minimize

STEPS = 300  # of gradient descent, to fit the weights
FITTED_FRAMES = 8192  # at most
PRIOR_MEAN = 2.0, 0.0, -2.0  # of log a and the logits of d and g

OWN = -1  # the voice whose note is predicted
START, OUTSIDE, NONE = -1, -2, -3
MULTIPLIERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # splitmix64


@dataclasses.dataclass(frozen=True)
class Chain:
    """A chain of contexts, each one frame longer than the one before.

    A context holds the notes above in the same frame, and notes of earlier frames.
    """

    lags: tuple[int, ...]
    """Distances of the earlier frames, in frames."""
    voices: tuple[int, ...] = ()
    """Voices of the earlier frames; none for all."""
    relative: bool = False
    """True if pitches are relative to the top note of the frame before, so that
    passages match in any key."""
    _: dataclasses.KW_ONLY
    own: bool = False
    """True to count the current piece instead of the training pieces."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Pieces, concatenated.

    Attributes:
      notes: int [f, k].
      place: the index of each frame in its piece, [f].
      piece: the index of each frame's piece, [f].
    """

    notes: np.ndarray
    place: np.ndarray
    piece: np.ndarray


def concatenated(pieces: Sequence[np.ndarray]) -> Corpus:
    """Returns the corpus of pieces int [t, k]."""
    lengths = [len(piece) for piece in pieces]
    place = np.concatenate([np.arange(n) for n in lengths])
    notes = np.concatenate(pieces).astype(np.int64)
    return Corpus(notes, place, np.repeat(np.arange(len(pieces)), lengths))


def combined(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns hashes [f] of sequences that go on with `values` [f]."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ values.astype(np.int64).view(np.uint64)) * MULTIPLIERS[0]
        mixed = (mixed ^ (mixed >> np.uint64(29))) * MULTIPLIERS[1]
        return mixed ^ (mixed >> np.uint64(32))


def contexts(
    music: Corpus, slot: int, chain: Chain
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Returns, for each order, the hashes of contexts and which exist, [f]; and notes
    [f]."""
    notes, place = music.notes, music.place
    base = (
        np.where(place > 0, np.roll(notes[:, 0], 1), 0) if chain.relative else 0 * place
    )
    seen = lambda values: np.where(values > 0, values - base + 1000, NONE)
    hashes, there = np.zeros(len(place), np.uint64), (base > 0) | (not chain.relative)
    for above in range(slot):
        hashes = combined(hashes, seen(notes[:, above]))
    voices = chain.voices or range(notes.shape[1])
    orders = [(hashes, there)]
    for ago in chain.lags:
        for voice in dict.fromkeys(slot if v == OWN else v for v in voices):
            edge = np.where(place == ago - 1, START, OUTSIDE)
            past = np.where(place >= ago, seen(np.roll(notes[:, voice], ago)), edge)
            hashes = combined(hashes, past)
        orders.append((hashes, there & (place >= ago - 1)))
    return orders, seen(notes[:, slot])


def tally(
    train: Corpus, music: Corpus, slot: int, chains: Sequence[Chain]
) -> np.ndarray:
    """Returns n(c x), N(c) and u(c), float32 [o, f, 3], of each frame's note in
    `slot`."""
    counts = []
    for chain in chains:
        queries, target = contexts(music, slot, chain)
        if chain.own:
            for context, exists in queries:
                own = combined(context, music.piece)
                count = counts_so_far(own, target, exists)
                counts.append(np.where(exists, count, 0).T)
            continue
        trained, answer = contexts(train, slot, chain)
        for (context, exists), (old, usable) in zip(queries, trained, strict=True):
            count = counts_after(old[usable], answer[usable], context, target)
            counts.append(np.where(exists, count, 0).T)
    order = np.argsort(lengths(chains), kind="stable")
    return np.stack(counts)[order].astype(np.float32)


def lengths(chains: Sequence[Chain]) -> np.ndarray:
    """Returns the number of frames in each context, [o]."""
    return np.concatenate([np.arange(len(chain.lags) + 1) for chain in chains])


def counts_after(
    trained: np.ndarray, answer: np.ndarray, context: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Returns n, N and u [3, f] of `target` after `context`, from trained contexts."""

    def count(values: np.ndarray, queries: np.ndarray) -> np.ndarray:
        values = np.sort(values)
        after = np.searchsorted(values, queries, "right")
        return after - np.searchsorted(values, queries, "left")

    pairs = combined(trained, answer)
    different = trained[np.unique(pairs, return_index=True)[1]]
    n = count(pairs, combined(context, target))
    return np.stack([n, count(trained, context), count(different, context)])


def counts_so_far(
    context: np.ndarray, target: np.ndarray, exists: np.ndarray
) -> np.ndarray:
    """Returns n, N and u [3, f] of each target after its context, earlier in the
    piece."""

    def count(group: np.ndarray, weight: np.ndarray) -> np.ndarray:
        order = np.argsort(group, kind="stable")
        group, weight = group[order], weight[order]
        total = np.cumsum(weight) - weight.astype(int)
        first = np.concatenate([[True], group[1:] != group[:-1]])
        begin = np.maximum.accumulate(np.where(first, np.arange(len(group)), 0))
        sums = np.empty(len(group))
        sums[order] = total - total[begin]
        return sums

    n = count(combined(context, target), exists)
    new = count(context, exists & (n == 0))
    return np.stack([n, count(context, exists), new])


def interpolated(log_p: Array, counts: Array, weights: Array) -> Array:
    """Returns the log-probabilities [f] of the last P, from the network's.

    Args:
      log_p: log-probabilities of the network, [f].
      counts: n, N and u of each context, [o, f, 3]; see `tally`.
      weights: log a and the logits of d and g, [o, 3].
    """

    def context(p: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        (n, total, different), (a, d, g) = now[0].T, now[1]
        a, d, g = jnp.exp(a), jax.nn.sigmoid(d), jax.nn.sigmoid(g)
        q = (jnp.maximum(n - d, 0) + (a + d * different) * p) / (total + a)
        return jnp.where(total > 0, p + g * (q - p), p), None

    p, _ = jax.lax.scan(context, jnp.exp(log_p), (counts, weights))
    return jnp.where(jnp.isneginf(log_p), log_p, jnp.log(p))


@jax.jit
def fit(log_p: Array, counts: Array) -> Array:
    """Returns the weights [o, 3] of highest posterior, under a weak Gaussian prior."""
    mean = jnp.broadcast_to(jnp.array(PRIOR_MEAN), (len(counts), 3))
    tx = optax.adam(optax.cosine_decay_schedule(0.2, STEPS))

    def loss(weights: Array, _: None) -> Array:
        likelihood = interpolated(log_p, counts, weights)
        prior = ((weights - mean) ** 2).sum() / 20
        finite = jnp.where(jnp.isneginf(likelihood), 0.0, likelihood)
        return (prior - finite.sum()) / len(log_p)

    return minimize(loss, mean, STEPS, tx)


def spaced(log_p: Array, counts: Array, frames: np.ndarray) -> tuple[Array, Array]:
    """Returns evenly spaced ones of the `frames` bool [f], about `FITTED_FRAMES`."""
    kept = np.flatnonzero(frames)
    kept = kept[:: max(1, len(kept) // FITTED_FRAMES)]
    return log_p[kept], counts[:, kept]


def with_ngram_cache(
    chains: Sequence[Chain],
) -> Callable[[Model, Task], dict[str, float]]:
    """Returns an evaluation of a NoteTransformer with an n-gram cache.

    Weights are fitted on the validation split. Its own likelihood is that of odd and
    even pieces, each under weights fitted on the others. Metrics of the network without
    the cache end in `alone`.
    """

    def evaluate(model: Model, task: Task) -> dict[str, float]:
        family = model.family
        require(
            supports(family, NoteLikelihood),
            f"the n-gram cache needs the probability of each note, which "
            f"{model.name} has not: give a NoteTransformer.",
        )
        process = jax.process_index(), jax.process_count()
        whole = lambda split: task.eval_batches(split, process=process)
        train = concatenated([notes for notes, _ in rows(whole("train"), family)])
        valid, valid_p = scored(model, family, whole("validation"))
        test, test_p = scored(model, family, whole("test"))
        odd = valid.piece % 2 == 1
        nll = {"valid_nll": 0.0, "test_nll": 0.0}
        for slot in range(family.slots):
            counts, p = jnp.asarray(tally(train, valid, slot, chains)), valid_p[:, slot]
            for part in (odd, ~odd):
                weights = fit(*spaced(p, counts, ~part))
                nll["valid_nll"] -= float(
                    interpolated(p[part], counts[:, part], weights).sum()
                )
            weights = fit(*spaced(p, counts, odd | True))
            counts = jnp.asarray(tally(train, test, slot, chains))
            nll["test_nll"] -= float(
                interpolated(test_p[:, slot], counts, weights).sum()
            )
        nll["valid_nll_alone"] = -float(valid_p.sum())
        nll["test_nll_alone"] = -float(test_p.sum())
        values = 1 if family.roll else family.slots
        events = {"valid": len(valid_p) * values, "test": len(test_p) * values}
        return {
            name: total / events[name.partition("_")[0]] for name, total in nll.items()
        }

    return evaluate


def scored(
    model: Model, family: NoteTransformer, batches: Iterable[Batch]
) -> tuple[Corpus, Array]:
    """Returns the pieces of a split, and the network's log-probabilities [f, k]."""
    log_probs, mesh = jax.jit(family.note_log_probs), sharding.mesh()

    def with_log_probs() -> Iterator[Batch]:
        for batch in batches:
            tokens = sharding.shard_batch(mesh, batch)["tokens"]
            yield {**batch, "log_p": log_probs(model.params, tokens)[0]}

    notes, log_p = zip(*rows(with_log_probs(), family), strict=True)
    return concatenated(notes), jnp.concatenate(log_p)


def rows(
    batches: Iterable[Batch], family: NoteTransformer
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the notes int [t, k] of each piece, and log-probabilities [t, k] if
    known."""
    for batch in batches:
        notes = np.asarray(family.notes(batch["tokens"]))
        log_p = np.asarray(batch.get("log_p", notes))
        for i, kept in enumerate(np.asarray(batch["mask"])):
            if kept.any():
                yield notes[i][kept], log_p[i][kept]
