"""PyTorch references of SeqGAN and MuseGAN: the same networks, losses and roll-outs."""

import copy

import torch
from torch.nn import functional as F
from torch_step import Step, descend

from zoo.models import MuseGAN, SeqGAN

State = tuple[torch.Tensor, torch.Tensor]
OCTAVE = 12


class SequenceGenerator(torch.nn.Module):
    """The generator of a SeqGAN of single tokens."""

    def __init__(self, family: SeqGAN) -> None:
        super().__init__()
        (vocab,) = family.sizes
        self.width = family.width
        self.embed = torch.nn.Embedding(vocab, family.embed)
        self.cell = torch.nn.LSTMCell(family.embed, family.width)
        self.lstm = torch.nn.LSTM(family.embed, family.width, batch_first=True)
        self.head = torch.nn.Linear(family.width, vocab)

    def initial_state(self, n: int) -> State:
        return torch.zeros(n, self.width), torch.zeros(n, self.width)

    def step(self, state: State, token: torch.Tensor) -> tuple[State, torch.Tensor]:
        """Samples by inverting the CDF; `multinomial` is slower."""
        state = self.cell(self.embed(token), state)
        cumulative = self.head(state[0]).softmax(-1).cumsum(-1)
        drawn = torch.searchsorted(
            cumulative, torch.rand(len(token), 1) * cumulative[:, -1:]
        )
        return state, drawn[:, 0].clamp(max=cumulative.shape[1] - 1)

    def log_probs(self, rows: torch.Tensor) -> torch.Tensor:
        logits = self.head(self.lstm(self.embed(F.pad(rows[:, :-1], (1, 0))))[0])
        return -F.cross_entropy(
            logits.flatten(0, 1), rows.flatten(), reduction="none"
        ).view_as(rows)


class SequenceCritic(torch.nn.Module):
    """The convolutional critic of a SeqGAN."""

    def __init__(self, family: SeqGAN) -> None:
        super().__init__()
        (vocab,), self.dropout = family.sizes, family.dropout
        self.embed = torch.nn.Embedding(vocab, family.critic_embed)
        convs = [
            torch.nn.Conv1d(family.critic_embed, n, size) for size, n in family.filters
        ]
        self.convs = torch.nn.ModuleList(convs)
        width = sum(n for _, n in family.filters)
        self.gate, self.through = (
            torch.nn.Linear(width, width),
            torch.nn.Linear(width, width),
        )
        self.verdict = torch.nn.Linear(width, 1)

    def forward(self, rows: torch.Tensor, deterministic: bool = True) -> torch.Tensor:
        x = self.embed(rows).transpose(1, 2)
        f = torch.cat([conv(x).amax(-1) for conv in self.convs], dim=-1).relu()
        gate = self.gate(f).sigmoid()
        f = gate * self.through(f).relu() + (1 - gate) * f
        return self.verdict(F.dropout(f, self.dropout, not deterministic))[:, 0]


def seqgan(family: SeqGAN, n: int) -> Step:
    """Takes a step of the critic, of the generator by roll-outs, and of the policy."""
    generator, critic = SequenceGenerator(family), SequenceCritic(family)
    policy, length = copy.deepcopy(generator), family.length
    real = torch.randint(family.sizes[0], (n, length))

    @torch.no_grad()
    def generate(net: SequenceGenerator) -> torch.Tensor:
        state, rows = net.initial_state(n), [torch.zeros(n, dtype=torch.long)]
        for _ in range(length):
            state, token = net.step(state, rows[-1])
            rows.append(token)
        return torch.stack(rows[1:], dim=1)

    @torch.no_grad()
    def rollout_values(rows: torch.Tensor) -> torch.Tensor:
        repeated = lambda x: x.repeat_interleave(family.rollouts, dim=0)
        state, values = policy.initial_state(n), []
        before = F.pad(rows, (1, 0))
        for kept in range(1, length):
            state = policy.cell(policy.embed(before[:, kept - 1]), state)
            branch, completed = tuple(map(repeated, state)), [repeated(rows[:, :kept])]
            token = completed[0][:, -1]
            for _ in range(kept, length):
                branch, token = policy.step(branch, token)
                completed.append(token[:, None])
            values.append(critic(torch.cat(completed, dim=1)).view(n, -1).mean(1))
        return torch.stack([*values, critic(rows)], dim=1)

    def discriminate() -> torch.Tensor:
        verdicts = critic(torch.cat([real, generate(generator)]), deterministic=False)
        return F.softplus(-verdicts[:n]).mean() + F.softplus(verdicts[n:]).mean()

    def reinforce() -> torch.Tensor:
        rows = generate(generator)
        value = rollout_values(rows)
        return -(generator.log_probs(rows) * (value - value.mean(0))).mean()

    trained = [
        p for name, p in generator.named_parameters() if not name.startswith("cell")
    ]
    updates = descend(critic.parameters(), discriminate), descend(trained, reinforce)

    def step() -> float:
        loss = sum(update() for update in updates)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(generator.cell, name).copy_(
                    getattr(generator.lstm, f"{name}_l0")
                )
            for average, target in zip(
                policy.parameters(), generator.parameters(), strict=True
            ):
                average.lerp_(target, family.policy_rate)
        return loss

    return step


def octaves(x: torch.Tensor) -> torch.Tensor:
    """Groups the pitches of rolls [.., p, c] by octave: [.., o, 12 c]."""
    x = F.pad(x, (0, 0, 0, -x.shape[-2] % OCTAVE))
    return x.reshape(*x.shape[:-2], -1, OCTAVE * x.shape[-1])


leaky = lambda x: F.leaky_relu(x, 0.2)
linear = torch.nn.LazyLinear


class TrackGenerator(torch.nn.Module):
    """The generator of one track of a MuseGAN, bar by bar."""

    def __init__(self, family: MuseGAN) -> None:
        super().__init__()
        self.family, self.o = family, -(-family.pitches // OCTAVE)
        self.hidden, self.to_bars = (
            linear(2 * family.latent),
            linear(family.bars * family.latent),
        )
        widths = family.width, family.width // 2, family.width // 4
        self.project = linear(family.steps // 4 * self.o * widths[0])
        self.norms = torch.nn.ModuleList(
            [torch.nn.LayerNorm(width) for width in widths]
        )
        self.upsample = torch.nn.ModuleList([linear(2 * width) for width in widths[1:]])
        self.pitches = linear(OCTAVE)

    def forward(
        self, shared: torch.Tensor, own: torch.Tensor, melodic: torch.Tensor
    ) -> torch.Tensor:
        n, bars = shared.shape[:2]
        bar_latent = self.to_bars(leaky(self.hidden(melodic))).view(n, bars, -1)
        z = torch.cat(
            [shared, own[:, None].expand(-1, bars, -1), bar_latent], dim=-1
        ).flatten(0, 1)
        x = self.project(z).view(n * bars, -1, self.o, self.family.width)
        for i, norm in enumerate(self.norms):
            if i:
                x = (
                    self.upsample[i - 1](x)
                    .unflatten(-1, (2, -1))
                    .transpose(2, 3)
                    .flatten(1, 2)
                )
            x = leaky(norm(x))
        x = self.pitches(x).reshape(n, bars * self.family.steps, -1)
        return x[..., : self.family.pitches]


class PianorollGenerator(torch.nn.Module):
    """The generator of a MuseGAN with deterministic binary neurons."""

    def __init__(self, family: MuseGAN) -> None:
        super().__init__()
        self.family = family
        self.hidden, self.to_bars = (
            linear(2 * family.latent),
            linear(family.bars * family.latent),
        )
        self.track_generators = torch.nn.ModuleList(
            [TrackGenerator(family) for _ in family.tracks]
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        n, bars, k = len(z), self.family.bars, len(self.track_generators)
        bar_latent = self.to_bars(leaky(self.hidden(z[:, 1]))).view(n, bars, -1)
        shared = torch.cat([z[:, :1].expand(-1, bars, -1), bar_latent], dim=-1)
        pairs = ((z[:, 2 + i], z[:, 2 + k + i]) for i in range(k))
        tracks = (
            generator(shared, *pair)
            for generator, pair in zip(self.track_generators, pairs, strict=True)
        )
        p = torch.stack(list(tracks), dim=2).sigmoid()
        return p + ((p > 0.5).float() - p).detach()


class PianorollCritic(torch.nn.Module):
    """The critic of a MuseGAN."""

    def __init__(self, family: MuseGAN) -> None:
        super().__init__()
        self.steps, width = family.steps, family.critic_width
        self.pitches, self.chroma = linear(width), linear(width)
        self.quarter, self.intervals, self.bar = (linear(m * width) for m in (2, 2, 4))
        self.features, self.usage_features = (
            linear(4 * width),
            linear(4 * width, bias=False),
        )
        self.verdict = linear(1)
        angle = (
            torch.arange(OCTAVE)[:, None]
            * torch.arange(7)[None]
            * (2 * torch.pi / OCTAVE)
        )
        self.cos, self.sin = angle.cos(), angle.sin()
        self.multiplicity = torch.tensor([[1.0, 2, 2, 2, 2, 2, 1]]) / OCTAVE

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(2, 3)
        onsets = x - F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
        chroma = octaves(x).sum(2)
        h = self.pitches(octaves(torch.cat([x, onsets], dim=-1)))
        h = leaky(h + self.chroma(chroma)[:, :, None])
        h = self.quarter(h.unflatten(1, (-1, 4)).transpose(2, 3).flatten(3))
        octaves_of_chroma = chroma.unflatten(2, (OCTAVE, -1))
        mean = octaves_of_chroma.unflatten(1, (-1, 4)).mean(2)
        even, odd = mean.transpose(2, 3) @ self.cos, mean.transpose(2, 3) @ self.sin
        a, b, c, d = (
            even[:, :, :, None],
            odd[:, :, :, None],
            even[:, :, None],
            odd[:, :, None],
        )
        pairs = (a * c + b * d) @ (self.multiplicity * self.cos).T
        pairs = pairs + (a * d - b * c) @ (self.multiplicity * self.sin).T
        harmony = pairs.flatten(2)
        h = leaky(h + self.intervals(harmony)[:, :, None])
        h = h.unflatten(1, (-1, self.steps // 4)).flatten(2)
        usage = 1 - torch.exp(-octaves_of_chroma.sum((1, 3)) / self.steps)
        f = leaky(
            self.features(leaky(self.bar(h)).flatten(1)) + self.usage_features(usage)
        )
        return self.verdict(f)[:, 0]


def musegan(family: MuseGAN, n: int) -> Step:
    """Takes `critic_steps` steps of the critic and one of the generator.

    The game is relativistic, with R1 and R2 penalties.
    """
    generator, critic = PianorollGenerator(family), PianorollCritic(family)
    real = (
        torch.rand(n, family.length, len(family.tracks), family.pitches) < 0.02
    ).float()
    generate = lambda: generator(
        torch.randn(n, 2 + 2 * len(family.tracks), family.latent)
    )
    critic(generate())  # the lazy layers take their sizes from it
    game = family.losses
    assert game.pairing == "relativistic", "the reference has only the default game"

    def gradient_norm(logits: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        (gradient,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
        return gradient.square().flatten(1).sum(1).mean()

    def critic_loss() -> torch.Tensor:
        with torch.no_grad():
            fake = generate()
        real_input, fake_input = real.clone().requires_grad_(), fake.requires_grad_()
        real_logits, fake_logits = critic(real_input), critic(fake_input)
        penalty = game.r1 * gradient_norm(real_logits, real_input)
        penalty = penalty + game.r2 * gradient_norm(fake_logits, fake_input)
        return F.softplus(fake_logits - real_logits).mean() + 0.5 * penalty

    updates = [descend(critic.parameters(), critic_loss)] * family.critic_steps
    updates += [
        descend(
            generator.parameters(),
            lambda: F.softplus(critic(real) - critic(generate())).mean(),
        )
    ]
    return lambda: sum(update() for update in updates)
