"""What the streams of a codec look like: an automaton, and a memory of the keys that are down.

A codec states its rules as a function from where a stream stands to what may come next; `explore`
makes tables of them. A sampler that draws by the tables (`zoo.nn.sequence.grammar`) writes nothing but
music. Axes: s node, v vocabulary, t step.
"""

import functools
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import sparse

BOUNDARY = 0  # ends a piece: the token 0 of every event stream in the package
NONE = -1
NEVER = np.iinfo(np.int16).max

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Grammar:
    """Node 0 is where a stream begins.

    What an automaton cannot count is which keys are down. A token that strikes a key needs it up,
    one that lifts it needs it down, BOUNDARY needs them all up. While no time passes, keys are
    lifted in the order in which they were struck, and struck in the order of their tokens.
    """

    follow: (
        np.ndarray
    )  # int32 [s, v]: the node after a token, NONE where it is forbidden
    stops: np.ndarray  # bool [s]: whether what ends, or is cut, at a node is music
    strikes: np.ndarray  # int32 [v]: the key that a token strikes, or NONE
    lifts: np.ndarray  # int32 [v]: the key that a token lifts, or NONE
    passes: np.ndarray  # bool [v]: the tokens in which time passes

    @functools.cached_property
    def needs(self) -> np.ndarray:
        """int16 [s, v]: the fewest events after a token until the piece may stop, or NEVER."""
        node, token = np.nonzero(self.follow != NONE)
        stops = np.flatnonzero(self.stops)
        exit_ = len(self.stops)  # a node beyond the last, to which every stop leads
        into = np.append(self.follow[node, token], np.full(len(stops), exit_))
        edges = np.ones(len(into), bool), (into, np.append(node, stops))
        back = sparse.csr_matrix(edges, (exit_ + 1, exit_ + 1))
        away = sparse.csgraph.dijkstra(back, indices=exit_, unweighted=True) - 1
        least = np.minimum(away, NEVER).astype(np.int16)
        return np.where(self.follow == NONE, NEVER, least[self.follow])

    @functools.cached_property
    def heralds(self) -> np.ndarray:
        """bool [v]: the tokens after which nothing but a strike may come."""
        legal = self.follow != NONE
        eager = legal.any(axis=1) & ~legal[:, self.strikes == NONE].any(axis=1)
        return (legal & eager[self.follow]).any(axis=0)

    def wrong(self, tokens: np.ndarray) -> int | None:
        """The place of the first event of `tokens` [t] that may not stand there, or None."""
        node, order = 0, _Order(self)
        for t, token in enumerate(np.asarray(tokens).tolist()):
            known = 0 <= token < self.follow.shape[1]
            if (
                not known
                or self.follow[node, token] == NONE
                or not order.take(token, t)
            ):
                return t
            node = self.follow[node, token]
        return None

    def room(self, tokens: np.ndarray) -> int:
        """The fewest events that a piece beginning with legal `tokens` [t] has."""
        node, more = 0, 1 + int(self.needs[0].min())
        for token in np.asarray(tokens).tolist():
            more = int(self.needs[node, token])
            node = self.follow[node, token]
        return len(tokens) + more


class _Order:
    """The keys that are down, and the order in which they are struck and lifted."""

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        self.down: dict[int, int] = {}  # when each key was struck
        self.struck = self.lifted = (
            NONE  # since time last passed: the latest token, and `down`
        )

    def take(self, token: int, t: int) -> bool:
        """Note event `t`, or say that it may not be."""
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
    rules: Callable[[State], Mapping[int, State]],
    stops: Callable[[State], bool],
    kinds: np.ndarray,
    *,
    strikes: Iterable[int] = (),
    lifts: Iterable[int] = (),
    passes: Iterable[int] = (),
) -> Grammar:
    """The grammar of every state that can be reached from `start`.

    Args:
      rules: what may come next, by kind of token, and the state after it.
      stops: whether a stream that ends, or is cut, in a state is a piece with notes.
      kinds: int [v], the kind of each token.
      strikes, lifts: the tokens that strike, and lift, the keys 0, 1 ...
      passes: the tokens in which time passes.
    """
    numbers, states, rows = {start: 0}, [start], []
    for state in states:  # which grows meanwhile
        row = np.full(int(kinds.max()) + 1, NONE, np.int32)
        for kind, after in rules(state).items():
            if after not in numbers:
                numbers[after] = len(states)
                states.append(after)
            row[kind] = numbers[after]
        rows.append(row)
    striking, lifting = np.full((2, len(kinds)), NONE, np.int32)
    for table, tokens in ((striking, strikes), (lifting, lifts)):
        for key, token in enumerate(tokens):
            table[token] = key
    follow, stopping = (
        np.stack(rows)[:, kinds],
        np.array([stops(state) for state in states]),
    )
    passing = np.isin(np.arange(len(kinds)), list(passes))
    return Grammar(follow, stopping, striking, lifting, passing)


def both(one: Grammar, other: Grammar) -> Grammar:
    """The streams that are in the two grammars, of which one at most has keys."""
    a, b = one.follow[:, None], other.follow[None]
    pair = np.where((a == NONE) | (b == NONE), NONE, a * len(other.stops) + b)
    follow = pair.reshape(-1, a.shape[-1])
    stops = (one.stops[:, None] & other.stops[None]).reshape(-1)
    strikes, lifts = (
        np.maximum(one.strikes, other.strikes),
        np.maximum(one.lifts, other.lifts),
    )
    return Grammar(follow, stops, strikes, lifts, one.passes | other.passes)
