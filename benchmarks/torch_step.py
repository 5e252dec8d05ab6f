"""One step of descent in PyTorch, as the shared step takes it."""

from collections.abc import Callable, Iterable

import torch

Step = Callable[[], float]
CLIP = 1.0  # as the shared step clips


def descend(
    weights: Iterable[torch.nn.Parameter], objective: Callable[[], torch.Tensor]
) -> Step:
    """One training step of `weights` on an objective, all other ones held still."""
    weights = list(weights)
    adam = torch.optim.Adam(weights, lr=1e-3)

    def step() -> float:
        loss = objective()
        for weight, slope in zip(
            weights, torch.autograd.grad(loss, weights), strict=True
        ):
            weight.grad = slope
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()
        return loss.item()

    return step
