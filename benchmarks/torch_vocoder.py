"""The vocoder and its signal processing in PyTorch, as the reference of benchmarks."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F
from torch_step import Step, descend

from zoo.models import VariationalVocoder
from zoo.nn.audio.causal_conv import LEAKY_SLOPE
from zoo.nn.audio.pqmf import PQMF
from zoo.nn.audio.resample import Resample
from zoo.nn.audio.spectral_loss import NOISE_FLOOR
from zoo.nn.audio.subband_autoencoder import (
    ENCODER_DILATIONS,
    INIT_LOG_STD,
    LOG_LOUDNESS_MEAN,
    LOG_LOUDNESS_STD,
    MIN_LOUDNESS,
    QUIET_NOISE_LOGIT,
    dct_basis,
)
from zoo.nn.audio.vocoder import LOG_OFFSET

leaky = lambda x: F.leaky_relu(x, LEAKY_SLOPE)


def transformed(x: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """Returns the complex STFT [b, k, f] of signals [b, s]."""
    window = torch.hann_window(size)
    return torch.stft(
        x, size, hop, window=window, pad_mode="constant", return_complex=True
    )


def spectrum(x: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """Returns the magnitude spectrogram [b, k, f] of signals [b, s]."""
    return transformed(x, size, hop).abs()


def resampled(x: torch.Tensor, by: Resample) -> torch.Tensor:
    """Resamples signals [b, s] by strided convolutions."""
    width, down, _ = by.frame
    weights = torch.from_numpy(by.kernel.T.copy())[:, None]
    y = F.conv1d(
        F.pad(x[:, None], (width, width - x.shape[1] % -down)), weights, stride=down
    )
    return y.transpose(1, 2).reshape(len(x), -1)[:, : by.length(x.shape[1])]


def convolved(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Returns the full convolutions of signals [b, s] with others [b, n]."""
    length = x.shape[1] + y.shape[1] - 1
    size = 1 << (length - 1).bit_length()
    both = torch.fft.rfft(x, size) * torch.fft.rfft(y, size)
    return torch.fft.irfft(both, size)[:, :length]


class Bank(torch.nn.Module):
    """Convolutions by the filters of a PQMF."""

    def __init__(self, bank: PQMF) -> None:
        super().__init__()
        bands, taps = bank.bands, 2 * bank.bands * bank.overlap
        impulse = np.zeros((1, 2 * taps), np.float32)
        impulse[0, taps - 1] = 1
        response = np.asarray(bank(jnp.asarray(impulse)))[
            0
        ]  # a band's filter, by its frames
        self.bands, self.overlap = bands, bank.extra_frames
        filters = torch.from_numpy(response[: 2 * bank.overlap].T.copy())
        self.register_buffer("filters", filters.repeat_interleave(bands, 1)[:, None])

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        """Returns bands [b, k, t] of audio [b, s]; the weights are arbitrary."""
        x = F.pad(x[:, None], (self.overlap * self.bands, 0))
        return F.conv1d(x, self.filters, stride=self.bands)

    def synthesise(self, y: torch.Tensor) -> torch.Tensor:
        return F.conv_transpose1d(y, self.filters, stride=self.bands)[:, 0]


class Conv(torch.nn.Module):
    """A causal convolution of [b, c, f]; in a stream it keeps the past input."""

    def __init__(
        self, inner: int, outer: int, size: int, stride: int = 1, dilation: int = 1
    ):
        super().__init__()
        self.conv = torch.nn.Conv1d(inner, outer, size, stride, dilation=dilation)
        self.overlap = (size - 1) * dilation + 1 - stride
        self.past: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.past is None:
            return self.conv(F.pad(x, (self.overlap, 0)))
        x = torch.cat([self.past, x], dim=2)
        self.past = x[:, :, x.shape[2] - self.overlap :]
        return self.conv(x)


class Residual(torch.nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv, self.mix = (
            Conv(width, width, 3, dilation=dilation),
            Conv(width, width, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mix(leaky(self.conv(leaky(x))))


class Vocoder(torch.nn.Module):
    """Encoder and decoder of a causal VariationalVocoder."""

    def __init__(self, family: VariationalVocoder) -> None:
        super().__init__()
        self.family, self.bank = family, Bank(family.pqmf)
        width, bands, factors = family.width, family.bands, family.factors
        down: list[torch.nn.Module] = [Conv(bands, width, 7)]
        for i, factor in enumerate(factors):
            down += [Residual(width << i, dilation) for dilation in ENCODER_DILATIONS]
            down += [torch.nn.LeakyReLU(LEAKY_SLOPE)]
            down += [Conv(width << i, width << (i + 1), 2 * factor, factor)]
        self.down = torch.nn.Sequential(*down)
        top, self.hop = width << len(factors), math.prod(factors)
        self.residual_latents = family.latent - bands
        self.to_posterior = Conv(top + bands, self.residual_latents + family.latent, 3)
        basis = torch.from_numpy(
            np.array(dct_basis(self.hop * bands, self.residual_latents, bands))
        )
        self.register_buffer("basis", basis)
        self.from_latent = Conv(family.latent, top, 3)
        self.ups = torch.nn.ModuleList()
        for i, factor in reversed([*enumerate(factors)]):
            upsample = Conv(width << (i + 1), factor * (width << i), 2)
            stack = [Residual(width << i, dilation) for dilation in family.dilations]
            self.ups.append(
                torch.nn.ModuleList([upsample, torch.nn.Sequential(*stack)])
            )
        self.heads = Conv(width, 2 * bands + 1, 7)

    def encode(self, bands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encodes bands [b, k, t] as means and log deviations [b, z, f]."""
        n, k, t = bands.shape
        frames = bands.view(n, k, t // self.hop, self.hop)
        loudness = (frames**2).mean(3, keepdim=True).add(MIN_LOUDNESS**2).sqrt()
        frames, log_loudness = (
            frames / loudness,
            (loudness[..., 0].log() - LOG_LOUDNESS_MEAN) / LOG_LOUDNESS_STD,
        )
        x = torch.cat([self.down(frames.reshape(n, k, t)), log_loudness], dim=1)
        mean, log_std = self.to_posterior(leaky(x)).split(
            [self.residual_latents, self.family.latent], 1
        )
        frame_vectors = frames.permute(0, 3, 1, 2).reshape(n, -1, t // self.hop)
        mean = mean + torch.einsum("sz,nsf->nzf", self.basis, frame_vectors)
        return torch.cat([mean, log_loudness], dim=1), log_std + INIT_LOG_STD

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Decodes latents [b, z, f] as bands [b, k, t]."""
        n, _, f = z.shape
        x = self.from_latent(z)
        for upsample, residuals in self.ups:
            x = upsample(leaky(x))
            width = residuals[0].mix.conv.in_channels
            x = (
                x.view(n, -1, width, x.shape[2])
                .permute(0, 2, 3, 1)
                .reshape(n, width, -1)
            )
            x = residuals(x)
        bands = self.family.bands
        waveform, noise_logit, gain_logit = self.heads(leaky(x)).split(
            [bands, bands, 1], 1
        )
        linear_path = torch.einsum(
            "sz,nzf->nsf", self.basis, z[:, : self.residual_latents]
        )
        waveform = waveform + linear_path.view(n, self.hop, bands, f).permute(
            0, 2, 3, 1
        ).reshape(waveform.shape)
        noise = torch.rand_like(waveform) * 2 - 1
        loudness = (
            (z[:, self.residual_latents :] * LOG_LOUDNESS_STD + LOG_LOUDNESS_MEAN)
            .exp()
            .repeat_interleave(self.hop, 2)
        )
        return (
            2
            * (
                waveform * gain_logit.sigmoid()
                + noise * (noise_logit + QUIET_NOISE_LOGIT).sigmoid()
            )
            * loudness
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns reconstructed signals [b, s], and the rate in nats per frame."""
        count = self.family.frames(x.shape[1])
        bands = self.bank.analyse(F.pad(x, (0, count * self.family.hop - x.shape[1])))
        mean, log_std = self.encode(bands)
        z = mean + log_std.exp() * torch.randn_like(mean)
        kl = (0.5 * (mean**2 + torch.expm1(2 * log_std)) - log_std).sum(1).mean()
        return self.bank.synthesise(self.decode(z))[:, : x.shape[1]], kl

    def stream(self) -> None:
        """Keeps the past of every convolution from here on, to run block by block."""
        for conv in self.modules():
            if isinstance(conv, Conv):
                conv.past = torch.zeros(1, conv.conv.in_channels, conv.overlap)


def training(family: VariationalVocoder, x: np.ndarray) -> Step:
    """Returns a training step of reconstruction of signals [b, s]."""
    net, x = Vocoder(family), torch.from_numpy(x)
    mel = torch.from_numpy(np.array(family.reconstruction.mel.filters))
    stft = family.reconstruction.mel.stft
    log_mel = lambda x: (mel.T @ spectrum(x, stft.size, stft.hop) + 1e-5).log()

    def loss() -> torch.Tensor:
        y, kl = net(x)
        total = (
            family.beta * kl
            + family.mel_weight * (log_mel(x) - log_mel(y)).abs().mean()
        )
        waveform_error = ((x - y) ** 2).mean(1) / ((x**2).mean(1) + 1e-8)
        total = total + family.waveform_weight * (waveform_error + 1e-8).sqrt().mean()
        for size in family.fft_sizes:
            target, estimate = (spectrum(z, size, size // 4) for z in (x, y))
            mean_square = lambda z: (z**2).mean((1, 2))
            noise_floor = NOISE_FLOOR**2 * size * 3 / 8
            total = (
                total
                + (
                    mean_square(target - estimate)
                    / mean_square(target).clamp(min=noise_floor)
                )
                .sqrt()
                .mean()
            )
            total = (
                total
                + ((target + LOG_OFFSET).log() - (estimate + LOG_OFFSET).log())
                .abs()
                .mean()
            )
        return total

    return descend(net.parameters(), loss)


def reference(
    name: str, family: VariationalVocoder, x: np.ndarray
) -> Callable[[], Any]:
    """Returns the PyTorch reference of a case, on signals [b, s]."""
    if name == "train":
        return training(family, x)
    net = Vocoder(family).eval()
    signals = torch.from_numpy(x)
    bands = net.bank.analyse(signals[:, : signals.shape[1] // family.hop * family.hop])
    mel = torch.from_numpy(np.array(family.reconstruction.mel.filters)).T
    stft = family.reconstruction.mel.stft
    spectra = transformed(signals, stft.size, stft.hop)
    stft_arguments = stft.size, stft.hop, stft.size, torch.hann_window(stft.size)
    resampler = Resample(family.rate, 44_100)
    z = torch.randn(1, family.latent, bands.shape[2] // net.hop)
    if name == "block":
        net.stream()
    runs = {
        "stft": lambda: spectrum(signals, stft.size, stft.hop),
        "stft back": lambda: torch.istft(spectra, *stft_arguments, length=x.shape[1]),
        "mel": lambda: mel @ spectrum(signals, stft.size, stft.hop),
        "bank": lambda: net.bank.analyse(signals),
        "bank back": lambda: net.bank.synthesise(bands),
        "resample": lambda: resampled(signals, resampler),
        "convolve": lambda: convolved(signals, signals[:1]),
        "decode": lambda: net.bank.synthesise(net.decode(z)),
        "block": lambda: net.bank.synthesise(
            net.decode(net.encode(net.bank.analyse(signals))[0])
        ),
    }
    return torch.inference_mode()(runs[name])
