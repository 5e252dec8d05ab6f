"""Audio from magnitudes and phases, and ConvNeXt blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal

from zoo.nn.audio.convnext import DepthwiseConv
from zoo.nn.audio.istft_head import (
    ISTFTHead,
    estimated_log_magnitudes,
    interpolation,
)
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.stft import STFT

STFT_SMALL = STFT(16, 4)


def head(log_magnitudes, phases):
    """Returns the audio of a head whose layer passes on the phases it is given."""
    bins = phases.shape[-1]
    kernel = np.concatenate([np.zeros((bins, bins)), np.eye(bins)], axis=1)
    layer = {"kernel": jnp.float32(kernel), "bias": jnp.zeros(2 * bins)}
    module = ISTFTHead(STFT_SMALL)
    apply = jax.jit(lambda h, x: module.apply({"params": {"spectrum": layer}}, h, x))
    return np.asarray(apply(phases, log_magnitudes))


def test_it_inverts_the_spectrum_of_a_transform():
    x = np.random.default_rng(0).normal(size=(2, 80)).astype(np.float32)
    y = np.array(STFT_SMALL(x))[:, :20]
    audio = head(np.log(np.abs(y) + 1e-9), np.angle(y))
    assert audio.shape == x.shape
    whole = slice(0, 72)  # later samples lack a frame
    np.testing.assert_allclose(audio[:, whole], x[:, whole], atol=1e-4)
    window = scipy.signal.get_window("hann", 16)
    _, theirs = scipy.signal.istft(
        y.swapaxes(1, 2) / window.sum(),
        window=window,
        nperseg=16,
        noverlap=12,
        input_onesided=True,
        boundary=True,
    )
    np.testing.assert_allclose(audio[:, whole], theirs[:, whole], atol=1e-4)


def test_weights_between_bands_add_up_to_one():
    mel = Mel(16_000, 80)
    weights = interpolation(mel)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-5)
    assert (weights >= 0).all()


def test_flat_magnitudes_are_estimated_from_their_mel_spectrum():
    """A band is wide enough from the 20th on to hold several bins."""
    mel = Mel(16_000, 40)
    magnitudes = jnp.full((1, 1, 513), 0.3)
    estimate = estimated_log_magnitudes(mel, jnp.log(magnitudes @ mel.filters))
    np.testing.assert_allclose(jnp.exp(estimate), magnitudes, rtol=1e-4)


def test_a_depthwise_convolution_is_that_of_lax():
    x = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    for causal, padding in ((True, (4, 0)), (False, (2, 2))):
        conv = DepthwiseConv(3, 5, causal=causal)
        params = jax.jit(conv.init)(jax.random.key(0), x)["params"]
        ours = jax.jit(conv.apply)({"params": params}, x)
        theirs = jax.lax.conv_general_dilated(
            x,
            params["kernel"][:, None],
            (1,),
            [padding],
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=3,
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-5)  # the bias is 0 at first
