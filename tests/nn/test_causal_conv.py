"""Convolutions, causal and centred, whole and block by block."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import Conv, ResidualBlock, TransposedConv


class Net(nn.Module):
    """A strided, a dilated and a transposed convolution."""

    causal: bool = True

    @nn.compact
    def __call__(self, x):
        x = Conv(6, 8, stride=4, causal=self.causal)(x)
        x = ResidualBlock(3, causal=self.causal)(x)
        return TransposedConv(5, 4, self.causal)(x)


def signal(frames=64):
    return np.random.default_rng(0).normal(size=(2, frames, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [4, 16])
def test_streaming_equals_the_whole_signal(size):
    x, net = signal(), Net()
    params = net.init(jax.random.key(0), x)["params"]
    whole = jax.jit(net.apply)({"params": params}, x)
    step = jax.jit(
        lambda stream, x: net.apply({"params": params, **stream}, x, mutable=["stream"])
    )
    stream, parts = {}, []
    for block in np.split(x, 64 // size, axis=1):
        part, stream = step(stream, block)
        parts.append(part)
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), whole, atol=1e-5)


def test_causal_networks_depend_on_no_later_frame():
    x, later = signal(), signal()
    later[:, 32:] = 0
    for causal in (True, False):
        net = Net(causal)
        params = net.init(jax.random.key(0), x)
        a, b = (np.asarray(jax.jit(net.apply)(params, y)) for y in (x, later))
        assert a.shape == (2, 64, 5)
        assert np.array_equal(a[:, :32], b[:, :32]) == causal
        assert np.abs(a[:, 32:] - b[:, 32:]).max() > 0.1


@pytest.mark.parametrize(
    ("size", "dilation", "stride"), [(3, 2, 1), (8, 1, 4), (2, 1, 2)]
)
def test_it_is_the_convolution_of_lax(size, dilation, stride):
    x, conv = signal(24), Conv(4, size, dilation, stride=stride)
    params = conv.init(jax.random.key(1), x)
    kernel = params["params"]["taps"]["kernel"].reshape(size, 3, 4)
    beyond = (size - 1) * dilation + 1 - stride
    expected = jax.lax.conv_general_dilated(
        jnp.asarray(x),
        kernel,
        (stride,),
        [(beyond, 0)],
        rhs_dilation=(dilation,),
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
    np.testing.assert_allclose(conv.apply(params, x), expected, atol=1e-5)


def test_centred_convolutions_do_not_stream():
    x, net = signal(), Net(causal=False)
    params = net.init(jax.random.key(0), x)
    with pytest.raises(UsageError, match="cannot stream in blocks"):
        net.apply(params, x, mutable=["stream"])
