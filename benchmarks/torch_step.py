"""One training step in PyTorch, clipped as in the shared step."""

from collections.abc import Callable, Iterable

import torch

Step = Callable[[], float]
CLIP = 1.0  # as the shared step clips


def descend(
    weights: Iterable[torch.nn.Parameter], objective: Callable[[], torch.Tensor]
) -> Step:
    """Returns a training step of `weights` on an objective; others stay fixed."""
    weights = list(weights)
    adam = torch.optim.Adam(weights, lr=1e-3)

    def step() -> float:
        loss = objective()
        for weight, gradient in zip(
            weights, torch.autograd.grad(loss, weights), strict=True
        ):
            weight.grad = gradient
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()
        return loss.item()

    return step
