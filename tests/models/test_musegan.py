"""Tests of MuseGAN: the role of each latent, conditioning tracks, binary neurons."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.musegan import TINY, pitch_probabilities
from zoo.nn.adversarial.losses import GAMES
from zoo.nn.adversarial.pianoroll_gan import fold_octaves
from zoo.nn.sequence.sampling import Draw
from zoo.train.optim import optimizers
from zoo.train.step import due, init, make_step

KEY = jax.random.key(0)
STYLE = np.arange(6) % 2
WEIGHTS = np.eye(2)[STYLE]


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


@functools.cache
def jitted(family, name):
    """Returns a compiled method that returns NumPy arrays."""
    static = {"sample": ("n", "draw"), "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def initial(family, bias=0.0):
    """Returns parameters whose pitches are on as often as off."""
    params = jitted(with_(conditioning=family.conditioning), "init")(
        KEY, jitted(TINY, "example")(2)
    )
    for name, net in params["generator"].items():
        if name.startswith("writer"):
            net["pitches"]["bias"] = np.full_like(net["pitches"]["bias"], bias)
    return params


@jax.jit
def logits_of(params, z):
    return TINY.generator.apply({"params": params["generator"]}, z, WEIGHTS[:1], None)


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
def test_a_latent_changes_its_own_tracks_only(latent, moves):
    params = initial(TINY)
    z = np.random.default_rng(0).normal(size=(1, 6, TINY.latent))
    moved = z + np.eye(6)[None, latent, :, None]
    changed = (np.asarray(logits_of(params, z)) != logits_of(params, moved)).any(
        axis=(0, 1, 3)
    )
    assert {
        name for name, moved in zip(TINY.tracks, changed, strict=True) if moved
    } == moves


def test_temporal_latents_differ_between_bars_and_constant_ones_do_not():
    params = initial(TINY)
    z = np.eye(6)[:, None, :, None] * np.ones(TINY.latent)
    bars = lambda z: np.reshape(logits_of(params, z), (TINY.bars, TINY.steps, 2, -1))
    stays, goes = bars(z[0]), bars(z[1])
    np.testing.assert_allclose(stays[0], stays[1], atol=1e-6)
    assert np.abs(goes[0] - goes[1]).max() > 1e-4


def test_conditioning_tracks_are_kept_and_change_the_others():
    family = with_(conditioning=("melody",))
    params, rolls = initial(family), jitted(TINY, "example")(6)["tokens"].copy()
    sample = functools.partial(
        jitted(family, "sample"), params, KEY, 6, style=STYLE, draw=Draw(temperature=0)
    )
    written, silent = sample(tracks=rolls), sample(tracks=np.zeros_like(rolls))
    np.testing.assert_array_equal(written[:, :, 0], rolls[:, :, 0])
    assert not silent[:, :, 0].any()
    assert (written[:, :, 1] != silent[:, :, 1]).any()
    rolls[:, :, 1] = 0  # generated tracks are not inputs
    np.testing.assert_array_equal(written, sample(tracks=rolls))


def test_conditioning_applies_across_octaves():
    family = with_(conditioning=("melody",))
    params, tracks = initial(family), np.zeros((1, family.length, 2, 14), np.uint8)
    logits = lambda: jitted(family, "logits")(
        params, KEY, np.arange(1), rolls=tracks, style=WEIGHTS[:1]
    )[0]
    quiet = logits()
    tracks[:, :, 0, 13] = 1  # in the upper octave of two
    assert np.abs(logits() - quiet)[..., :12].max() > 1e-3


def test_a_conditioned_generator_initialises_from_an_untraced_batch():
    family = with_(conditioning=("melody",))
    batch = jitted(family, "example")(2)
    tx = optimizers(family, optax.sgd(0.1))
    state = jax.eval_shape(lambda: init(family, tx, KEY, batch))
    assert "ear" in state.params["generator"]


@pytest.mark.parametrize("neurons", ["stochastic", "single"])
def test_binary_neurons_have_straight_through_gradients(neurons):
    family = with_(neurons=neurons)
    params, real = initial(family), np.zeros((6, 8, 2, 14))
    weights = np.random.default_rng(0).normal(size=real.shape)

    def binary(generator):
        return (
            family.generate({"generator": generator}, KEY, real, WEIGHTS) * weights
        ).sum()

    def soft(generator):
        logits, _ = family.logits(
            {"generator": generator}, KEY, jnp.arange(6), rolls=None, style=WEIGHTS
        )
        single = neurons == "single"
        probabilities = pitch_probabilities if single else jax.nn.sigmoid
        return (probabilities(logits) * weights).sum()

    rolls = jitted(family, "generate")(params, KEY, real, WEIGHTS)
    assert set(np.unique(np.round(rolls, 6))) == {0.0, 1.0}
    both = jax.jit(lambda generator: [jax.grad(f)(generator) for f in (binary, soft)])
    one, two = both(params["generator"])
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_monophonic_track_sounds_one_pitch_or_none():
    family = with_(neurons="single")
    params = initial(family, bias=-1.5)
    style = np.zeros(40, int)
    rolls = jitted(family, "sample")(params, KEY, 40, style=style)
    assert set(np.unique(rolls.sum(axis=-1))) == {0, 1}
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(40), rolls=None, style=np.eye(2)[style]
    )
    on = rolls.any(axis=-1)
    np.testing.assert_array_equal(on, logits.max(axis=-1) > 0)
    np.testing.assert_array_equal(rolls.argmax(axis=-1)[on], logits.argmax(axis=-1)[on])
    np.testing.assert_allclose(
        jax.jit(pitch_probabilities)(logits).sum(axis=-1),
        1 - 1 / (1 + np.exp(logits).sum(axis=-1)),
        atol=1e-5,
    )


def test_a_polyphonic_track_sounds_every_likely_pitch():
    family = with_(neurons="single", polyphonic=("bass",))
    params = initial(family, bias=-1.5)
    style = np.zeros(40, int)
    rolls = jitted(family, "sample")(params, KEY, 40, style=style)
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(40), rolls=None, style=np.eye(2)[style]
    )
    np.testing.assert_array_equal(rolls[:, :, 1] > 0, logits[:, :, 1] > 0)
    assert rolls[:, :, 1].sum(axis=-1).max() > 1 == rolls[:, :, 0].sum(axis=-1).max()
    with pytest.raises(UsageError, match="there is no track 'organ'"):
        with_(polyphonic=("organ",))


def test_stochastic_neurons_are_on_at_their_probability():
    family, n = with_(neurons="stochastic"), 400
    params = initial(family)
    style = np.eye(2)[np.zeros(n, int)]
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(n), rolls=None, style=style
    )
    drawn = jitted(family, "generate")(params, KEY, np.zeros((n, 8, 2, 14)), style)
    np.testing.assert_allclose(
        drawn.mean(), (1 / (1 + np.exp(-logits))).mean(), atol=0.005
    )


def test_samples_at_temperature_0_are_the_likelier_values():
    params = initial(TINY)
    logits, _ = jitted(TINY, "logits")(
        params, KEY, np.arange(6), rolls=None, style=WEIGHTS
    )
    greedy = jitted(TINY, "sample")(
        params, KEY, 6, style=STYLE, draw=Draw(temperature=0)
    )
    np.testing.assert_array_equal(greedy, logits > 0)


def test_the_verdict_depends_on_the_style():
    params, rolls = initial(TINY), jitted(TINY, "example")(6)["tokens"]
    one, two = (
        jitted(TINY, "verdict")(params, rolls, np.full(6, style)) for style in (0, 1)
    )
    assert np.abs(one - two).max() > 1e-3


# one game each without regularisation, with clipping and with either gradient penalty
@pytest.mark.parametrize(
    "game", ["least-squares", "wasserstein", "wasserstein-slope", "relativistic"]
)
def test_losses_of_every_kind_of_game_are_finite_with_a_gradient(game):
    assert game in GAMES
    family = with_(game=game)
    batch = jitted(TINY, "example")(4)

    def value_and_grad(params, objective, net):
        loss = lambda moving: objective(
            {**params, net: moving}, batch, KEY, jnp.array(0)
        )[0]
        return jax.value_and_grad(loss)(params[net])

    both = (family.critic_loss, "critic"), (family.generator_loss, "generator")
    run = jax.jit(lambda params: [value_and_grad(params, *one) for one in both])
    for value, grads in jax.device_get(run(initial(family))):
        assert np.isfinite(value)
        assert any(np.abs(x).max() > 0 for x in jax.tree.leaves(grads))


def test_wasserstein_clips_the_critic_under_any_optimizer():
    family = with_(game="wasserstein", critic_steps=1)
    tx, batch = optimizers(family, optax.adam(1.0)), jitted(TINY, "example")(4)
    state = jax.jit(lambda: init(family, tx, KEY, batch))()
    assert max(np.abs(x).max() for x in jax.tree.leaves(state.params["critic"])) > 0.1
    step = jax.jit(make_step(family, tx), static_argnames="due")
    for i in range(2):
        state, _ = step(state, batch, due=due(family, i))
    assert (
        max(np.abs(x).max() for x in jax.tree.leaves(state.params["critic"]))
        <= 0.01 + 1e-6
    )
    assert (
        max(np.abs(x).max() for x in jax.tree.leaves(state.params["generator"])) > 0.1
    )


def test_octaves_have_twelve_semitones_and_the_last_is_padded():
    first, last = jax.device_get(jax.jit(fold_octaves)(np.arange(14.0).reshape(14, 1)))
    np.testing.assert_array_equal(first, np.arange(12.0))
    np.testing.assert_array_equal(last, [12.0, 13.0] + 10 * [0.0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"game": "poker"}, "choose from minimax"),
        ({"neurons": "mirror"}, "choose from none"),
        ({"conditioning": ("drums",)}, "choose from melody, bass"),
        ({"conditioning": ("melody", "bass")}, "leave one out"),
        ({"steps": 6}, "a multiple of 4"),
    ],
)
def test_bad_fields_are_errors(changes, says):
    with pytest.raises(UsageError, match=says):
        with_(**changes)


def test_bad_requests_for_samples_are_errors():
    with pytest.raises(UsageError, match="length is 3"):
        TINY.sample(initial(TINY), KEY, 1, length=3)
    with pytest.raises(UsageError, match="leave tracks out"):
        TINY.sample(initial(TINY), KEY, 1, tracks=jitted(TINY, "example")(1)["tokens"])
    with pytest.raises(UsageError, match="pass rolls with melody"):
        with_(conditioning=("melody",)).sample({}, KEY, 1)
