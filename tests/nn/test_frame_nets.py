"""The layers of the NoteTransformer, against loops or closed forms."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.nn.sequence.frame_attention import FrameLayer, KeyValues, update_cache
from zoo.nn.sequence.note_transformer import (
    interval_logits,
    note_ages,
    notes_to_roll,
    roll_to_notes,
)

KEY = jax.random.key(0)


def test_ages_by_hand():
    voice = [5, 5, 5, 2, 2, 5, 5, 5, 5]
    recent = jnp.array(voice)[None, :, None]
    assert note_ages(recent, 6, 3)[0, :, 0].tolist() == [0, 1, 0, 1, 2, 2]


def test_intervals_land_on_their_pitches():
    kernels = jnp.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [100.0, 200.0, 300.0]])
    logits = interval_logits(kernels, jnp.array([1, 3, 0]), 4)
    assert logits.tolist() == [0, 2, 3 + 10, 20, 30]


def test_rolls_and_notes_are_inverse():
    roll = np.zeros((2, 3, 7), np.uint8)
    roll[0, 0, [1, 4, 6]] = roll[1, 2, 0] = 1
    notes = roll_to_notes(jnp.array(roll), 3)
    assert notes[0, 0].tolist() == [7, 5, 2]
    assert notes[1, 2].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(notes_to_roll(notes, 7), roll)
    assert roll_to_notes(jnp.array(roll), 2)[0, 0].tolist() == [7, 5]


def test_a_layer_attends_by_the_definition():
    """With identity projections: softmax of rotated products plus the bias."""
    layer = FrameLayer(width=2, heads=1, hidden=2, distances=2, dropout=0.0)
    x = jax.random.normal(KEY, (1, 4, 2))
    x = x / jnp.sqrt(
        (x**2).mean(-1, keepdims=True)
    )  # RMS normalisation leaves it unchanged
    at = jnp.arange(4)

    def run(layer):
        keys = layer.key_values(x, at)
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
    out = layer.apply({"params": params}, method=run)[0, :, 0]
    for t in range(4):
        angle = t - np.arange(t + 1)
        logits = rotated_products(x[0, t], angle, x[0, : t + 1]) / np.sqrt(2)
        logits += np.where(angle == 0, 0.3, -0.4)
        share = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(out[t], x[0, t] + share @ x[0, : t + 1], atol=1e-4)


def test_the_cache_is_updated_in_place():
    blank, one = jnp.zeros((1, 4, 1, 2)), jnp.ones((1, 1, 1, 2))
    cache = update_cache(KeyValues(blank, blank), KeyValues(one, one), 2)
    assert cache.keys[0, :, 0, 0].tolist() == [0, 0, 1, 0]


def rotated_products(query, angle, keys):
    """Returns products of keys with the query, rotated by its distance from each."""
    a, b = query
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        np.stack([a * cos - b * sin, a * sin + b * cos], -1) * np.asarray(keys)
    ).sum(-1)
