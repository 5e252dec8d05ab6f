"""The same models in PyTorch, to be timed against: the best form of each that PyTorch has."""

from collections.abc import Callable

import jax
import numpy as np
import torch

from zoo.core import Family
from zoo.models import LSTM, AttentionRNN

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


class Attending(torch.nn.Module):
    """The layer of zoo.nn.attend, time-major; keys are made once, in their turn."""

    def __init__(self, inputs: int, width: int, slots: int) -> None:
        super().__init__()
        self.width, self.slots = width, slots
        self.cell = torch.nn.LSTMCell(inputs + width, width)
        self.key = torch.nn.Linear(width, width, bias=False)
        self.query = torch.nn.Linear(2 * width, width, bias=False)
        self.score = torch.nn.Linear(width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = summary = torch.zeros(x.shape[1], self.width)
        keys: list[torch.Tensor] = []
        values: list[torch.Tensor] = []
        outputs = []
        for now in x.unbind():
            h, c = self.cell(torch.cat([now, summary], -1), (h, c))
            if keys:
                query = self.query(torch.cat([h, c], -1))
                scores = self.score(torch.tanh(torch.stack(keys[-self.slots :]) + query))
                summary = (scores.softmax(0) * torch.stack(values[-self.slots :])).sum(0)
            outputs.append(torch.cat([h, summary], -1))
            keys.append(self.key(h))
            values.append(h)
        return torch.stack(outputs)


def attention_rnn(family: AttentionRNN, n: int) -> Step:
    """What the network is shown is worked out beforehand, and not timed."""
    width, layers, j = family.width, family.layers, len(family.lookback)
    tokens = torch.randint(family.vocab, (n, family.length))
    inputs, found = jax.jit(family.inputs)(tokens.numpy())
    x = torch.tensor(np.asarray(family.encode(inputs, found)))
    there = torch.nn.functional.one_hot(torch.tensor(np.asarray(found.events)).long(), family.vocab)
    there[..., 0] = 0
    stack: list[torch.nn.Module] = []
    if family.memory:
        stack.append(Attending(x.shape[-1], width, family.memory))
    plain = torch.nn.LSTM(2 * width if stack else x.shape[-1], width, layers - len(stack))
    head = torch.nn.Linear(width, family.vocab + j)

    def logits() -> torch.Tensor:
        y = stack[0](x) if stack else x
        said, repeats = head(plain(y)[0]).split([family.vocab, j], -1)
        for i in range(j):
            both = torch.logaddexp(said, repeats[..., i, None])
            said = torch.where(there[..., i, :].bool(), both, said)
        return said.transpose(0, 1)

    return trainer(torch.nn.ModuleList([*stack, plain, head]), logits, tokens)


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


PEERS: dict[type, Callable[..., Step]] = {LSTM: lstm, AttentionRNN: attention_rnn}


def torch_step(family: Family, n: int) -> Step | None:
    """A training step of `family` at batch `n` under PyTorch, taken once; None where there is none.

    Inputs are not packed: a peer may ignore BOUNDARY, and so does less than we do.
    """
    if type(family) not in PEERS:
        return None
    step = PEERS[type(family)](family, n)
    step()
    return step
