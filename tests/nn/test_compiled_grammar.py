"""The grammar on the device against the codec's, and samples against the decoder."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.core import BOUNDARY
from zoo.data.codecs import Melody, Performance
from zoo.data.codecs.grammar import explore
from zoo.models import LSTM
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw, generate

CODECS = (Melody(), Performance())
TABLES = {codec: codec.grammar() for codec in CODECS}
codecs = pytest.mark.parametrize("codec", CODECS, ids=lambda x: type(x).__name__)


def piece(row):
    """The events of a row, without its end."""
    return row[: np.argmax(row == BOUNDARY)] if BOUNDARY in row else row


@functools.cache
def untrained(codec, length):
    model = LSTM(vocab=codec.vocab, embed=4, width=8, layers=1, length=length)
    params = jax.jit(lambda: model.init(jax.random.key(0), model.example(1)))()
    return params, jax.jit(model.sample, static_argnames=("n", "draw"))


def samples(codec, n, limit, *, length=32, seed=0, **kwargs):
    params, sample = untrained(codec, length)
    grammar = Grammar.from_tables(TABLES[codec]).with_limit(limit)
    return np.asarray(
        sample(params, jax.random.key(seed), n, grammar=grammar, **kwargs)
    )


@pytest.mark.parametrize(
    ("codec", "length"), [*zip(CODECS, (32, 12), strict=True)], ids=["m", "p"]
)
def test_ten_thousand_samples_of_an_untrained_model_are_music(codec, length):
    """Rows are short, and one in ten is written again, for the sake of time."""
    rows = samples(codec, 10_000, length, length=length)
    scores = [codec.decode(row) for row in rows]
    assert all(score.notes for score in scores)
    for score in scores[::10]:
        codec.encode(score)


@codecs
@pytest.mark.parametrize("limit", [3, 4, 11, 31])
def test_samples_of_any_length_are_music(codec, limit):
    rows = samples(codec, 300, limit)
    assert max(len(piece(row)) for row in rows) <= limit
    for row in rows:
        assert codec.decode(row[:limit]).notes
        assert TABLES[codec].wrong(row[:limit][: len(piece(row)) + 1]) is None


def test_a_performance_that_ends_comes_back_event_by_event():
    """A model that likes to let go of keys and to end."""
    codec = CODECS[1]
    likes = np.ones(codec.vocab, np.float32)
    likes[129:257], likes[BOUNDARY] = 300, 3e4
    grammar = Grammar.from_tables(TABLES[codec])
    step = lambda state, token: (
        state,
        jnp.broadcast_to(jnp.log(likes), (500, codec.vocab)),
    )
    draw = jax.jit(
        lambda: generate(step, (), jax.random.key(1), 500, 64, grammar=grammar)
    )
    rows = np.asarray(draw())
    ended = [np.append(piece(row), BOUNDARY) for row in rows if BOUNDARY in row]
    assert len(ended) > 100
    assert len({len(row) for row in ended}) > 5
    for row in ended:
        np.testing.assert_array_equal(codec.encode(codec.decode(row)), row)


def pedals(most):
    """Three keys; time passes; a herald (8) promises a key; at most so many strikes."""

    def rules(at):
        count, heralded = at
        after = {1: (count + 1, False)} if count < most else {}
        if heralded or count < 0:
            return after if count >= 0 else {}
        after |= {8: (count, True)} if count < most else {}
        return after | {4: at, 7: at, BOUNDARY: (-1, False)}

    kinds = np.array([0, 1, 1, 1, 4, 4, 4, 7, 8])
    keys = {"strikes": (1, 2, 3), "lifts": (4, 5, 6), "passes": (7,)}
    return explore((0, False), rules, lambda at: at[0] != 0, kinds, **keys)


def test_it_allows_what_the_tables_allow():
    """Walks over a small grammar; at every event each token is tried."""
    tables = pedals(6)
    vocab, n, length = len(tables.strikes), 60, 24
    grammar, rng = Grammar.from_tables(tables), np.random.default_rng(0)
    allow, advance = jax.jit(grammar.allow), jax.jit(grammar.advance)
    place = jax.jit(grammar.start, static_argnums=(0, 1))(n, length)
    streams, seen = [[] for _ in range(n)], 0
    for _ in range(length):
        allowed, tokens = np.asarray(allow(place)), []
        for stream, legal in zip(streams, allowed, strict=True):
            if BOUNDARY in stream:
                tokens.append(BOUNDARY)
                continue
            for token in range(vocab):
                longer = np.array([*stream, token])
                possible = (
                    tables.wrong(longer) is None and tables.room(longer) <= length
                )
                if token == 8 and possible:  # a key must be left to strike
                    possible = any(
                        tables.wrong(np.append(longer, x)) is None for x in (1, 2, 3)
                    )
                assert legal[token] == possible, (stream, token)
            seen += 1
            tokens.append(
                int(rng.choice(np.flatnonzero(legal))) if legal.any() else BOUNDARY
            )
            stream.append(tokens[-1])
        place = advance(place, np.array(tokens))
    assert seen > 300
    assert {len(stream) for stream in streams} > {length, 3}


def test_rows_forced_out_of_the_grammar_are_free():
    codec = CODECS[0]
    primer = np.array([1, 1, 1])  # holds nothing, in no metre
    rows = samples(codec, 64, 32, primer=primer)
    assert (rows[:, :3] == 1).all()
    assert any(
        TABLES[codec].wrong(np.append([3], row)) is not None for row in rows[:, 3:]
    )


def test_a_primer_is_gone_on_from_as_the_grammar_has_it():
    codec = CODECS[0]
    primer = np.array([5, 40, 1, 1])  # 4/4
    for row in samples(codec, 64, 32, primer=primer):
        assert row[:4].tolist() == [5, 40, 1, 1]
        assert TABLES[codec].wrong(row[: len(piece(row)) + 1]) is None


def test_the_limit_changes_little_and_compiles_nothing():
    """Rows within 24 events are those within 32, up to where room runs out."""
    codec = CODECS[0]
    long, short = (
        samples(codec, 64, limit, draw=Draw(top_p=0.95)) for limit in (32, 24)
    )
    np.testing.assert_array_equal(long[:, :20], short[:, :20])
    assert not short[:, 24:].any()
