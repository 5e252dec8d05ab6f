"""The generator of MelGAN with an inverse STFT, in PyTorch, for comparison of speed.

Weights are random. Axes: b batch, f frame, d channel, s sample.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from zoo.models import MelGAN


class Block(torch.nn.Module):
    """A ConvNeXt block of [b, d, f]."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = torch.nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = torch.nn.LayerNorm(width)
        self.expand = torch.nn.Linear(width, expansion * width)
        self.project = torch.nn.Linear(expansion * width, width)
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(self.depthwise(x).transpose(1, 2))
        h = self.project(torch.nn.functional.gelu(self.expand(h)))
        return x + (self.scale * h).transpose(1, 2)


class Generator(torch.nn.Module):
    """Log-mel spectra [b, f, m] to audio [b, s]."""

    def __init__(self, family: MelGAN) -> None:
        super().__init__()
        self.family, width = family, family.width
        self.first = torch.nn.Conv1d(family.mel_bands + 1, width, 7, padding=3)
        self.first_norm = torch.nn.LayerNorm(width)
        blocks = [Block(width, family.expansion) for _ in range(family.blocks)]
        self.blocks = torch.nn.Sequential(*blocks)
        self.last_norm = torch.nn.LayerNorm(width)
        stft = family.mel.stft
        self.spectrum = torch.nn.Linear(width, stft.size + 2)
        self.estimate = torch.nn.Linear(family.mel_bands, stft.size // 2 + 1)
        self.register_buffer("window", torch.hann_window(stft.size))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        stft, level = self.family.mel.stft, mel.mean(2, keepdim=True)
        h = torch.cat([mel - level, level], 2).transpose(1, 2)
        h = self.first_norm(self.first(h).transpose(1, 2)).transpose(1, 2)
        h = self.last_norm(self.blocks(h).transpose(1, 2))
        correction, phases = self.spectrum(h).chunk(2, 2)
        magnitudes = (correction + self.estimate(mel)).clamp(max=7).exp()
        y = torch.polar(magnitudes, phases).transpose(1, 2)
        length = mel.shape[1] * stft.hop
        return torch.istft(y, stft.size, stft.hop, window=self.window, length=length)


def reference(family: MelGAN, mel: np.ndarray) -> Callable[[], Any]:
    """Returns a function that decodes log-mel spectra [b, f, m]."""
    net, x = Generator(family).eval(), torch.from_numpy(mel)
    return torch.inference_mode()(lambda: net(x))
