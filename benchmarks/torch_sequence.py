"""PyTorch references: the same models in the fastest form that PyTorch has."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch_gan import musegan, seqgan
from torch_step import Step, descend

from zoo.core import Family
from zoo.models import LSTM, AttentionRNN, MuseGAN, MusicVAE, SeqGAN, Transformer

Next = Callable[
    [torch.Tensor, int], torch.Tensor
]  # event [1] at t -> next one's logits [1, v]


def lstm_net(family: LSTM) -> torch.nn.ModuleList:
    embed = torch.nn.Embedding(family.vocab, family.embed)
    layers = torch.nn.LSTM(family.embed, family.width, family.layers, batch_first=True)
    return torch.nn.ModuleList(
        [embed, layers, torch.nn.Linear(family.width, family.vocab)]
    )


def lstm(family: LSTM, n: int) -> Step:
    net = lstm_net(family)
    embed, layers, head = net
    tokens = torch.randint(family.vocab, (n, family.length))
    inputs = torch.nn.functional.pad(tokens[:, :-1], (1, 0))
    return trainer(net, lambda: head(layers(embed(inputs))[0]), tokens)


def lstm_loop(family: LSTM) -> Next:
    embed, layers, head = lstm_net(family)
    state = None

    def step(token: torch.Tensor, t: int) -> torch.Tensor:
        nonlocal state
        x, state = layers(embed(token)[:, None], state if t else None)
        return head(x[:, 0])

    return step


class Attending(torch.nn.Module):
    """The layer of attentive_lstm, time-major; each key is computed once."""

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
                scores = self.score(
                    torch.tanh(torch.stack(keys[-self.slots :]) + query)
                )
                summary = (scores.softmax(0) * torch.stack(values[-self.slots :])).sum(
                    0
                )
            outputs.append(torch.cat([h, summary], -1))
            keys.append(self.key(h))
            values.append(h)
        return torch.stack(outputs)


def attention_rnn(family: AttentionRNN, n: int) -> Step:
    """Returns a training step; features are computed beforehand, and not timed."""
    width, layers, j = family.width, family.layers, len(family.lookback)
    tokens = torch.randint(family.vocab, (n, family.length))
    inputs, matches = jax.jit(family.inputs)(tokens.numpy())
    x = torch.tensor(np.asarray(family.encode(inputs, matches)))
    repeated = torch.nn.functional.one_hot(
        torch.tensor(np.asarray(matches.events)).long(), family.vocab
    )
    repeated[..., 0] = 0
    stack: list[torch.nn.Module] = []
    if family.memory:
        stack.append(Attending(x.shape[-1], width, family.memory))
    plain = torch.nn.LSTM(
        2 * width if stack else x.shape[-1], width, layers - len(stack)
    )
    head = torch.nn.Linear(width, family.vocab + j)

    def logits() -> torch.Tensor:
        y = stack[0](x) if stack else x
        events, repeats = head(plain(y)[0]).split([family.vocab, j], -1)
        for i in range(j):
            merged = torch.logaddexp(events, repeats[..., i, None])
            events = torch.where(repeated[..., i, :].bool(), merged, events)
        return events.transpose(0, 1)

    return trainer(torch.nn.ModuleList([*stack, plain, head]), logits, tokens)


class Layer(torch.nn.Module):
    """A layer of zoo.models.transformer, with rotary positions."""

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads, d = heads, width // heads
        sizes = (
            (width, 3 * width),
            (width, width),
            (width, 4 * width),
            (4 * width, width),
        )
        linear = [torch.nn.Linear(*size, bias=False) for size in sizes]
        self.qkv, self.out, self.up, self.down = linear
        angle = torch.outer(
            torch.arange(length), 10_000.0 ** (-torch.arange(d // 2) / (d // 2))
        )
        self.cos, self.sin = angle.cos(), angle.sin()

    def rotate(self, x: torch.Tensor, at: slice) -> torch.Tensor:
        """Rotates queries or keys [b, h, t, d] of the events `at`."""
        (a, b), cos, sin = x.chunk(2, -1), self.cos[at], self.sin[at]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def split(
        self, x: torch.Tensor, at: slice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        qkv = self.qkv(torch.nn.functional.layer_norm(x, x.shape[-1:]))
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.rotate(q, at), self.rotate(k, at), v

    def merge(self, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        up = self.up(torch.nn.functional.layer_norm(x, x.shape[-1:]))
        return x + self.down(torch.nn.functional.gelu(up, approximate="tanh"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(x, slice(x.shape[1]))
        attend = torch.nn.functional.scaled_dot_product_attention
        return self.merge(x, attend(q, k, v, is_causal=True))

    def step(self, x: torch.Tensor, cache: torch.Tensor, t: int) -> torch.Tensor:
        """Processes one event.

        x is [1, 1, width]; `cache` [2, 1, h, t, d] holds the keys and values before it.
        """
        q, *kv = self.split(x, slice(t, t + 1))
        cache[..., t : t + 1, :] = torch.stack(kv)
        k, v = cache[..., : t + 1, :]
        return self.merge(x, torch.nn.functional.scaled_dot_product_attention(q, k, v))


def transformer_net(family: Transformer) -> torch.nn.ModuleList:
    """Returns the embedding, the layers, and the head."""
    sizes = family.width, family.heads, family.length
    layers = [Layer(*sizes) for _ in range(family.layers)]
    embed = torch.nn.Embedding(family.vocab, family.width)
    return torch.nn.ModuleList(
        [embed, *layers, torch.nn.Linear(family.width, family.vocab, bias=False)]
    )


def transformer(family: Transformer, n: int) -> Step:
    net = transformer_net(family)
    embed, *layers, head = net
    tokens = torch.randint(family.vocab, (n, family.length))
    inputs = torch.nn.functional.pad(tokens[:, :-1], (1, 0))

    def logits() -> torch.Tensor:
        x = embed(inputs)
        for layer in layers:
            x = layer(x)
        return head(torch.nn.functional.layer_norm(x, x.shape[-1:]))

    return trainer(net, logits, tokens)


def transformer_loop(family: Transformer) -> Next:
    embed, *layers, head = transformer_net(family)
    shape = (
        family.layers,
        2,
        1,
        family.heads,
        family.length,
        family.width // family.heads,
    )
    caches = torch.zeros(shape)

    def step(token: torch.Tensor, t: int) -> torch.Tensor:
        x = embed(token)[:, None]
        for layer, cache in zip(layers, caches, strict=True):
            x = layer.step(x, cache, t)
        return head(torch.nn.functional.layer_norm(x, x.shape[-1:]))[:, 0]

    return step


class VAE(torch.nn.Module):
    """MusicVAE with a flat decoder, one voice, and z as input of every step."""

    def __init__(self, family: MusicVAE) -> None:
        super().__init__()
        v, z, (encoder_width,), (decoder_width, *_) = (
            family.vocab,
            family.latent,
            family.encoder,
            family.decoder,
        )
        self.layers, self.beta = len(family.decoder), family.beta
        self.encoder = torch.nn.LSTM(
            v, encoder_width, bidirectional=True, batch_first=True
        )
        self.q = torch.nn.Linear(2 * encoder_width, 2 * z)
        self.initial_state = torch.nn.Linear(z, 2 * self.layers * decoder_width)
        self.decoder = torch.nn.LSTM(
            v + z, decoder_width, self.layers, batch_first=True
        )
        self.head = torch.nn.Linear(decoder_width, v)

    def forward(self, tokens: torch.Tensor, hot: torch.Tensor) -> torch.Tensor:
        """Returns the loss of `tokens` [b, t], one-hot in `hot` [b, t, v]."""
        _, (last, _) = self.encoder(hot)
        mean, log_std = self.q(last.transpose(0, 1).flatten(1)).chunk(2, -1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        h, c = (
            self.initial_state(z)
            .tanh()
            .unflatten(1, (2, self.layers, -1))
            .permute(1, 2, 0, 3)
        )
        before = torch.nn.functional.pad(hot[:, :-1], (0, 0, 1, 0))
        x = torch.cat([before, z[:, None].expand(-1, hot.shape[1], -1)], -1)
        logits = self.head(self.decoder(x, (h.contiguous(), c.contiguous()))[0])
        kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1) - log_std
        nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())
        return nll * tokens.shape[1] + self.beta * kl.sum(-1).mean()


def music_vae(family: MusicVAE, n: int) -> Step:
    net, tokens = VAE(family), torch.randint(family.vocab, (n, family.length))
    hot = torch.nn.functional.one_hot(tokens, family.vocab).float()
    return descend(net.parameters(), lambda: net(tokens, hot))


def trainer(
    net: torch.nn.Module, logits: Callable[[], torch.Tensor], tokens: torch.Tensor
) -> Step:
    """Takes a training step of `net`: `logits` [b, t, v] predict `tokens` [b, t]."""
    entropy = torch.nn.functional.cross_entropy
    return descend(
        net.parameters(), lambda: entropy(logits().flatten(0, 1), tokens.flatten())
    )


REFERENCES: dict[type, Callable[..., Step]] = {
    LSTM: lstm,
    AttentionRNN: attention_rnn,
    MuseGAN: musegan,
    MusicVAE: music_vae,
    SeqGAN: seqgan,
    Transformer: transformer,
}
LOOPS: dict[type, Callable[..., Next]] = {
    LSTM: lstm_loop,
    Transformer: transformer_loop,
}


def torch_step(family: Family, n: int, bf16: bool) -> Step | None:
    """A training step of `family` at batch `n` under PyTorch, taken once; None where
    there is none.

    Inputs are not packed: the reference may ignore BOUNDARY, and does less work.
    """
    if type(family) not in REFERENCES:
        return None
    step = torch.autocast("cpu", torch.bfloat16, enabled=bf16)(
        REFERENCES[type(family)](family, n)
    )
    step()
    return step


def torch_loop(family: Any) -> Callable[[], None] | None:
    """Draws one row of `family.length` events under PyTorch; None where there is no
    loop for it.

    On one thread: an event is too little work for two, which wait for each other.
    """
    if not isinstance(family, LSTM | Transformer):
        return None
    step = LOOPS[type(family)](family)

    @torch.inference_mode()
    def draw() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        token = torch.zeros(1, dtype=torch.long)
        for t in range(family.length):
            token = torch.multinomial(step(token, t).softmax(-1), 1)[:, 0]
        torch.set_num_threads(threads)

    draw()
    return draw
