"""Ways about a latent space, with a model that has one and has learnt nothing."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from small_models import with_thirds

from zoo.data.batching.batches import packed_eval_batches
from zoo.data.codecs import Phrase
from zoo.data.pieces import InMemoryPieces
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.evaluation.vae import reconstruction
from zoo.inference.latent_space import LatentSpace
from zoo.inference.model import Model
from zoo.metrics.attributes import ATTRIBUTES
from zoo.models import LSTM, LatentDiffusion, MusicVAE
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
CODEC = Phrase(bars=1)
FAMILY = MusicVAE(CODEC.vocab, 1, CODEC.bar, latent=4, encoder=(8,), decoder=(8,))
encode = jax.jit(FAMILY.encode)


@functools.partial(jax.jit, static_argnums=0)
def born(family):
    return family.init(KEY, family.example(1))


@functools.partial(jax.jit, static_argnums=0)
def bound(family, params, phrases, *style):
    family = dataclasses.replace(family, particles=4)
    return family.log_prob(params, phrases, np.ones(phrases.shape, bool), *style)


@pytest.fixture(scope="module")
def space():
    params = born(FAMILY)
    kernel = params["encoder"]["mean"]["kernel"]
    params["encoder"]["mean"]["kernel"] = jax.random.normal(KEY, kernel.shape)
    return LatentSpace(Model(FAMILY, params, CODEC))


def tune(pitches, bars=2):
    score = NoteSequence()
    score.time_signatures.add(numerator=4, denominator=4)
    for i, pitch in enumerate(pitches):
        score.notes.add(
            start_time=i / 2, end_time=(i + 1) / 2, pitch=pitch, velocity=80
        )
    score.total_time = 2.0 * bars
    return score


ONE, OTHER = tune([60, 62, 64, 65] * 2), tune([72, 60, 72, 60] * 2)


def test_ends_of_a_path_are_the_pieces(space):
    path = space.interpolate(ONE, OTHER, 5)
    assert path.shape == (5, 4)
    np.testing.assert_allclose(path[[0, -1]], space.encode([ONE, OTHER]), atol=1e-5)


def test_music_comes_of_any_point_and_the_same_of_the_same(space):
    z = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    pieces = space.decode(z, seed=3)
    assert all(piece.notes and piece.total_time == 2 for piece in pieces)
    assert space.decode(z[:2], seed=3) == pieces[:2]
    assert space.decode(z[:2], seed=4, draw=Draw()) != pieces[:2]


def test_the_best_of_several_is_the_likeliest_of_them(space):
    z = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    several = space.phrases(np.repeat(z, 4, axis=0), seed=5, draw=Draw())
    likely = space.bound(several).reshape(3, 4)
    best = space.phrases(z, seed=5, draw=Draw(), best_of=4)
    np.testing.assert_array_equal(
        best, several[np.arange(0, 12, 4) + likely.argmax(axis=1)]
    )
    with pytest.raises(UsageError, match="best_of is 0"):
        space.phrases(z, best_of=0)


def test_a_bound_is_what_the_model_says(space):
    rows = space.phrases(np.zeros((3, 4), np.float32))
    wanted = bound(FAMILY, space.model.params, rows)
    np.testing.assert_allclose(space.bound(rows), wanted, rtol=1e-4)


@pytest.fixture(scope="module")
def styled():
    family = dataclasses.replace(FAMILY, styles=("chinese", "irish"))
    params = jax.tree.map(lambda x: 3 * np.asarray(x), born(family))
    return LatentSpace(Model(family, params, CODEC))


def test_styles_are_shares_of_those_that_are_known(styled, space):
    np.testing.assert_allclose(
        styled.shares({"irish": 3, "chinese": 1}, 2), [[0.25, 0.75]] * 2
    )
    np.testing.assert_allclose(styled.shares(None, 1), [[0.5, 0.5]])
    with pytest.raises(
        UsageError, match="no style polish: the model has chinese, irish"
    ):
        styled.shares("polish", 1)
    with pytest.raises(UsageError, match="none may be negative"):
        styled.shares({"irish": -1.0}, 1)
    with pytest.raises(UsageError, match="has no styles"):
        space.shares("irish", 1)
    assert space.shares(None, 1) is None


def test_music_is_of_the_style_it_is_asked_in(styled):
    z = np.zeros((6, 4), np.float32)
    one, other = (styled.phrases(z, style=style) for style in styled.styles)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, styled.phrases(z, style={"chinese": 2.0}))


def test_the_guessed_style_is_the_likelier(styled):
    phrases = np.stack([CODEC.encode(piece) for piece in (ONE, OTHER)])
    guess = styled.likeliest_style(phrases)
    assert guess.sum(axis=1).tolist() == [1, 1]
    likely = lambda y: bound(
        styled.model.family, styled.model.params, phrases, np.full(2, y)
    )
    bounds = [likely(y) for y in (0, 1)]
    np.testing.assert_array_equal(guess.argmax(axis=1), np.argmax(bounds, axis=0))
    np.testing.assert_allclose(
        styled.encode([ONE, OTHER]), styled.means(phrases, guess), atol=1e-5
    )


def test_a_mixture_is_nearest_to_what_there_is_most_of(space):
    z = space.encode([ONE, OTHER])
    np.testing.assert_allclose(space.mix(z, [3.0, 0.0]), z[0], rtol=1e-5)
    for weights, nearer in (([0.9, 0.1], 0), ([1, 9], 1)):
        point = space.mix(z, weights)
        assert np.linalg.norm(z - point, axis=1).argmin() == nearer
    np.testing.assert_allclose(
        space.mix(z, [1, 9]), space.mix(z, [0.1, 0.9]), rtol=1e-5
    )
    radius = np.linalg.norm(z, axis=1).mean()
    np.testing.assert_allclose(np.linalg.norm(space.mix(z, [1, 1])), radius, rtol=1e-5)


def test_variations_go_as_far_as_they_are_told(space):
    z = space.encode([ONE])[0]
    np.testing.assert_allclose(space.vary(z, 20, 0.0), np.stack([z] * 20), atol=1e-5)
    near, far = (
        np.linalg.norm(space.vary(z, 20, a) - z, axis=1).mean() for a in (0.1, 0.9)
    )
    assert 0 < near < far


MEAN, STD = np.array([1.0, 0.0, -1.0, 2.0]), np.array([2.0, 1.0, 0.5, 0.1])


@pytest.fixture(scope="module")
def learnt(space):
    """Returns a space whose prior is normal with other moments, in closed form."""
    family = LatentDiffusion(FAMILY, 1, 4, width=8, layers=1, heads=2)
    params = jax.jit(lambda batch: family.init(KEY, batch))(family.example(1))
    norm = {"mean": MEAN, "axes": np.eye(4), "unit": 1.0, "variance": STD**2}
    params |= {"norm": jax.tree.map(np.float32, norm), "vae": space.model.params}
    return LatentSpace.of(Model(family, params, CODEC))


def test_points_of_a_learnt_prior_have_its_moments(learnt):
    z = learnt.drawn(4000)
    np.testing.assert_allclose(z.mean(axis=0), MEAN, atol=0.1)
    np.testing.assert_allclose(np.cov(z.T), np.diag(STD**2), atol=0.2)


def test_a_path_is_an_arc_where_the_prior_is_normal(learnt):
    """Checks it in the plane of two orthogonal ends, and that the ends are exact."""
    a, b = MEAN + STD * [3.0, 0, 0, 0], MEAN + STD * [0, 0, 3.0, 0]
    path = learnt.path(a[None], b[None], np.array([0, 1 / 3, 1]))[:, 0]
    np.testing.assert_array_equal(path[[0, 2]], np.float32([a, b]))
    angle = np.pi / 6
    normal = 3 * np.array([np.cos(angle), 0, np.sin(angle), 0])
    np.testing.assert_allclose(path[1], MEAN + STD * normal, atol=0.05)
    middle = learnt.mix(np.float32([a, b]), [1, 1])
    normal = 3 * np.array([1, 0, 1, 0]) / np.sqrt(2)
    np.testing.assert_allclose(middle, MEAN + STD * normal, atol=0.05)


def test_a_space_with_a_learnt_prior_has_the_same_points(space, learnt):
    music = [ONE, OTHER]
    np.testing.assert_array_equal(learnt.encode(music), space.encode(music))


def test_a_piece_that_does_not_fit_is_told_what_would(space):
    short, low = tune([60, 62], bars=0.5), tune([30, 32, 34, 35])
    with pytest.raises(UsageError, match=r"fit the Phrase codec.*no 1 full bars"):
        space.encode([short])
    with pytest.raises(UsageError, match=r"transposed by \+6 it would fit"):
        space.encode([low])
    assert space.fit(short, adapt=True).remarks[0] == "padded: rests up to 1 bars"
    assert space.fit(low, adapt=True).remarks[0] == "transposed: by +6 semitones"
    assert space.encode([short, low], adapt=True).shape == (2, 4)
    waltz = tune([60, 62, 64])
    waltz.time_signatures[0].numerator = 3
    with pytest.raises(UsageError, match="The codec reads 4/4 or 2/2"):
        space.fit(waltz, adapt=True)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda space: space.mix(np.ones((2, 4)), [1.0]), "give one for each"),
        (lambda space: space.mix(np.ones((2, 4)), [1.0, -1.0]), "none negative"),
        (lambda space: space.mix(np.ones((2, 4)), [0.0, 0.0]), "not all of them 0"),
        (lambda space: space.vary(np.ones(4), 2, 1.5), "from 0 .* to 1"),
        (lambda space: space.interpolate(ONE, OTHER, 1), "at least two"),
        (lambda space: space.model.sample(1, primer=ONE), "leave the primer out"),
        (
            lambda space: space.model.sample(1, length=20),
            "length is 20, and a phrase has 16",
        ),
        (
            lambda space: LatentSpace(dataclasses.replace(space.model, family=LSTM())),
            "LSTM has no latent space",
        ),
    ],
)
def test_bad_requests_say_so(space, call, says):
    with pytest.raises(UsageError, match=says):
        call(space)


def test_of_chords_the_upper_line_is_taken_and_said(space):
    """Every note has a lower third: half of all, where a corpus allows a tenth."""
    chords = with_thirds(tune([60, 62, 64, 65] * 2))
    array, remarks = space.fit(chords)
    np.testing.assert_array_equal(array, space.fit(ONE).array)
    assert "chords: 8 lower notes dropped" in remarks
    rows, remarks = space.phrases_of(chords)
    assert rows.shape == (2, CODEC.length)
    assert remarks == (
        "chords: 8 lower notes dropped",
        "phrases: 2 of 1 bars are read, all of them full",
    )


def test_attribute_vectors_are_the_slopes_of_the_means(space):
    """Of 300 phrases, more than are encoded at once: each slope is the others'
    residual's."""
    rng = np.random.default_rng(0)
    phrases = rng.choice([1, 1, 2, *range(10, 40)], size=(300, CODEC.length)).astype(
        np.int32
    )
    vectors = space.attribute_vectors(phrases)
    means = np.asarray(encode(space.model.params, phrases).mean)
    values = np.stack(
        [measure(phrases, CODEC) for measure in ATTRIBUTES.values()], axis=1
    )
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    at = list(ATTRIBUTES).index("mean_pitch")
    others = np.delete(values, at, axis=1)
    alone = values[:, at] - others @ np.linalg.pinv(others) @ values[:, at]
    slope = alone @ (means - means.mean(axis=0)) / (alone @ alone)
    np.testing.assert_allclose(vectors["mean_pitch"], slope, atol=1e-4)
    assert set(vectors) == set(ATTRIBUTES)


def test_samples_are_phrases(space):
    assert all(piece.notes for piece in space.model.sample(4))


def test_what_comes_back_is_measured(space):
    rows = np.stack([CODEC.encode(piece) for piece in (ONE, OTHER, ONE)])
    figures = reconstruction(
        space.model,
        packed_eval_batches(InMemoryPieces(rows), CODEC, 2),
        particles=(1, 16),
    )
    again = reconstruction(
        space.model,
        packed_eval_batches(InMemoryPieces(rows), CODEC, 4),
        particles=(1, 16),
    )
    assert 0 <= figures["accuracy_sampled"] < 0.5
    q = jax.tree.map(np.asarray, encode(space.model.params, rows))
    expected = 0.5 * (q.mean**2 + np.exp(2 * q.log_std) - 1) - q.log_std
    np.testing.assert_allclose(figures["kl"], expected.sum() / 3, rtol=1e-4)
    np.testing.assert_allclose(again["kl"], figures["kl"], rtol=1e-5)
    assert figures["active"] == (np.asarray(q.mean).var(axis=0) > 0.01).sum()
    assert figures["nll_16"] < figures["nll_1"]
