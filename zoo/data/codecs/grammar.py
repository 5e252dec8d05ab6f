"""Grammars of event streams: an automaton, and a memory of which keys are down.

A codec states its grammar as a function from the state of a stream to the tokens that
may follow. `explore` turns this function into tables. A sampler that masks its logits
by these tables (`zoo.nn.sequence.grammar`) writes only streams that decode to music.
Axes: s node of the automaton, v vocabulary, t event.
"""

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy import sparse

BOUNDARY = 0  # ends a piece: the token 0 of every event stream in the package
NONE = -1
NEVER = np.iinfo(np.int16).max

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, eq=False, kw_only=True)
class Grammar:
    """The legal streams of a codec, as tables. A stream begins in node 0.

    An automaton cannot count which keys are down, so these are remembered beside it. A
    token that strikes a key is legal only if the key is up, a token that lifts a key
    only if it is down, and BOUNDARY only if all keys are up. While no time passes, keys
    are lifted in the order in which they were struck, and struck in the order of their
    tokens.

    Attributes:
      follow: int32 [s, v], the node after a token, or NONE if the token is illegal.
      stops: bool [s], whether a stream that ends, or is cut, in a node is a piece.
      strikes: int32 [v], the key that a token strikes, or NONE.
      lifts: int32 [v], the key that a token lifts, or NONE.
      passes: bool [v], the tokens in which time passes.
    """

    follow: np.ndarray
    stops: np.ndarray
    strikes: np.ndarray
    lifts: np.ndarray
    passes: np.ndarray

    @functools.cached_property
    def needs(self) -> np.ndarray:
        """int16 [s, v], the fewest events after a token until the piece may end.

        NEVER if the token is illegal or no such end can be reached.
        """
        node, token = np.nonzero(self.follow != NONE)
        stops = np.flatnonzero(self.stops)
        exit_ = len(self.stops)  # an additional node, to which every stop leads
        into = np.append(self.follow[node, token], np.full(len(stops), exit_))
        edges = np.ones(len(into), bool), (into, np.append(node, stops))
        reversed_edges = sparse.csr_matrix(edges, (exit_ + 1, exit_ + 1))
        distance = sparse.csgraph.dijkstra(
            reversed_edges, indices=exit_, unweighted=True
        )
        fewest = np.minimum(distance - 1, NEVER).astype(np.int16)
        return np.where(self.follow == NONE, NEVER, fewest[self.follow])

    @functools.cached_property
    def heralds(self) -> np.ndarray:
        """bool [v], the tokens after which only a key may be struck."""
        legal = self.follow != NONE
        must_strike = legal.any(axis=1) & ~legal[:, self.strikes == NONE].any(axis=1)
        return (legal & must_strike[self.follow]).any(axis=0)

    def first_illegal(self, tokens: np.ndarray) -> int | None:
        """Returns the index of the first illegal event of `tokens` [t], or None."""
        node, keys = 0, _Keys(self)
        vocab = self.follow.shape[1]
        for t, token in enumerate(np.asarray(tokens).tolist()):
            if not 0 <= token < vocab or self.follow[node, token] == NONE:
                return t
            if not keys.accept(token, t):
                return t
            node = self.follow[node, token]
        return None

    def min_length(self, tokens: np.ndarray) -> int:
        """Returns the fewest events of a piece that begins with legal `tokens` [t]."""
        node, more = 0, 1 + int(self.needs[0].min())
        for token in np.asarray(tokens).tolist():
            more = int(self.needs[node, token])
            node = self.follow[node, token]
        return len(tokens) + more


class _Keys:
    """The keys that are down, and the order in which they are struck and lifted."""

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        self.down: dict[int, int] = {}  # the event at which each key was struck
        # Since time last passed: the last striking token, and the onset of the last key
        # lifted.
        self.struck = self.lifted = NONE

    def accept(self, token: int, t: int) -> bool:
        """Updates the keys by event `t`; returns False if the event is illegal."""
        strike, lift = int(self.grammar.strikes[token]), int(self.grammar.lifts[token])
        if token == BOUNDARY:
            return not self.down
        if self.grammar.passes[token]:
            self.struck = self.lifted = NONE
        if strike != NONE:
            if strike in self.down or token <= self.struck:
                return False
            self.down[strike], self.struck = t, token
        if lift != NONE:
            if self.down.get(lift, NONE) <= self.lifted:
                return False
            self.lifted = self.down.pop(lift)
        return True


def explore(
    start: State,
    transitions: Callable[[State], Mapping[int, State]],
    stops: Callable[[State], bool],
    kinds: np.ndarray,
    *,
    strikes: Iterable[int] = (),
    lifts: Iterable[int] = (),
    passes: Iterable[int] = (),
) -> Grammar:
    """Builds the grammar of all states that can be reached from `start`.

    Args:
      start: the state at the beginning of a stream.
      transitions: returns the legal kinds of token in a state, with the next states.
      stops: returns whether a stream that ends, or is cut, in a state is a piece.
      kinds: int [v], the kind of each token.
      strikes: the tokens that strike the keys 0, 1, ..
      lifts: the tokens that lift the keys 0, 1, ..
      passes: the tokens in which time passes.
    """
    numbers, states, rows = {start: 0}, [start], []
    for state in states:  # the list grows meanwhile
        row = np.full(int(kinds.max()) + 1, NONE, np.int32)
        for kind, after in transitions(state).items():
            if after not in numbers:
                numbers[after] = len(states)
                states.append(after)
            row[kind] = numbers[after]
        rows.append(row)
    return Grammar(
        follow=np.stack(rows)[:, kinds],
        stops=np.array([stops(state) for state in states]),
        strikes=_key_table(len(kinds), strikes),
        lifts=_key_table(len(kinds), lifts),
        passes=np.isin(np.arange(len(kinds)), list(passes)),
    )


def _key_table(vocab: int, tokens: Iterable[int]) -> np.ndarray:
    """Returns int32 [v], the index of each token in `tokens`, or NONE."""
    table = np.full(vocab, NONE, np.int32)
    for key, token in enumerate(tokens):
        table[token] = key
    return table


def padded(grammar: Grammar, size: int) -> Grammar:
    """Returns a grammar of `size` nodes, of which the additional ones are not reached.

    Programs that are compiled for one grammar serve all others of its size.
    """
    more = size - len(grammar.stops)
    return replace(
        grammar,
        follow=np.pad(grammar.follow, ((0, more), (0, 0)), constant_values=NONE),
        stops=np.pad(grammar.stops, (0, more)),
    )


def intersection(one: Grammar, other: Grammar) -> Grammar:
    """Returns the grammar of the streams that are legal in two grammars.

    At most one of the two has keys.
    """
    a, b = one.follow[:, None], other.follow[None]
    pair = np.where((a == NONE) | (b == NONE), NONE, a * len(other.stops) + b)
    return Grammar(
        follow=pair.reshape(-1, a.shape[-1]),
        stops=(one.stops[:, None] & other.stops[None]).reshape(-1),
        strikes=np.maximum(one.strikes, other.strikes),
        lifts=np.maximum(one.lifts, other.lifts),
        passes=one.passes | other.passes,
    )
