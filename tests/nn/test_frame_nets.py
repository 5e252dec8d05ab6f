"""The pieces of a network for frames, each against a loop or a closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.nn.sequence.frame_attention import Dropout, Keys, Layer, noise, write
from zoo.nn.sequence.note_transformer import ages, rolls, slots, spread

KEY = jax.random.key(0)


def test_ages_by_hand():
    voice = [5, 5, 5, 2, 2, 5, 5, 5, 5]
    recent = jnp.array(voice)[None, :, None]
    assert ages(recent, 6, 3)[0, :, 0].tolist() == [0, 1, 0, 1, 2, 2]


def test_intervals_land_on_their_pitches():
    kernels = jnp.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [100.0, 200.0, 300.0]])
    found = spread(kernels, jnp.array([1, 3, 0]), 4)
    assert found.tolist() == [0, 2, 3 + 10, 20, 30]


def test_rolls_and_slots_are_inverse():
    roll = np.zeros((2, 3, 7), np.uint8)
    roll[0, 0, [1, 4, 6]] = roll[1, 2, 0] = 1
    notes = slots(jnp.array(roll), 3)
    assert notes[0, 0].tolist() == [7, 5, 2]
    assert notes[1, 2].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(rolls(notes, 7), roll)
    assert slots(jnp.array(roll), 2)[0, 0].tolist() == [7, 5]


def test_noise_is_uniform_and_its_places_unlike():
    x = np.asarray(noise(KEY, (64, 64, 16)), np.float64) / 2**32
    assert abs(x.mean() - 0.5) < 0.01
    counts, _ = np.histogram(x, 16, (0, 1))
    assert abs(counts / x.size - 1 / 16).max() < 0.003
    for axis in range(3):
        a, b = np.take(x, range(15), axis), np.take(x, range(1, 16), axis)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
    assert not np.array_equal(x, noise(jax.random.key(1), x.shape))


def test_dropout_keeps_the_mean():
    x = jnp.ones((100, 100))
    dropped = Dropout(0.3).apply({}, x, False, rngs={"dropout": KEY})
    np.testing.assert_allclose((dropped == 0).mean(), 0.3, atol=0.02)
    np.testing.assert_allclose(dropped.max(), 1 / 0.7, rtol=1e-6)
    assert Dropout(0.3).apply({}, x, True) is x


def test_a_layer_attends_as_the_definition_reads():
    """One head, its projections made identities: softmax of rotated products and the bias."""
    layer = Layer(width=2, heads=1, hidden=2, reach=2, dropout=0.0)
    x = jax.random.normal(KEY, (1, 4, 2))
    x = x / jnp.sqrt((x**2).mean(-1, keepdims=True))  # a norm leaves it as it is
    at = jnp.arange(4)

    def run(layer):
        keys = layer.keys(x, at)
        return layer(x[:, :, None], keys, at, True)

    params = layer.init(KEY, method=run)["params"]
    eye = jnp.eye(2)
    params |= {
        "query": {"kernel": eye},
        "key_value": {"kernel": jnp.hstack([eye, eye])},
        "out": {"kernel": eye},
        "fall": jax.tree.map(jnp.zeros_like, params["fall"]),
        "bias": jnp.array([[0.3, -0.4]]),
    }
    found = layer.apply({"params": params}, method=run)[0, :, 0]
    for t in range(4):
        angle = t - np.arange(t + 1)
        score = turned(x[0, t], angle, x[0, : t + 1]) / np.sqrt(2)
        score += np.where(angle == 0, 0.3, -0.4)
        share = np.exp(score) / np.exp(score).sum()
        np.testing.assert_allclose(found[t], x[0, t] + share @ x[0, : t + 1], atol=1e-4)


def test_keys_are_written_where_they_belong():
    blank, one = jnp.zeros((1, 4, 1, 2)), jnp.ones((1, 1, 1, 2))
    assert write(Keys(blank, blank), Keys(one, one), 2).k[0, :, 0, 0].tolist() == [
        0,
        0,
        1,
        0,
    ]


def turned(query, angle, keys):
    """Products of keys with a query turned ahead by its distance from each."""
    a, b = query
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        np.stack([a * cos - b * sin, a * sin + b * cos], -1) * np.asarray(keys)
    ).sum(-1)
