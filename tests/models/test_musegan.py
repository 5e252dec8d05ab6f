"""What is peculiar to MuseGAN: whose latents move what, tracks that are given, binary neurons."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.musegan import TINY, voiced
from zoo.nn.adversarial.losses import GAMES
from zoo.nn.adversarial.pianoroll_gan import octaves
from zoo.nn.sequence.sampling import Draw
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)
STYLE = np.arange(6) % 2
TOLD = np.eye(2)[STYLE]


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


@functools.cache
def jitted(family, name):
    """A method whose arrays are NumPy's: an operation of JAX's on its own is compiled."""
    static = {"sample": ("n", "draw"), "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def born(family, bias=0.0):
    """Parameters by which keys are down as often as up, so that what is written shows."""
    params = jitted(with_(given=family.given), "init")(KEY, jitted(TINY, "example")(2))
    for name, net in params["generator"].items():
        if name.startswith("writer"):
            net["pitches"]["bias"] = np.full_like(net["pitches"]["bias"], bias)
    return params


@jax.jit
def write(params, z):
    return TINY.writer.apply({"params": params["generator"]}, z, TOLD[:1], None)


@pytest.mark.parametrize(
    ("latent", "moves"),
    [
        (0, {"melody", "bass"}),
        (1, {"melody", "bass"}),
        (2, {"melody"}),
        (3, {"bass"}),
        (4, {"melody"}),
    ],
)
def test_a_latent_moves_the_tracks_it_is_of(latent, moves):
    params = born(TINY)
    z = np.random.default_rng(0).normal(size=(1, 6, TINY.latent))
    moved = z + np.eye(6)[None, latent, :, None]
    changed = (np.asarray(write(params, z)) != write(params, moved)).any(axis=(0, 1, 3))
    assert {
        name for name, moved in zip(TINY.tracks, changed, strict=True) if moved
    } == moves


def test_what_goes_on_differs_from_bar_to_bar_and_what_stays_does_not():
    params = born(TINY)
    z = np.eye(6)[:, None, :, None] * np.ones(TINY.latent)
    bars = lambda z: np.reshape(write(params, z), (TINY.bars, TINY.steps, 2, -1))
    stays, goes = bars(z[0]), bars(z[1])
    np.testing.assert_allclose(stays[0], stays[1], atol=1e-6)
    assert np.abs(goes[0] - goes[1]).max() > 1e-4


def test_tracks_that_are_given_stay_and_are_heard():
    family = with_(given=("melody",))
    params, rolls = born(family), jitted(TINY, "example")(6)["tokens"].copy()
    sample = functools.partial(
        jitted(family, "sample"), params, KEY, 6, style=STYLE, draw=Draw(temperature=0)
    )
    written, silent = sample(tracks=rolls), sample(tracks=np.zeros_like(rolls))
    np.testing.assert_array_equal(written[:, :, 0], rolls[:, :, 0])
    assert not silent[:, :, 0].any()
    assert (written[:, :, 1] != silent[:, :, 1]).any()
    rolls[:, :, 1] = 0  # what is to be written is not read
    np.testing.assert_array_equal(written, sample(tracks=rolls))


def test_an_accompanist_hears_what_is_in_another_octave():
    family = with_(given=("melody",))
    params, tracks = born(family), np.zeros((1, family.length, 2, 14), np.uint8)
    logits = lambda: jitted(family, "logits")(
        params, KEY, np.arange(1), tracks, TOLD[:1]
    )[0]
    quiet = logits()
    tracks[:, :, 0, 13] = 1  # in the upper octave of two
    assert np.abs(logits() - quiet)[..., :12].max() > 1e-3


def test_an_accompanist_is_born_of_a_batch_as_it_is_read():
    family = with_(given=("melody",))
    batch = jitted(family, "example")(2)  # not traced, as it is where a run begins
    rules = optimizers(family, optax.sgd(0.1))
    state = jax.eval_shape(lambda: init(family, rules, KEY, batch))
    assert "ear" in state.params["generator"]


@pytest.mark.parametrize("neurons", ["stochastic", "single"])
def test_neurons_decide_and_pass_the_gradient_straight_through(neurons):
    family = with_(neurons=neurons)
    params, real = born(family), np.zeros((6, 8, 2, 14))
    weights = np.random.default_rng(0).normal(size=real.shape)

    def decided(generator):
        return (
            family.neural({"generator": generator}, KEY, real, TOLD) * weights
        ).sum()

    def likely(generator):
        logits, _ = family.logits(
            {"generator": generator}, KEY, jnp.arange(6), None, TOLD
        )
        likely = voiced if neurons == "single" else jax.nn.sigmoid
        return (likely(logits) * weights).sum()

    rolls = jitted(family, "neural")(params, KEY, real, TOLD)
    assert set(np.unique(np.round(rolls, 6))) == {0.0, 1.0}
    both = jax.jit(
        lambda generator: [jax.grad(f)(generator) for f in (decided, likely)]
    )
    one, two = both(params["generator"])
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_voice_has_one_key_down_or_none():
    family = with_(neurons="single")
    params = born(family, bias=-1.5)
    style = np.zeros(40, int)
    rolls = jitted(family, "sample")(params, KEY, 40, style=style)
    assert set(np.unique(rolls.sum(axis=-1))) == {0, 1}
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(40), None, np.eye(2)[style]
    )
    down = rolls.any(axis=-1)
    np.testing.assert_array_equal(down, logits.max(axis=-1) > 0)
    np.testing.assert_array_equal(
        rolls.argmax(axis=-1)[down], logits.argmax(axis=-1)[down]
    )
    np.testing.assert_allclose(
        jax.jit(voiced)(logits).sum(axis=-1),
        1 - 1 / (1 + np.exp(logits).sum(axis=-1)),
        atol=1e-5,
    )


def test_chords_have_as_many_keys_down_as_are_likely():
    family = with_(neurons="single", chords=("bass",))
    params = born(family, bias=-1.5)
    style = np.zeros(40, int)
    rolls = jitted(family, "sample")(params, KEY, 40, style=style)
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(40), None, np.eye(2)[style]
    )
    np.testing.assert_array_equal(rolls[:, :, 1] > 0, logits[:, :, 1] > 0)
    assert rolls[:, :, 1].sum(axis=-1).max() > 1 == rolls[:, :, 0].sum(axis=-1).max()
    with pytest.raises(UsageError, match="no track is called 'organ'"):
        with_(chords=("organ",))


def test_stochastic_neurons_are_on_as_often_as_they_say():
    family, n = with_(neurons="stochastic"), 400
    params = born(family)
    style = np.eye(2)[np.zeros(n, int)]
    logits, _ = jitted(TINY, "logits")(params, KEY, np.arange(n), None, style)
    drawn = jitted(family, "neural")(params, KEY, np.zeros((n, 8, 2, 14)), style)
    np.testing.assert_allclose(
        drawn.mean(), (1 / (1 + np.exp(-logits))).mean(), atol=0.005
    )


def test_the_coldest_samples_are_what_is_likelier_than_not():
    params = born(TINY)
    logits, _ = jitted(TINY, "logits")(params, KEY, np.arange(6), None, TOLD)
    cold = jitted(TINY, "sample")(params, KEY, 6, style=STYLE, draw=Draw(temperature=0))
    np.testing.assert_array_equal(cold, logits > 0)


def test_the_critic_knows_the_style():
    params, rolls = born(TINY), jitted(TINY, "example")(6)["tokens"]
    one, two = (
        jitted(TINY, "verdict")(params, rolls, np.full(6, style)) for style in (0, 1)
    )
    assert np.abs(one - two).max() > 1e-3


# the losses have tests of their own: here are games without charges, with either, and with bounds
@pytest.mark.parametrize(
    "game", ["least-squares", "wasserstein", "wasserstein-slope", "relativistic"]
)
def test_games_of_every_kind_can_be_played(game):
    assert game in GAMES
    family = with_(game=game)
    batch = jitted(TINY, "example")(4)

    def graded(params, descended, net):
        loss = lambda moving: descended(
            {**params, net: moving}, batch, KEY, jnp.array(0)
        )[0]
        return jax.value_and_grad(loss)(params[net])

    both = (family.judge, "critic"), (family.write, "generator")
    found = jax.jit(lambda params: [graded(params, *each) for each in both])(
        born(family)
    )
    for value, grads in jax.device_get(found):
        assert np.isfinite(value)
        assert any(np.abs(x).max() > 0 for x in jax.tree.leaves(grads))


def test_wasserstein_keeps_the_critic_small_whatever_the_rule():
    family = with_(game="wasserstein", every=1)
    rules, batch = optimizers(family, optax.adam(1.0)), jitted(TINY, "example")(4)
    state = jax.jit(lambda: init(family, rules, KEY, batch))()
    assert max(np.abs(x).max() for x in jax.tree.leaves(state.params["critic"])) > 0.1
    step = jax.jit(make_step(family, rules), static_argnames="due")
    for i in range(2):
        state, _ = step(state, batch, due=due(family, i))
    assert (
        max(np.abs(x).max() for x in jax.tree.leaves(state.params["critic"]))
        <= 0.01 + 1e-6
    )
    assert (
        max(np.abs(x).max() for x in jax.tree.leaves(state.params["generator"])) > 0.1
    )


def test_octaves_are_twelve_semitones_and_the_last_is_filled():
    first, last = jax.device_get(jax.jit(octaves)(np.arange(14.0).reshape(14, 1)))
    np.testing.assert_array_equal(first, np.arange(12.0))
    np.testing.assert_array_equal(last, [12.0, 13.0] + 10 * [0.0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"game": "poker"}, "choose from minimax"),
        ({"neurons": "mirror"}, "choose from none"),
        ({"given": ("drums",)}, "there are melody, bass"),
        ({"given": ("melody", "bass")}, "leave one to be written"),
        ({"steps": 6}, "quarters of a bar"),
        ({"latent": 0}, "latent is 0"),
    ],
)
def test_what_cannot_be_is_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        with_(**changes)


def test_what_samples_want_is_said():
    with pytest.raises(UsageError, match="leave length out"):
        TINY.sample(born(TINY), KEY, 1, length=3)
    with pytest.raises(UsageError, match="given: none"):
        TINY.sample(born(TINY), KEY, 1, tracks=jitted(TINY, "example")(1)["tokens"])
    with pytest.raises(UsageError, match="given: melody"):
        with_(given=("melody",)).sample({}, KEY, 1)
