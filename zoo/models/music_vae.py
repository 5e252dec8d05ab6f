"""MusicVAE: whole phrases as points in a space one can move in (Roberts et al. 2018).

A. Roberts, J. Engel, C. Raffel, C. Hawthorne, D. Eck: A hierarchical latent vector model for
learning long-term structure in music, arXiv:1803.05428. A bidirectional LSTM reads a phrase into a
normal distribution over latents z; an LSTM writes the phrase again from a z drawn there, either as
a whole (flat) or bar by bar, each bar told by a conductor what it is about. What is descended is
the evidence lower bound of Kingma & Welling 2013. Axes: b row, t step, k voice, v vocabulary, z
latent, y style, u bar, d what a bar is told, h width.

Deviations. The encoder may read bars side by side, and then what it knows of each; what it knows of
a bar goes to that bar's share of z besides, and the decoder is told that share beside what the
conductor says. Without these two short ways the sixteen bars of a phrase are not told apart in
thousands of steps. A bar is told its number, and the conductor reads z at every bar. Voices are
written by one decoder, which hears all of them, not by one each. In scheduled sampling (Bengio et
al. 2015) the network's own tokens come from a first pass under teacher forcing (Mihaylova & Martins
2019), so that all steps are still trained side by side. The style y is ours: both encoder and
decoder read it at every step, so that z need not say it.
"""

import dataclasses
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.conditioning import mixture_log_prob, random_styles, style_weights
from zoo.nn.latent.hierarchical_lstm import Decoder, Encoder, recite
from zoo.nn.latent.variational import Gaussian, annealed, bound, divergence, marginal
from zoo.nn.rng import row_keys, uniforms
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw


@dataclasses.dataclass(frozen=True)
class MusicVAE:
    """Sizes; what the bound is charged; and how the decoder is helped.

    Phrases are `bars` bars of `steps` steps of `voices` voices. `encoder` and `decoder` are the
    widths of layers, `conductor` that of the LSTM that leads the bars, 0 for a flat decoder, and
    `summary` that of the layer that reads what was read of each bar, 0 to read a phrase as a whole.
    `styles`: their names, none where phrases have none. `beta` is reached as `1 - anneal^step`;
    `free` nats of a phrase and `each` of every latent cost nothing. `schedule`: steps in which
    teacher forcing gives way to the network's own tokens, by the inverse sigmoid; 0 for never.
    `particles`: samples in `log_prob`.

    Raises:
      UsageError: a size below 1, or a cost or a rate that is none.
    """

    vocab: int = 83
    bars: int = 2
    steps: int = 16
    voices: int = 1
    latent: int = 256
    encoder: tuple[int, ...] = (512,)
    decoder: tuple[int, ...] = (256, 256)
    conductor: int = 0
    summary: int = 0
    styles: tuple[str, ...] = ()
    beta: float = 0.2
    anneal: float = 0.999
    free: float = 0.0
    each: float = 0.0
    schedule: float = 0.0
    particles: int = 16

    def __post_init__(self) -> None:
        sizes = {
            name: getattr(self, name) for name in ("bars", "steps", "voices", "latent")
        }
        sizes |= {
            "encoder": min(self.encoder, default=0),
            "decoder": min(self.decoder, default=0),
        }
        if small := [f"{name} is {size}" for name, size in sizes.items() if size < 1]:
            raise UsageError(f"{small[0]}: choose 1 or more, for every layer.")
        costs = {
            name: getattr(self, name) for name in ("beta", "free", "each", "schedule")
        }
        if self.latent % self.bars and (self.conductor or self.summary):
            raise UsageError(
                f"latent is {self.latent} and bars are {self.bars}: each has its share of the "
                "latents, so choose a multiple of them."
            )
        if wrong := [
            f"{name} is {cost}" for name, cost in costs.items() if not cost >= 0
        ]:
            raise UsageError(f"{wrong[0]}: choose 0 or more.")
        if not 0 <= self.anneal < 1:
            raise UsageError(
                f"anneal is {self.anneal}: choose from 0 (at once) to below 1."
            )

    @property
    def length(self) -> int:
        """Steps of a phrase."""
        return self.bars * self.steps

    @property
    def read(self) -> Encoder:
        return Encoder(self.vocab, self.bars, self.encoder, self.summary, self.latent)

    @property
    def write(self) -> Decoder:
        parts = self.bars if self.conductor else 1
        return Decoder(
            self.vocab, self.voices, parts, self.decoder, self.conductor, self.latent
        )

    def example(self, n: int) -> Batch:
        shape = (n, self.length, *(self.voices,) * (self.voices > 1))
        tokens = 1 + jnp.arange(math.prod(shape)).reshape(shape) % (self.vocab - 1)
        batch = {
            "tokens": tokens.astype(jnp.int32),
            "mask": jnp.ones((n, self.length), bool),
        }
        return batch | (
            {"style": jnp.arange(n) % len(self.styles)} if self.styles else {}
        )

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two = jax.random.split(rng)
        x = self.timed(batch["tokens"][:1])
        style = style_weights(batch["style"][:1] if self.styles else None, self.styles)
        z = self.joined(jnp.zeros((1, self.latent)), style)
        return {
            "encoder": self.read.init(one, x, style)["params"],
            "decoder": self.write.init(two, z, x)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {"elbo": Objective(self.loss, wrt=("encoder", "decoder"))}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """The negated bound (eq. 3) in nats, the mean over the phrases in the mask."""
        one, two = jax.random.split(rng)
        style = style_weights(batch.get("style"), self.styles)
        q = self.encode(params, batch["tokens"], style)
        log_p, hit = self.token_log_probs(
            params, q.sample(one), batch["tokens"], style, two, step
        )
        mask = batch["mask"]
        beta = annealed(step, self.anneal, self.beta)
        terms = bound(
            (log_p * mask).sum(axis=1), divergence(q), beta, self.each, self.free
        )
        counts = mask.any(axis=1)
        rows = counts.sum()
        mean = lambda x: (x * counts).sum() / jnp.maximum(rows, 1)
        metrics = {
            "nll": mean(terms.nll),
            "reconstruction": mean(terms.reconstruction),
            "kl": mean(terms.kl),
            "accuracy": (hit * mask).sum() / jnp.maximum(mask.sum(), 1),
            "beta": jnp.asarray(beta, jnp.float32),
            "events": rows,
        }
        return mean(terms.loss), metrics

    def encode(
        self, params: Params, tokens: Array, style: Array | None = None
    ) -> Gaussian:
        """q(z|x, y) of phrases [b, t] or [b, t, k]; `style` int [b], or shares [b, y]."""
        return self.read.apply(
            {"params": params["encoder"]},
            self.timed(tokens),
            style_weights(style, self.styles),
        )

    def token_log_probs(
        self,
        params: Params,
        z: Array,
        tokens: Array,
        style: Array | None = None,
        rng: Key | None = None,
        step: Array | None = None,
    ) -> tuple[Array, Array]:
        """For each step [b, t]: its log-likelihood given z, and the share of voices held likeliest.

        In training, at a `step`, scheduled sampling may put the network's own tokens before it.
        """
        decoder, z = (
            {"params": params["decoder"]},
            self.joined(z, style_weights(style, self.styles)),
        )
        before = jnp.pad(
            tokens[:, :-1], [(0, 0), (1, 0)] + [(0, 0)] * (tokens.ndim - 2)
        )
        if self.schedule and step is not None and rng is not None:
            one, two = jax.random.split(rng)
            logits = self.write.apply(decoder, z, self.timed(before)).swapaxes(0, 1)
            own = jax.random.categorical(one, jax.lax.stop_gradient(logits))
            own = jnp.pad(own[:, :-1], ((0, 0), (1, 0), (0, 0))).reshape(before.shape)
            truth = self.schedule / (self.schedule + jnp.exp(step / self.schedule))
            forced = jax.random.uniform(two, tokens.shape[:2]) < truth
            before = jnp.where(
                forced.reshape(forced.shape + (1,) * (tokens.ndim - 2)), before, own
            )
        logits = self.write.apply(decoder, z, self.timed(before)).swapaxes(0, 1)
        targets = tokens.reshape(*tokens.shape[:2], self.voices)
        chosen = (logits * jax.nn.one_hot(targets, self.vocab)).sum(axis=-1)
        log_p = (chosen - jax.nn.logsumexp(logits, axis=-1)).sum(axis=-1)
        return log_p, (chosen >= logits.max(axis=-1)).mean(axis=-1)

    def log_prob(
        self, params: Params, tokens: Array, mask: Array, style: Array | None = None
    ) -> Array:
        """Importance-weighted log-likelihood [b] in nats, a lower bound on average (Burda 2016).

        Without a `style`, that of the mixture of all, equally likely.
        """
        if self.styles and style is None:
            each = lambda y: self.log_prob(
                params, tokens, mask, jnp.full(len(tokens), y)
            )
            return mixture_log_prob(each, self.styles)
        q = self.encode(params, tokens, style)
        z = jax.vmap(q.sample)(jax.random.split(jax.random.key(0), self.particles))
        log_p = jax.lax.map(
            lambda z: self.token_log_probs(params, z, tokens, style)[0], z
        )
        return marginal((log_p * mask[None]).sum(axis=-1), q, z)

    def decode(
        self,
        params: Params,
        rng: Key,
        z: Array,
        *,
        style: Array | None = None,
        draw: Draw = Draw(),
        grammar: Grammar | None = None,
    ) -> Array:
        """The phrases int32 [n, t] or [n, t, k] of z [n, z]; row i is drawn by `rng` and i."""
        decoder, z = (
            {"params": params["decoder"]},
            self.joined(z, style_weights(style, self.styles)),
        )
        told = self.write.apply(decoder, z, method="tell")
        begin = self.write.apply(decoder, told, method="begin")
        rows = uniforms(rng, len(z) * self.voices, self.length)
        u = rows.reshape(len(told), -1, len(z), self.voices)
        tokens = recite(params["decoder"], told, begin, u, draw, grammar)
        return tokens if self.voices > 1 else tokens[..., 0]

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Array | None = None,
        grammar: Grammar | None = None,
    ) -> Array:
        """Phrases int32 [n, t] or [n, t, k] from the prior; of any style, unless told of which.

        Raises:
          UsageError: `length` is not that of a phrase.
        """
        if length not in (None, self.length):
            raise UsageError(
                f"phrases have {self.length} steps, not {length}: leave length out."
            )
        keys = row_keys(rng, n)
        z = jax.vmap(lambda key: jax.random.normal(key, (self.latent,)))(keys)
        style = random_styles(rng, n, self.styles) if style is None else style
        return self.decode(params, rng, z, style=style, draw=draw, grammar=grammar)

    def timed(self, tokens: Array) -> Array:
        """Phrases [b, t] or [b, t, k], time-major: [t, b, k]."""
        return tokens.reshape(*tokens.shape[:2], self.voices).swapaxes(0, 1)

    def joined(self, z: Array, style: Array | None) -> Array:
        return z if style is None else jnp.concatenate([z, style], axis=-1)


TINY = MusicVAE(
    vocab=8,
    bars=2,
    steps=4,
    latent=4,
    encoder=(6,),
    decoder=(6,),
    conductor=5,
    summary=3,
    styles=("jig", "reel"),
)
