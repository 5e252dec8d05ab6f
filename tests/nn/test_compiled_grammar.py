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
    """Returns the events of a row before its end."""
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
def test_samples_of_an_untrained_model_decode(codec, length):
    """Rows are short, and one in ten is encoded again, to save time."""
    rows = samples(codec, 10_000, length, length=length)
    scores = [codec.decode(row) for row in rows]
    assert all(score.notes for score in scores)
    for score in scores[::10]:
        codec.encode(score)


@codecs
@pytest.mark.parametrize("limit", [3, 4, 11, 31])
def test_samples_of_any_length_decode(codec, limit):
    rows = samples(codec, 300, limit)
    assert max(len(piece(row)) for row in rows) <= limit
    for row in rows:
        assert codec.decode(row[:limit]).notes
        assert TABLES[codec].first_illegal(row[:limit][: len(piece(row)) + 1]) is None


def test_a_finished_performance_is_encoded_as_its_events():
    """The model prefers to lift keys and to end."""
    codec = CODECS[1]
    mass = np.ones(codec.vocab, np.float32)
    mass[129:257], mass[BOUNDARY] = 300, 3e4
    grammar = Grammar.from_tables(TABLES[codec])
    step = lambda state, token: (
        state,
        jnp.broadcast_to(jnp.log(mass), (500, codec.vocab)),
    )
    draw = jax.jit(
        lambda: generate(step, (), jax.random.key(1), 500, length=64, grammar=grammar)
    )
    rows = np.asarray(draw())
    ended = [np.append(piece(row), BOUNDARY) for row in rows if BOUNDARY in row]
    assert len(ended) > 100
    assert len({len(row) for row in ended}) > 5
    for row in ended:
        np.testing.assert_array_equal(codec.encode(codec.decode(row)), row)


def small_grammar(max_strikes):
    """Returns the grammar of three keys, a time shift, and a token 8 before a
    note-on."""

    def follow(state):
        count, heralded = state
        after = {1: (count + 1, False)} if count < max_strikes else {}
        if heralded or count < 0:
            return after if count >= 0 else {}
        after |= {8: (count, True)} if count < max_strikes else {}
        return after | {4: state, 7: state, BOUNDARY: (-1, False)}

    kinds = np.array([0, 1, 1, 1, 4, 4, 4, 7, 8])
    keys = {"strikes": (1, 2, 3), "lifts": (4, 5, 6), "passes": (7,)}
    return explore((0, False), follow, lambda state: state[0] != 0, kinds, **keys)


def test_allowed_tokens_equal_those_of_the_tables():
    """Random walks over a small grammar; at every event each token is tried."""
    tables = small_grammar(6)
    vocab, n, length = len(tables.strikes), 60, 24
    grammar, rng = Grammar.from_tables(tables), np.random.default_rng(0)
    allow, advance = jax.jit(grammar.allow), jax.jit(grammar.advance)
    state = jax.jit(grammar.start, static_argnums=(0, 1))(n, length)
    streams, count = [[] for _ in range(n)], 0
    for _ in range(length):
        allowed, tokens = np.asarray(allow(state)), []
        for stream, legal in zip(streams, allowed, strict=True):
            if BOUNDARY in stream:
                tokens.append(BOUNDARY)
                continue
            for token in range(vocab):
                longer = np.array([*stream, token])
                possible = (
                    tables.first_illegal(longer) is None
                    and tables.min_length(longer) <= length
                )
                if token == 8 and possible:  # a key must be free to strike
                    possible = any(
                        tables.first_illegal(np.append(longer, x)) is None
                        for x in (1, 2, 3)
                    )
                assert legal[token] == possible, (stream, token)
            count += 1
            tokens.append(
                int(rng.choice(np.flatnonzero(legal))) if legal.any() else BOUNDARY
            )
            stream.append(tokens[-1])
        state = advance(state, np.array(tokens))
    assert count > 300
    assert {len(stream) for stream in streams} > {length, 3}


def test_rows_with_an_illegal_primer_are_unconstrained():
    codec = CODECS[0]
    primer = np.array([1, 1, 1])  # HOLD without a note, without a metre
    rows = samples(codec, 64, 32, primer=primer)
    assert (rows[:, :3] == 1).all()
    assert any(
        TABLES[codec].first_illegal(np.append([3], row)) is not None
        for row in rows[:, 3:]
    )


def test_a_primer_is_continued_by_the_grammar():
    codec = CODECS[0]
    primer = np.array([5, 40, 1, 1])  # 4/4
    for row in samples(codec, 64, 32, primer=primer):
        assert row[:4].tolist() == [5, 40, 1, 1]
        assert TABLES[codec].first_illegal(row[: len(piece(row)) + 1]) is None


def test_a_lower_limit_changes_only_the_end():
    codec = CODECS[0]
    long, short = (
        samples(codec, 64, limit, draw=Draw(top_p=0.95)) for limit in (32, 24)
    )
    np.testing.assert_array_equal(long[:, :20], short[:, :20])
    assert not short[:, 24:].any()
