"""The same models in PyTorch, to be timed against: the best form of each that PyTorch has."""

from collections.abc import Callable

import torch

from zoo.core import Family
from zoo.models import LSTM

Step = Callable[[], float]
CLIP = 1.0  # as the shared step clips


def lstm(family: LSTM, n: int) -> Step:
    embed = torch.nn.Embedding(family.vocab, family.embed)
    layers = torch.nn.LSTM(family.embed, family.width, family.layers, batch_first=True)
    head = torch.nn.Linear(family.width, family.vocab)
    net = torch.nn.ModuleList([embed, layers, head])
    tokens = torch.randint(family.vocab, (n, family.length))
    inputs = torch.nn.functional.pad(tokens[:, :-1], (1, 0))
    return trainer(net, lambda: head(layers(embed(inputs))[0]), tokens)


def trainer(net: torch.nn.Module, logits: Callable[[], torch.Tensor], tokens: torch.Tensor) -> Step:
    """One training step of `net`, whose `logits` [b, t, v] are to predict `tokens` [b, t]."""
    weights = list(net.parameters())
    adam = torch.optim.Adam(weights, lr=1e-3)

    def step() -> float:
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits().flatten(0, 1), tokens.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()
        return loss.item()

    return step


PEERS: dict[type, Callable[..., Step]] = {LSTM: lstm}


def torch_step(family: Family, n: int) -> Step | None:
    """A training step of `family` at batch `n` under PyTorch, taken once; None where there is none.

    Inputs are not packed: a peer may ignore BOUNDARY, and so does less than we do.
    """
    if type(family) not in PEERS:
        return None
    step = PEERS[type(family)](family, n)
    step()
    return step
