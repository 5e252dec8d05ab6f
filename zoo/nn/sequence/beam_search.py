"""Beam search: the likeliest events, instead of drawn ones (Lowerre 1976; Graves 2012).

Axes: k beam, t step, v vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array
from zoo.nn.sequence.constraints import Bounds, Course
from zoo.nn.sequence.grammar import Grammar

State = TypeVar("State")


class Beams(NamedTuple):
    """What is kept, the best first."""

    tokens: Array  # int32 [k, t]
    log_prob: Array  # float32 [k], in nats; minus infinity where there is nothing
    size: Array  # int32 [k], events so far
    ended: Array  # bool [k]
    state: Any  # the model's, each leaf [k, ...]
    course: Course


def beam(
    step: Callable[[State, Array], tuple[State, Array]],
    state: State,
    width: int,
    length: int,
    *,
    primer: Array | None = None,
    grammar: Grammar | None = None,
    no_repeat: int | None = None,
    alpha: float = 0.0,
) -> tuple[Array, Array]:
    """Keeps, after each event, the `width` best of all beginnings that go on from those kept.

    A beam that has ended keeps its place until better ones take it. With `width` at least
    v ** `length` nothing is ever left out, and the first row is the likeliest there is.

    Args:
      step: one step of the model, (state, token [1]) -> (state, logits [1, v]).
      state: the state of one row before its first event.
      primer: int [p], the events that every beam begins with; their likelihood counts.
      grammar: what may come where; forced events are taken as they are.
      no_repeat: events of which no run may come twice in a row; see `Draw`.
      alpha: beams compare by log-likelihood / ((5 + events) / 6) ** alpha (Wu et al. 2016, eq. 14).
        At 0 the likelihoods themselves decide, and short pieces win.

    Returns:
      Tokens int32 [width, length], the best first, and their log-likelihoods, float32 [width], in
      nats: minus infinity for rows past the last possible one.
    """
    bounds = Bounds(grammar, no_repeat)
    forced = jnp.full((length,), BOUNDARY, jnp.int32)
    if primer is not None:
        forced = forced.at[: len(primer)].set(primer[:length].astype(jnp.int32))

    def one(state: State, token: Array) -> tuple[State, Array]:
        state, logits = step(state, token[None])
        return state, logits[0]

    def event(now: tuple[Array, Beams]) -> tuple[Array, Beams]:
        t, beams = now
        before = jnp.where(t > 0, beams.tokens[:, t - 1], BOUNDARY)
        state, logits = jax.vmap(one)(beams.state, before)
        log_p, vocab = jax.nn.log_softmax(logits.astype(jnp.float32)), logits.shape[-1]
        given = jnp.where(jnp.arange(vocab)[None] == forced[t], log_p, -jnp.inf)
        log_p = jnp.where(
            forced[t] == BOUNDARY, bounds.mask(beams.course, log_p), given
        )
        silence = jnp.where(jnp.arange(vocab) == BOUNDARY, 0.0, -jnp.inf)
        log_p = beams.log_prob[:, None] + jnp.where(
            beams.ended[:, None], silence[None], log_p
        )
        size = beams.size + ~beams.ended
        _, best = jax.lax.top_k(
            (log_p / ((5 + size) / 6)[:, None] ** alpha).reshape(-1), width
        )
        parent, token = jnp.divmod(best, vocab)
        tokens, size, state, course = jax.tree.map(
            lambda x: x[parent], (beams.tokens, size, state, beams.course)
        )
        log_prob = log_p.reshape(-1)[best]
        token = jnp.where(jnp.isinf(log_prob), BOUNDARY, token)
        tokens, course = tokens.at[:, t].set(token), bounds.advance(course, token)
        return t + 1, Beams(tokens, log_prob, size, token == BOUNDARY, state, course)

    def unfinished(now: tuple[Array, Beams]) -> Array:
        return (now[0] < length) & ~now[1].ended.all()

    first = jnp.arange(width) == 0
    beams = Beams(
        tokens=jnp.full((width, length), BOUNDARY, jnp.int32),
        log_prob=jnp.where(first, 0.0, -jnp.inf),
        size=jnp.zeros((width,), jnp.int32),
        ended=~first,
        state=jax.tree.map(
            lambda x: jnp.broadcast_to(x[None], (width, *x.shape)), state
        ),
        course=bounds.start(width, length),
    )
    _, beams = jax.lax.while_loop(unfinished, event, (jnp.int32(0), beams))
    return beams.tokens, beams.log_prob
