"""What followed like passages, in the training pieces and earlier in this one, note by note.

A network of this size forgets the tunes it was trained on, and chorales share theirs: a fifth of
the frames of JSB's validation split have twelve top notes behind them that a training piece has
too, whose next note is then right nine times in ten. So the network's probability of a note is made
the base of an n-gram model, and contexts c_1, c_2 .. are gone through from the shortest to the
longest (MacKay & Peto 1995; Teh 2006, eq. 10), each with a gate g_i:

    Q_i(x) = (max(n(c_i x) - d_i, 0) + (a_i + d_i u(c_i)) P_{i-1}(x)) / (N(c_i) + a_i)
    P_i(x) = (1 - g_i) P_{i-1}(x) + g_i Q_i(x).

P_0 is the network's, n(c x) how often x has followed c, N(c) how often anything has, and u(c) how
many different notes. A context never seen changes nothing. Every P_i is a distribution over the
same notes given the same past, so the likelihood stays a proper one. (A relative chain may recall a
note beyond the keyboard; the sum is then below one, never above.) Contexts are compared by 64-bit
hashes. Axes: k slot, o context, f frame (of all pieces, one after the other).
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

STEPS = 300  # of descent, to fit the weights
ENOUGH = 8192  # frames to fit them to
GUESS = 2.0, 0.0, -2.0  # before it: log a, and the logits of d and of g

OWN = -1  # the voice that is asked for
START, OUTSIDE, NONE = -1, -2, -3
ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's


@dataclasses.dataclass(frozen=True)
class Chain:
    """Contexts of one frame more each: the notes above, and `voices` (none given: all) `lags` ago.

    `relative`: notes count from the top note of the frame before, so that a passage is known again
    in another key. `own`: what is counted is the piece's own past, not the training pieces.
    """

    lags: tuple[int, ...]
    voices: tuple[int, ...] = ()
    relative: bool = False
    own: bool = False


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Pieces int [t, k] end to end: notes [f, k], and of each frame its place and its piece [f]."""

    notes: np.ndarray
    place: np.ndarray
    piece: np.ndarray


def corpus(pieces: Sequence[np.ndarray]) -> Corpus:
    lengths = [len(piece) for piece in pieces]
    place = np.concatenate([np.arange(n) for n in lengths])
    notes = np.concatenate(pieces).astype(np.int64)
    return Corpus(notes, place, np.repeat(np.arange(len(pieces)), lengths))


def stir(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Hashes [f] of what was hashed before, followed by `values` [f]."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ values.astype(np.int64).view(np.uint64)) * ODD[0]
        mixed = (mixed ^ (mixed >> np.uint64(29))) * ODD[1]
        return mixed ^ (mixed >> np.uint64(32))


def contexts(
    music: Corpus, slot: int, chain: Chain
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """For each order the contexts' hashes and which of them there are, [f]; and the notes [f]."""
    notes, place = music.notes, music.place
    base = (
        np.where(place > 0, np.roll(notes[:, 0], 1), 0) if chain.relative else 0 * place
    )
    seen = lambda values: np.where(values > 0, values - base + 1000, NONE)
    hashes, there = np.zeros(len(place), np.uint64), (base > 0) | (not chain.relative)
    for above in range(slot):
        hashes = stir(hashes, seen(notes[:, above]))
    voices = chain.voices or range(notes.shape[1])
    orders = [(hashes, there)]
    for ago in chain.lags:
        for voice in dict.fromkeys(slot if v == OWN else v for v in voices):
            edge = np.where(place == ago - 1, START, OUTSIDE)
            past = np.where(place >= ago, seen(np.roll(notes[:, voice], ago)), edge)
            hashes = stir(hashes, past)
        orders.append((hashes, there & (place >= ago - 1)))
    return orders, seen(notes[:, slot])


def tally(
    train: Corpus, music: Corpus, slot: int, chains: Sequence[Chain]
) -> np.ndarray:
    """n(c x), N(c) and u(c), float32 [o, f, 3], for each frame's note in `slot`."""
    counts = []
    for chain in chains:
        asked, target = contexts(music, slot, chain)
        known, answer = (asked, target) if chain.own else contexts(train, slot, chain)
        for (context, there), (old, usable) in zip(asked, known, strict=True):
            if chain.own:
                found = so_far(stir(context, music.piece), target, there)
            else:
                found = followed(old[usable], answer[usable], context, target)
            counts.append(np.where(there, found, 0).T)
    order = np.argsort(lengths(chains), kind="stable")
    return np.stack(counts)[order].astype(np.float32)


def lengths(chains: Sequence[Chain]) -> np.ndarray:
    """How many frames each context holds."""
    return np.concatenate([np.arange(len(chain.lags) + 1) for chain in chains])


def followed(
    known: np.ndarray, answer: np.ndarray, context: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Counts [3, f] of `target` after `context`, among the `known` contexts and their `answer`."""

    def count(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
        known = np.sort(known)
        return np.searchsorted(known, asked, "right") - np.searchsorted(
            known, asked, "left"
        )

    pairs = stir(known, answer)
    different = known[np.unique(pairs, return_index=True)[1]]
    n = count(pairs, stir(context, target))
    return np.stack([n, count(known, context), count(different, context)])


def so_far(context: np.ndarray, target: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Counts [3, f] of each `target` after its `context`, among those `there` before it."""

    def count(group: np.ndarray, weight: np.ndarray) -> np.ndarray:
        order = np.argsort(group, kind="stable")
        group, weight = group[order], weight[order]
        total = np.cumsum(weight) - weight.astype(int)
        first = np.concatenate([[True], group[1:] != group[:-1]])
        begin = np.maximum.accumulate(np.where(first, np.arange(len(group)), 0))
        sums = np.empty(len(group))
        sums[order] = total - total[begin]
        return sums

    n = count(stir(context, target), there)
    return np.stack([n, count(context, there), count(context, there & (n == 0))])


def recall(log_p: Array, counts: Array, weights: Array) -> Array:
    """The network's log-probabilities [f] -> those of the last P.

    `counts` are `tally`'s, and `weights` [o, 3] log a, and the logits of d and of g.
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
    """The weights [o, 3] under which the notes are likeliest, held near a guess by a weak prior."""
    guess = jnp.broadcast_to(jnp.array(GUESS), (len(counts), 3))
    tx = optax.adam(optax.cosine_decay_schedule(0.2, STEPS))

    def loss(weights: Array, _: None) -> Array:
        found = recall(log_p, counts, weights)
        prior = ((weights - guess) ** 2).sum() / 20
        return (prior - jnp.where(jnp.isneginf(found), 0.0, found).sum()) / len(log_p)

    return minimize(loss, guess, STEPS, tx)


def some(log_p: Array, counts: Array, frames: np.ndarray) -> tuple[Array, Array]:
    """Every so manyth of the `frames` bool [f], so that about `ENOUGH` are left to fit to."""
    kept = np.flatnonzero(frames)
    kept = kept[:: max(1, len(kept) // ENOUGH)]
    return log_p[kept], counts[:, kept]


def with_ngram_cache(
    chains: Sequence[Chain],
) -> Callable[[Model, Task], dict[str, float]]:
    """Ends an experiment over `NoteTransformer`: its figures with what `chains` recall.

    Weights are fitted on the validation split. Its own figure is that of its odd and even pieces,
    each under the weights that were fitted on the others. The network's figures are `alone`.
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
        train = corpus([notes for notes, _ in rows(whole("train"), family)])
        valid, valid_p = scored(model, family, whole("validation"))
        test, test_p = scored(model, family, whole("test"))
        odd = valid.piece % 2 == 1
        nll = {"valid_nll": 0.0, "test_nll": 0.0}
        for slot in range(family.slots):
            counts, p = jnp.asarray(tally(train, valid, slot, chains)), valid_p[:, slot]
            for part in (odd, ~odd):
                weights = fit(*some(p, counts, ~part))
                nll["valid_nll"] -= float(
                    recall(p[part], counts[:, part], weights).sum()
                )
            weights = fit(*some(p, counts, odd | True))
            counts = jnp.asarray(tally(train, test, slot, chains))
            nll["test_nll"] -= float(recall(test_p[:, slot], counts, weights).sum())
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
    """The pieces of a split, and the network's log-probabilities [f, k] of their notes."""
    score, mesh = jax.jit(family.note_log_probs), sharding.mesh()

    def with_scores() -> Iterator[Batch]:
        for batch in batches:
            tokens = sharding.shard_batch(mesh, batch)["tokens"]
            yield {**batch, "log_p": score(model.params, tokens)[0]}

    notes, log_p = zip(*rows(with_scores(), family), strict=True)
    return corpus(notes), jnp.concatenate(log_p)


def rows(
    batches: Iterable[Batch], family: NoteTransformer
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each piece's notes int [t, k] and, where a batch has them, log-probabilities [t, k]."""
    for batch in batches:
        notes = np.asarray(family.notes(batch["tokens"]))
        log_p = np.asarray(batch.get("log_p", notes))
        for i, kept in enumerate(np.asarray(batch["mask"])):
            if kept.any():
                yield notes[i][kept], log_p[i][kept]
