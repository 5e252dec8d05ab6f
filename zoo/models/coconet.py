"""Coconet: any part of a piece in four voices given any other part (Huang et al. 2017).

C.-Z. A. Huang, T. Cooijmans, A. Roberts, A. Courville, D. Eck: Counterpoint by convolution,
arXiv:1903.07227. An orderless NADE (Uria et al. 2014): the net predicts the cells of a grid (step,
voice) that a random mask hides from those that it leaves, and so learns the conditionals of every
order in which a piece can be written. One writes by rewriting: blocked Gibbs sampling, in which
the masks shrink. Axes: b row, t step (a 16th), k voice, v vocabulary, d width, j place in an order.

Deviations. The paper's net is 64 layers of 3 x 3 convolutions over steps and pitches; this one
reads a step as one vector, through convolutions and attention over time, and three shortcuts give
back what pitches as an axis gave: the nearest given pitches of a voice on either side are inputs,
and raise the logits of themselves and of their neighbours, as does what another step, which
attention chooses, has in that voice. The hidden voices of a step are decided one after another in
random order, each given those before it, by a small net on top, so that one pass of the large one
serves all four: a pass is a whole frame of Algorithm 1. Orders are drawn by frames, as the paper
evaluates, and by cells, as it trains.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.dense import Dense
from zoo.nn.sequence import orderless
from zoo.nn.sequence.encoder_block import TwoWay, attend
from zoo.nn.sequence.frame_attention import Dropout
from zoo.nn.sequence.sampling import Draw

NEAR = 2  # semitones around a given pitch that it speaks for
BAR = 16
FAR = 16  # classes of distance


class Evidence(NamedTuple):
    """What the given cells say of each step and each cell."""

    h: Array  # [b, t, d]
    near: Array  # int [b, t, k, 2], the given tokens of that voice next to it, before and after
    copy: Array  # [b, t, k, v], the tokens of that voice where attention looks

    def at(self, step: Array) -> "Evidence":
        """Of one step a row, int [b]; t is then 1."""
        return jax.tree.map(lambda x: x[jnp.arange(len(step)), step][:, None], self)


class Net(nn.Module):
    vocab: int
    voices: int
    width: int
    layers: int
    heads: int
    decide_width: int
    dropout: float

    def setup(self) -> None:
        self.enter, self.look = Dense(self.width), Dense(self.width)
        self.stack = [
            TwoWay(self.width, self.heads, 5, self.dropout) for _ in range(self.layers)
        ]
        self.norm, self.middle = nn.LayerNorm(), [nn.LayerNorm(), nn.LayerNorm()]
        wide, small = self.decide_width, nn.initializers.normal(0.3)
        self.heard = self.param("heard", small, (self.voices, self.vocab, wide))
        self.which = self.param("which", small, (self.voices, wide))
        self.weigh, self.hidden = Dense(wide), Dense(wide)
        self.gain = Dense(2 * (2 * NEAR + 1) + 1)
        self.head = Dense(self.vocab)
        self.drop = Dropout(self.dropout)

    def __call__(
        self, tokens: Array, given: Array, mask: Array, order: Array, still: bool
    ):
        """Logits [b, t, j, v] of the voices int [b, t, j] in `order`, each given those before."""
        seen = given[:, :, None] | orderless.before(order)
        return self.decide(
            self.read(tokens, given, mask, still), tokens, seen, order, still
        )

    def read(self, tokens: Array, given: Array, mask: Array, still: bool) -> Evidence:
        """The large net: tokens int [b, t, k] where `given`, in the steps of `mask` [b, t]."""
        b, t, _ = tokens.shape
        given &= mask[..., None]
        near, away = orderless.nearest(tokens, given)
        octaves = 2 + 2 * jnp.log2(jnp.maximum(away, 1))
        away = jnp.where(away < 8, away, octaves.astype(int))
        spell = lambda x, size: jax.nn.one_hot(x, size).reshape(b, t, -1)
        beat = jnp.broadcast_to(jnp.arange(t)[:, None] % BAR, (b, t, 1))
        seen = [
            spell(x, self.vocab)
            for x in (jnp.where(given, tokens, orderless.NONE), near)
        ]
        seen += [spell(jnp.minimum(away, FAR - 1), FAR), spell(beat, BAR)]
        x = self.enter(jnp.concatenate(seen, axis=-1))
        for layer in self.stack:
            x = layer(x, mask, still)
        h = self.norm(x)
        q, k = jnp.split(self.look(h)[:, :, None], 2, axis=-1)
        copy = attend(q, k, seen[0][:, :, None], given.any(axis=-1))
        return Evidence(h, near, copy.reshape(b, t, self.voices, self.vocab))

    def decide(
        self, evidence: Evidence, tokens: Array, seen: Array, voice: Array, still: bool
    ) -> Array:
        """Logits [b, t, j, v] of the voices int [b, t, j], which know those `seen` [b, t, j, k]."""
        heard = jnp.einsum(
            "btkv,kvd->btkd", jax.nn.one_hot(tokens, self.vocab), self.heard
        )
        heard = jnp.einsum("btjk,btkd->btjd", seen.astype(heard.dtype), heard)
        z = self.weigh(evidence.h)[:, :, None] + heard + self.which[voice]
        z = self.drop(nn.gelu(z), still)
        z = z + self.drop(nn.gelu(self.hidden(self.middle[0](z))), still)
        z = self.middle[1](z)
        pick = lambda x: jnp.take_along_axis(x, voice[..., None], axis=2)
        gain, logits = self.gain(z), self.head(z).astype(jnp.float32)
        pitch, near = (
            jnp.arange(self.vocab)[None, None, None],
            pick(evidence.near)[..., None],
        )
        for i in range(2 * (2 * NEAR + 1)):
            side, away = i % 2, i // 2 - NEAR
            said = near[..., side, :] + away == pitch
            said &= (pitch > 0) & (near[..., side, :] > 0) if away else True
            logits += jnp.where(said, gain[..., i : i + 1], 0)
        return logits + gain[..., -1:] * pick(evidence.copy)


@dataclasses.dataclass(frozen=True)
class Coconet:
    """Sizes, and how it is trained, measured and sampled.

    `by_frames` is the share of training rows whose order goes frame by frame, as the likelihood's
    does; the others' goes cell by cell. `masks` are drawn for each piece where a loss is measured.
    `gibbs` are the steps of sampling; `length` the 16ths of a sample.

    Raises:
      UsageError: a size below 1, a `width` that is no multiple of twice the `heads`, a dropout
        outside [0, 1).
    """

    vocab: int = 50
    voices: int = 4
    width: int = 128
    layers: int = 4
    heads: int = 2
    decide_width: int = 192
    dropout: float = 0.2
    by_frames: float = 0.7
    masks: int = 8
    gibbs: int = 128
    length: int = 128

    def __post_init__(self) -> None:
        sizes = (
            "vocab",
            "voices",
            "width",
            "layers",
            "heads",
            "masks",
            "gibbs",
            "length",
        )
        if least := [name for name in sizes if getattr(self, name) < 1]:
            raise UsageError(
                f"{least[0]} is {getattr(self, least[0])}: choose 1 or more."
            )
        if self.width % (2 * self.heads) or not 0 <= self.dropout < 1:
            raise UsageError(
                f"width is {self.width}, heads {self.heads} and dropout {self.dropout}: choose a "
                "multiple of twice the heads, and a dropout from 0 to below 1."
            )

    @property
    def net(self) -> Net:
        sizes = (self.width, self.layers, self.heads, self.decide_width, self.dropout)
        return Net(self.vocab, self.voices, *sizes)

    def example(self, n: int) -> Batch:
        shape = (n, min(self.length, 64), self.voices)
        tokens = jnp.arange(math.prod(shape)).reshape(shape) % self.vocab
        return {"tokens": tokens.astype(jnp.int32), "mask": jnp.ones(shape[:2], bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        tokens, mask = batch["tokens"][:1, :8], batch["mask"][:1, :8]
        order = jnp.broadcast_to(jnp.arange(self.voices), tokens.shape)
        return {
            "net": self.net.init(rng, tokens, tokens >= 0, mask, order, True)["params"]
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Nats per frame: an unbiased estimate of the mean over orders (eq. 3), from random masks.

        In training of orders by frames and by cells, one mask a row; evaluated, of orders by frames
        (Algorithm 1), `masks` a row.
        """
        tokens, mask = batch["tokens"], batch["mask"]
        one, two, three, rng = jax.random.split(rng, 4)
        level = orderless.strata(one, len(mask))

        def measure(i: Array) -> tuple[Array, Array]:
            which, order = jax.random.split(jax.random.fold_in(two, i))
            given = orderless.frames(which, mask, (level + i / self.masks) % 1)[
                ..., None
            ]
            return self.complete(params, tokens, given, mask, order)

        if step is None:
            log_p, hit = (
                x.mean(axis=0) for x in jax.lax.map(measure, jnp.arange(self.masks))
            )
        else:
            by_frame = jax.random.uniform(three, (len(mask), 1, 1)) < self.by_frames
            given = orderless.cells(two, mask, level, self.voices)
            given = jnp.where(
                by_frame, orderless.frames(two, mask, level)[..., None], given
            )
            log_p, hit = self.complete(params, tokens, given, mask, rng, still=False)
        share = mask.sum(axis=1) / jnp.maximum(mask.sum(), 1)
        nll = -(log_p * share).sum()
        return nll, {"nll": nll, "accuracy": (hit * share).sum(), "events": mask.sum()}

    def complete(
        self,
        params: Params,
        tokens: Array,
        given: Array,
        mask: Array,
        rng: Key,
        still: bool = True,
    ) -> tuple[Array, Array]:
        """Each row's log-likelihood [b] of what is not `given`, in nats per frame, and its hits.

        The voices of a step are decided in random order; dropout is on where not `still`.
        """
        one, two = jax.random.split(rng)
        given = jnp.broadcast_to(given, tokens.shape)
        order = orderless.ranks(one, jnp.ones(tokens.shape, bool))
        net = {"params": params["net"]}
        logits = self.net.apply(
            net, tokens, given, mask, order, still, rngs={"dropout": two}
        )
        targets = jnp.take_along_axis(tokens, order, axis=-1)
        hidden = jnp.take_along_axis(~given & mask[..., None], order, axis=-1)
        share = hidden / jnp.maximum(hidden.sum(axis=(1, 2), keepdims=True), 1)
        log_p = (orderless.chosen(logits, targets) * share).sum(axis=(1, 2))
        return self.voices * log_p, ((logits.argmax(-1) == targets) * share).sum(
            axis=(1, 2)
        )

    def log_prob(
        self,
        params: Params,
        tokens: Array,
        mask: Array,
        rng: Key | None = None,
        orders: int = 1,
    ) -> Array:
        """Log-likelihood [b] in nats of each row, the mean over random orders of its frames.

        Exact for one order by the chain rule; the mean of several bounds the log-likelihood of
        their mixture from below. It takes a pass of the net for every frame of every order.
        """
        rng = jax.random.key(0) if rng is None else rng
        log_p, valid = self.framewise(params, tokens, mask, rng, orders=orders)
        return (log_p.mean(axis=0) * valid).sum(axis=-1)

    def framewise(
        self,
        params: Params,
        tokens: Array,
        mask: Array,
        rng: Key,
        orders: int = 1,
        steps: int = 0,
    ) -> tuple[Array, Array]:
        """Algorithm 1: frames in random order, given those before, voices in random order in each.

        With `steps`, of that many frames of a row alone: an unbiased estimate, see `along`.

        Returns:
          Log-likelihood [orders, b, m] of frames in nats, and which are in the mask, bool [b, m].
        """
        net = {"params": params["net"]}

        def frame(rng: Key, step: Array, given: Array) -> Array:
            given = jnp.broadcast_to(given[..., None], tokens.shape)
            evidence = self.net.apply(net, tokens, given, mask, True, method="read").at(
                step
            )
            now = tokens[jnp.arange(len(step)), step][:, None]
            order = orderless.ranks(rng, jnp.ones(now.shape, bool))
            known = now, orderless.before(order)
            logits = self.net.apply(net, evidence, *known, order, True, method="decide")
            targets = jnp.take_along_axis(now, order, axis=-1)
            return orderless.chosen(logits, targets).sum(axis=(1, 2))

        return orderless.along(frame, mask, rng, orders, steps)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Array | None = None,
        free: Array | None = None,
    ) -> Array:
        """Pieces int32 [n, t, k], by annealed blocked Gibbs sampling; see `anneal`.

        Args:
          length: steps t; where not given, those of the primer that `free` is about, or `length`.
          primer: int [p, k] or [n, p, k], what is kept of the first p steps.
          free: bool [p, k], which cells of the primer are written anew all the same: a voice, a
            gap, any set. Where not given, none, and what follows the primer is written.

        Raises:
          UsageError: a primer or a `free` that does not fit; see `orderless.lay`.
        """
        tokens, free = orderless.lay(n, self.length, self.voices, length, primer, free)
        net = {"params": params["net"]}

        def rewrite(keys: Array, tokens: Array, given: Array) -> Array:
            chance = jax.vmap(
                lambda key: jax.random.uniform(key, (2, *tokens.shape[1:]))
            )(keys)
            order, u = jnp.argsort(chance[:, 0], axis=-1), chance[:, 1]
            mask = jnp.ones(tokens.shape[:2], bool)
            evidence = self.net.apply(net, tokens, given, mask, True, method="read")
            for j in range(self.voices):
                voice = order[..., j : j + 1]
                logits = self.net.apply(
                    net,
                    evidence,
                    tokens,
                    given[:, :, None],
                    voice,
                    True,
                    method="decide",
                )
                here = voice == jnp.arange(self.voices)[None, None]
                drawn = draw(logits, u[..., j : j + 1])
                tokens = jnp.where(here & ~given, drawn, tokens)
                given = given | here
            return tokens

        return orderless.anneal(rewrite, tokens, free, rng, self.gibbs)


TINY = Coconet(
    vocab=5,
    voices=2,
    width=8,
    layers=1,
    heads=1,
    decide_width=8,
    masks=2,
    gibbs=3,
    length=6,
)
