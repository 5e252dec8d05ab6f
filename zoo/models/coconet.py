"""Coconet: any part of a piece in four voices, conditioned on any other part.

C.-Z. A. Huang, T. Cooijmans, A. Roberts, A. Courville, D. Eck 2017: Counterpoint by
convolution, arXiv:1903.07227. An orderless NADE (Uria et al. 2014): the net predicts
the cells of a grid (step, voice) that a random mask hides, from all others, and so
learns the conditionals of every order in which a piece can be written. Sampling is
blocked Gibbs sampling with masks that shrink. `known` masks are True for the cells that
are not hidden. Axes: b row, t step (a 16th), k voice, v vocabulary, d width, j position
in an order.

Deviations. The paper's net is 64 layers of 3 x 3 convolutions over steps and pitches.
This one reads a step as one vector, by convolutions and attention over time. Three
shortcuts replace the pitch axis. The nearest known pitches of a voice on either side
are inputs; they have a learnt effect on the logits of the same and of neighbouring
pitches; so have the pitches of that voice at other steps, chosen by attention. The
hidden voices of a step are predicted one after another in random order, each
conditioned on those before it, by a small network on top, so that one pass of the large
one serves all four: a pass is a whole frame of Algorithm 1. Orders are drawn by frames,
as the paper evaluates, and by cells, as it trains.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import (
    Array,
    Batch,
    Bool,
    Float,
    Int,
    Key,
    Metrics,
    Objective,
    Params,
)
from zoo.errors import UsageError
from zoo.nn.dense import Dense
from zoo.nn.masked import at_least_one
from zoo.nn.rng import Dropout, stratified_uniforms
from zoo.nn.sequence import orderless
from zoo.nn.sequence.encoder_block import EncoderBlock, bidirectional_attention
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import (
    Count,
    DropoutRate,
    Heads,
    Layers,
    Length,
    Share,
    Vocab,
    Voices,
    Width,
    checked,
)

KERNEL = 5  # steps that a convolution covers
NEAR = 2  # semitones around a known pitch whose logits it affects directly
OFFSETS = [(side, away) for away in range(-NEAR, NEAR + 1) for side in (0, 1)]
BAR = 16  # steps of the beat that is an input
DISTANCES = 16  # classes of distance to a known pitch, the first 8 exact


class Evidence(NamedTuple):
    """The output of the large network, by step and cell."""

    h: Array  # [b, t, d]
    near: Array  # int [b, t, k, 2], nearest known tokens of the voice, before and after
    copy: Array  # [b, t, k, v], the tokens of the voice that attention chooses

    def at(self, step: Int[Array, " b"]) -> "Evidence":
        """Returns the evidence of one step per row; t is then 1."""
        return jax.tree.map(lambda x: x[jnp.arange(len(step)), step][:, None], self)


class Net(nn.Module):
    """The large network (`read`), and the small one on top of it (`decide`)."""

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
            EncoderBlock(self.width, self.heads, KERNEL, self.dropout)
            for _ in range(self.layers)
        ]
        self.norm, self.middle = nn.LayerNorm(), [nn.LayerNorm(), nn.LayerNorm()]
        size, init = self.decide_width, nn.initializers.normal(0.3)
        # the names of parameters are those of earlier checkpoints
        param = lambda name, *shape: self.param(name, init, shape, jnp.float32)
        self.token = param("heard", self.voices, self.vocab, size)
        self.voice = param("which", self.voices, size)
        self.weigh, self.hidden = Dense(size), Dense(size)
        self.gain = Dense(len(OFFSETS) + 1)
        self.head = Dense(self.vocab)
        self.drop = Dropout(self.dropout)

    def __call__(
        self,
        tokens: Int[Array, "b t k"],
        known: Bool[Array, "b t k"],
        mask: Bool[Array, "b t"],
        order: Int[Array, "b t j"],
        *,
        deterministic: bool,
    ) -> Float[Array, "b t j v"]:
        """Returns the logits of the voices in `order`, conditioned on those before."""
        evidence = self.read(tokens, known, mask, deterministic=deterministic)
        visible = known[:, :, None] | orderless.decided_before(order)
        return self.decide(
            evidence, tokens, visible, order, deterministic=deterministic
        )

    def read(
        self,
        tokens: Int[Array, "b t k"],
        known: Bool[Array, "b t k"],
        mask: Bool[Array, "b t"],
        *,
        deterministic: bool,
    ) -> Evidence:
        """Applies the large network to the known tokens of the masked steps."""
        b, t, _ = tokens.shape
        known &= mask[..., None]
        near, distance = orderless.nearest_known(tokens, known)
        log_distance = (2 + 2 * jnp.log2(jnp.maximum(distance, 1))).astype(int)
        distance = jnp.where(distance < 8, distance, log_distance)
        distance = jnp.minimum(distance, DISTANCES - 1)
        beat = jnp.broadcast_to(jnp.arange(t)[:, None] % BAR, (b, t, 1))
        encode = lambda x, size: jax.nn.one_hot(x, size, dtype=jnp.float32)
        one_hot = lambda x, size: encode(x, size).reshape(b, t, -1)
        own = one_hot(jnp.where(known, tokens, orderless.NONE), self.vocab)
        inputs = [own, one_hot(near, self.vocab)]
        inputs += [one_hot(distance, DISTANCES), one_hot(beat, BAR)]
        x = self.enter(jnp.concatenate(inputs, axis=-1))
        for layer in self.stack:
            x = layer(x, mask, deterministic)
        h = self.norm(x)
        q, k = jnp.split(self.look(h)[:, :, None], 2, axis=-1)
        copy = bidirectional_attention(q, k, own[:, :, None], known.any(axis=-1))
        return Evidence(h, near, copy.reshape(b, t, self.voices, self.vocab))

    def decide(
        self,
        evidence: Evidence,
        tokens: Int[Array, "b t k"],
        visible: Bool[Array, "b t #j k"],
        voice: Int[Array, "b t j"],
        *,
        deterministic: bool,
    ) -> Float[Array, "b t j v"]:
        """Returns the logits of those voices, conditioned on the `visible` tokens."""
        one_hot = jax.nn.one_hot(tokens, self.vocab, dtype=jnp.float32)
        others = jnp.einsum("btkv,kvd->btkd", one_hot, self.token)
        others = jnp.einsum("btjk,btkd->btjd", visible.astype(others.dtype), others)
        z = self.weigh(evidence.h)[:, :, None] + others + jnp.asarray(self.voice)[voice]
        z = self.drop(nn.gelu(z), deterministic)
        more = nn.gelu(self.hidden(self.middle[0](z)))
        z = self.middle[1](z + self.drop(more, deterministic))
        gain, logits = self.gain(z), self.head(z).astype(jnp.float32)
        of_voice = lambda x: jnp.take_along_axis(x, voice[..., None], axis=2)
        near = of_voice(evidence.near)[..., None]
        pitch = jnp.arange(self.vocab)[None, None, None]
        for i, (side, away) in enumerate(OFFSETS):
            matches = near[..., side, :] + away == pitch
            if away:  # 0 is no pitch
                matches &= (pitch > 0) & (near[..., side, :] > 0)
            logits += jnp.where(matches, gain[..., i : i + 1], 0)
        return logits + gain[..., -1:] * of_voice(evidence.copy)


@dataclasses.dataclass(frozen=True)
@checked
class Coconet:
    """Configuration of Coconet.

    Raises:
      UsageError: a size below 1, a `width` that is no multiple of 4 and of twice the
        `heads`, or a dropout outside [0, 1).
    """

    vocab: Vocab = 50
    """Number of tokens of a voice: 0 for silence, and pitches."""
    voices: Voices = 4
    """Number of voices."""
    width: Width = 128
    """Width of the large network."""
    _: dataclasses.KW_ONLY
    layers: Layers = 4
    """Layers of the large network."""
    heads: Heads = 2
    """Attention heads of each layer."""
    decide_width: Width = 192
    """Width of the small network, which predicts the voices of a step."""
    dropout: DropoutRate = 0.2
    """Rate of dropout, on what each sublayer adds."""
    by_frames: Share = 0.7
    """Share of training rows whose order goes frame by frame, as the likelihood's does;
    the order of the others goes cell by cell."""
    masks: Count = 8
    """Masks drawn for each piece to estimate the loss at evaluation."""
    gibbs: Count = 128
    """Steps of Gibbs sampling."""
    length: Length = 128
    """16ths in a sample."""

    def __post_init__(self) -> None:
        # rotation halves the queries of each head, and those of copying: half the width
        unit = math.lcm(2 * self.heads, 4)
        if self.width % unit:
            raise UsageError(
                f"`width` is {self.width} for {self.heads} heads: choose a multiple of "
                f"{unit}."
            )

    @property
    def net(self) -> Net:
        return Net(
            vocab=self.vocab,
            voices=self.voices,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            decide_width=self.decide_width,
            dropout=self.dropout,
        )

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` grids."""
        shape = (n, min(self.length, 64), self.voices)
        tokens = jnp.arange(math.prod(shape)).reshape(shape) % self.vocab
        return {"tokens": tokens.astype(jnp.int32), "mask": jnp.ones(shape[:2], bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters."""
        tokens, mask = batch["tokens"][:1, :8], batch["mask"][:1, :8]
        order = jnp.broadcast_to(jnp.arange(self.voices), tokens.shape)
        inputs = tokens, tokens >= 0, mask, order
        return {"net": self.net.init(rng, *inputs, deterministic=True)["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: the orderless likelihood."""
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns nats per frame: an unbiased estimate of the mean over orders (eq. 3).

        In training, one mask per row, of orders by frames and by cells; at evaluation,
        `masks` per row, of orders by frames (Algorithm 1).
        """
        tokens, mask = batch["tokens"], batch["mask"]
        level_key, mask_key, kind_key, rng = jax.random.split(rng, 4)
        level = stratified_uniforms(level_key, len(mask))
        if step is None:

            def evaluate(i: Array) -> tuple[Array, Array]:
                key, order_key = jax.random.split(jax.random.fold_in(mask_key, i))
                shifted = (level + i / self.masks) % 1
                known = orderless.known_frames(key, mask, shifted)[..., None]
                return self.complete(params, tokens, known, mask, rng=order_key)

            outputs = jax.lax.map(evaluate, jnp.arange(self.masks))
            log_p, correct = (x.mean(axis=0) for x in outputs)
        else:
            kind = jax.random.uniform(kind_key, (len(mask), 1, 1), jnp.float32)
            by_frame = kind < self.by_frames
            cells = orderless.known_cells(mask_key, mask, level, self.voices)
            frames = orderless.known_frames(mask_key, mask, level)[..., None]
            known = jnp.where(by_frame, frames, cells)
            log_p, correct = self.complete(
                params, tokens, known, mask, rng=rng, deterministic=False
            )
        share = mask.sum(axis=1) / jnp.maximum(mask.sum(), 1)
        nll, accuracy = -(log_p * share).sum(), (correct * share).sum()
        return nll, {"nll": nll, "accuracy": accuracy, "events": mask.sum()}

    def complete(
        self,
        params: Params,
        tokens: Int[Array, "b t k"],
        known: Bool[Array, "b t #k"],
        mask: Bool[Array, "b t"],
        *,
        rng: Key,
        deterministic: bool = True,
    ) -> tuple[Float[Array, " b"], Float[Array, " b"]]:
        """Returns the log-likelihood of each row's hidden cells, in nats per frame.

        The voices of a step are predicted in random order.

        Args:
          params: of the networks.
          tokens: the grids.
          known: the cells that are not hidden.
          mask: True for frames, False for padding.
          rng: of the order and of dropout.
          deterministic: without dropout.

        Returns:
          The log-likelihood, and the share of cells that were the most likely ones.
        """
        order_key, dropout_key = jax.random.split(rng)
        known = jnp.broadcast_to(known, tokens.shape)
        order = orderless.random_ranks(order_key, jnp.ones(tokens.shape, bool))
        net, inputs = {"params": params["net"]}, (tokens, known, mask, order)
        logits = self.net.apply(
            net, *inputs, deterministic=deterministic, rngs={"dropout": dropout_key}
        )
        targets = jnp.take_along_axis(tokens, order, axis=-1)
        hidden = jnp.take_along_axis(~known & mask[..., None], order, axis=-1)
        count = at_least_one(hidden.sum(axis=(1, 2), keepdims=True))
        share = hidden.astype(jnp.float32) / count
        log_p = (orderless.token_log_prob(logits, targets) * share).sum(axis=(1, 2))
        hits = (logits.argmax(-1) == targets).astype(jnp.float32)
        correct = (hits * share).sum(axis=(1, 2))
        return self.voices * log_p, correct

    def log_prob(
        self,
        params: Params,
        tokens: Int[Array, "b t k"],
        mask: Bool[Array, "b t"],
        rng: Key | None = None,
        *,
        orders: int = 1,
    ) -> Float[Array, " b"]:
        """Returns each row's log-likelihood in nats, the mean over random orders.

        For one order it is exact, by the chain rule. The mean of several is a lower
        bound on the log-likelihood of their mixture. It takes a pass of the large
        network for every frame of every order.
        """
        rng = jax.random.key(0) if rng is None else rng
        log_p, valid = self.framewise(params, tokens, mask, rng, orders=orders)
        return (log_p.mean(axis=0) * valid).sum(axis=-1)

    def framewise(
        self,
        params: Params,
        tokens: Int[Array, "b t k"],
        mask: Bool[Array, "b t"],
        rng: Key,
        *,
        orders: int = 1,
        steps: int = 0,
    ) -> tuple[Float[Array, "orders b m"], Bool[Array, "b m"]]:
        """Returns the log-likelihoods of frames by Algorithm 1, in nats.

        Frames are predicted in random order, each conditioned on those before, and the
        voices of each in random order.

        Args:
          params: of the networks.
          tokens: the grids.
          mask: True for frames, False for padding.
          rng: of the orders.
          orders: number of orders.
          steps: frames to evaluate per row, for an unbiased estimate; 0 for all. See
            `ordered_frames`.

        Returns:
          The log-likelihoods, and which of the frames are in the mask.
        """
        variables = {"params": params["net"]}
        apply = functools.partial(self.net.apply, variables, deterministic=True)

        def frame(rng: Key, step: Array, known: Array) -> Array:
            known = jnp.broadcast_to(known[..., None], tokens.shape)
            evidence = apply(tokens, known, mask, method="read")
            own = tokens[jnp.arange(len(step)), step][:, None]
            order = orderless.random_ranks(rng, jnp.ones(own.shape, bool))
            visible = orderless.decided_before(order)
            inputs = evidence.at(step), own, visible, order
            logits = apply(*inputs, method="decide")
            targets = jnp.take_along_axis(own, order, axis=-1)
            return orderless.token_log_prob(logits, targets).sum(axis=(1, 2))

        return orderless.ordered_frames(frame, mask, rng, orders=orders, steps=steps)

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
    ) -> Int[Array, "n t k"]:
        """Samples grids int32 by blocked Gibbs sampling; see `annealed_gibbs`.

        Args:
          params: of the networks.
          rng: row i is a function of `rng` and i.
          n: number of rows.
          length: t, number of steps; None for the primer's if there is `free`, else for
            the family's `length`.
          draw: how tokens are sampled.
          primer: the first p steps, int [p, k] or [n, p, k].
          free: bool [p, k], the cells of the primer to sample again: a voice, a gap, or
            any set. Without it the primer is continued.

        Raises:
          UsageError: a primer or a `free` that does not fit; see `primed_grid`.
        """
        tokens, free = orderless.primed_grid(
            n, self.length, self.voices, length=length, primer=primer, free=free
        )
        variables = {"params": params["net"]}
        apply = functools.partial(self.net.apply, variables, deterministic=True)

        def rewrite(keys: Array, tokens: Array, known: Array) -> Array:
            shape = 2, *tokens.shape[1:]
            uniform = lambda key: jax.random.uniform(key, shape, jnp.float32)
            chance = jax.vmap(uniform)(keys)
            order, u = jnp.argsort(chance[:, 0], axis=-1), chance[:, 1]
            mask = jnp.ones(tokens.shape[:2], bool)
            evidence = apply(tokens, known, mask, method="read")
            for j in range(self.voices):
                voice = order[..., j : j + 1]
                inputs = evidence, tokens, known[:, :, None], voice
                logits = apply(*inputs, method="decide")
                here = voice == jnp.arange(self.voices)[None, None]
                drawn = draw(logits, u[..., j : j + 1])
                tokens = jnp.where(here & ~known, drawn, tokens)
                known = known | here
            return tokens

        return orderless.annealed_gibbs(rewrite, tokens, free, rng, steps=self.gibbs)


TINY = Coconet(
    5, 2, width=8, layers=1, heads=1, decide_width=8, masks=2, gibbs=3, length=6
)
