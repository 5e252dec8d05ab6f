"""MusicVAE: a hierarchical VAE of phrases (Roberts et al. 2018, arXiv:1803.05428).

A bidirectional LSTM encodes a phrase as a normal distribution over latents z. An LSTM
decodes a sample of it, either the phrase as a whole (flat) or bar by bar, with a
conductor LSTM that outputs a context for each bar. The loss is the evidence lower bound
(Kingma & Welling 2013).

Axes: b and n row, t step, k voice, v vocabulary, z latent, y style, u bar, h width.

Deviations. The encoder may encode each bar on its own before the phrase; the code of a
bar then also feeds that bar's share of z, and the decoder of a bar reads this share
beside the conductor's output. Without these two shortcuts the contexts of 16 bars do
not become different in thousands of steps. The conductor reads the number of the bar
and z at every bar. One decoder decodes all voices, and reads all of them. In scheduled
sampling (Bengio et al. 2015) the model's own tokens come from a first pass under
teacher forcing (Mihaylova & Martins 2019), so that all steps still train in parallel.
The paper has no styles: encoder and decoder read the style at every step, so that z
need not encode it.
"""

import dataclasses
import math
from collections.abc import Mapping

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
    Num,
    Objective,
    Params,
)
from zoo.errors import UsageError
from zoo.nn.conditioning import mixture_log_prob, random_styles, style_weights
from zoo.nn.latent import hierarchical_lstm
from zoo.nn.latent.hierarchical_lstm import Decoder, Encoder
from zoo.nn.latent.variational import (
    Gaussian,
    annealed_beta,
    importance_weighted_log_prob,
    kl_divergence,
    negative_elbo,
)
from zoo.nn.masked import masked_mean
from zoo.nn.rng import normals, row_keys, uniforms
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import (
    Bars,
    Count,
    Decay,
    Length,
    Size,
    Vocab,
    Voices,
    Weight,
    Width,
    checked,
)


@dataclasses.dataclass(frozen=True)
@checked
class MusicVAE:
    """A variational autoencoder of phrases.

    Raises:
      UsageError: a size, a weight or a rate out of range.
    """

    vocab: Vocab = 83
    """Tokens of a voice, BOUNDARY included."""
    bars: Bars = 2
    """Bars in a phrase."""
    steps: Length = 16
    """Steps in a bar."""
    _: dataclasses.KW_ONLY
    voices: Voices = 1
    """Voices of a step."""
    latent: Width = 256
    """Number of latents."""
    encoder: tuple[Width, ...] = (512,)
    """Widths of the encoder's layers, in each direction."""
    decoder: tuple[Width, ...] = (256, 256)
    """Widths of the decoder's layers."""
    conductor: Size = 0
    """Width of the conductor; 0 for a flat decoder."""
    summary: Size = 0
    """Width of the layer that reads the encoded bars; 0 to encode the phrase as a
    whole."""
    styles: tuple[str, ...] = ()
    """Names of the styles; empty to train without."""
    beta: Weight = 0.2
    """Final weight of the KL divergence."""
    kl_anneal: Decay = 0.999
    """Rate of KL annealing: at a step the weight is beta (1 - kl_anneal^step)."""
    free_nats: Weight = 0.0
    """KL divergence of a phrase without cost, in nats."""
    free_per_latent: Weight = 0.0
    """KL divergence of each latent without cost, in nats."""
    sampling_schedule: Weight = 0.0
    """Scale in steps of the inverse sigmoid by which scheduled sampling replaces
    teacher forcing; 0 for teacher forcing alone."""
    particles: Count = 16
    """Importance samples that a log-likelihood is estimated from."""

    def __post_init__(self) -> None:
        for name in ("encoder", "decoder"):
            if not getattr(self, name):
                raise UsageError(f"{name} has no layer: give a width for each.")
        if self.latent % self.bars and (self.conductor or self.summary):
            raise UsageError(
                f"latent is {self.latent} and bars are {self.bars}: choose a multiple, "
                "because each bar has its share of the latents."
            )

    @property
    def length(self) -> int:
        """The steps of a phrase."""
        return self.bars * self.steps

    @property
    def encoder_net(self) -> Encoder:
        """The encoder network."""
        return Encoder(
            self.vocab,
            self.bars,
            self.encoder,
            summary=self.summary,
            latent=self.latent,
        )

    @property
    def decoder_net(self) -> Decoder:
        """The decoder network."""
        return Decoder(
            self.vocab,
            self.voices,
            self.bars if self.conductor else 1,
            widths=self.decoder,
            conductor=self.conductor,
            latent=self.latent,
        )

    def example(self, n: int) -> Batch:
        shape: tuple[int, ...] = (n, self.length)
        if self.voices > 1:
            shape = (*shape, self.voices)
        tokens = 1 + jnp.arange(math.prod(shape)).reshape(shape) % (self.vocab - 1)
        mask = jnp.ones((n, self.length), bool)
        batch = {"tokens": tokens.astype(jnp.int32), "mask": mask}
        if self.styles:
            batch["style"] = jnp.arange(n) % len(self.styles)
        return batch

    def init(self, rng: Key, batch: Batch) -> Params:
        encoder_rng, decoder_rng = jax.random.split(rng)
        x = self.time_major(batch["tokens"][:1])
        style = style_weights(batch["style"][:1] if self.styles else None, self.styles)
        z = self.with_style(jnp.zeros((1, self.latent), jnp.float32), style)
        return {
            "encoder": self.encoder_net.init(encoder_rng, x, style)["params"],
            "decoder": self.decoder_net.init(decoder_rng, z, x)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {"elbo": Objective(self.loss, wrt=("encoder", "decoder"))}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative ELBO (eq. 3) of phrases in the mask, in nats."""
        z_rng, sampling_rng = jax.random.split(rng)
        x, mask = batch["tokens"], batch["mask"]
        style = style_weights(batch.get("style"), self.styles)

        # 1. POSTERIOR q(z|x)
        q = self.encode(params, x, style)
        z = q.sample(z_rng)

        # 2. RECONSTRUCTION log p(x|z)
        log_p, hits = self.token_log_probs(
            params, z, x, style=style, rng=sampling_rng, step=step
        )
        log_p_x = (log_p * mask.astype(jnp.float32)).sum(axis=1)

        # 3. RATE KL(q(z|x) || p(z)), annealed and with free nats
        beta = annealed_beta(step, self.kl_anneal, self.beta)
        terms = negative_elbo(
            log_p_x,
            kl_divergence(q),
            beta,
            free_per_latent=self.free_per_latent,
            free_nats=self.free_nats,
        )

        in_mask = mask.any(axis=1)
        rows = in_mask.sum()

        def mean(x: Array) -> Array:
            return masked_mean(x, in_mask)

        metrics = {
            "nll": mean(terms.nll),
            "reconstruction": mean(terms.reconstruction),
            "kl": mean(terms.kl),
            "accuracy": masked_mean(hits, mask),
            "beta": jnp.asarray(beta, jnp.float32),
            "events": rows,
        }
        return mean(terms.loss), metrics

    def encode(
        self,
        params: Params,
        tokens: Int[Array, "b t *k"],
        style: Num[Array, "b ..."] | None = None,
    ) -> Gaussian:
        """Returns the posterior q(z|x, y) of phrases, over [b, z].

        Args:
          style: the index of each row's style, or the weights of all styles.
        """
        weights = style_weights(style, self.styles)
        return self.encoder_net.apply(
            {"params": params["encoder"]}, self.time_major(tokens), weights
        )

    def token_log_probs(
        self,
        params: Params,
        z: Float[Array, "b z"],
        tokens: Int[Array, "b t *k"],
        *,
        style: Num[Array, "b ..."] | None = None,
        rng: Key | None = None,
        step: Array | None = None,
    ) -> tuple[Float[Array, "b t"], Float[Array, "b t"]]:
        """Returns each step's log-likelihood given z, in nats, and its accuracy.

        The accuracy is the share of voices whose token was the likeliest. Scheduled
        sampling applies only in training, at a `step`.
        """
        z = self.with_style(z, style_weights(style, self.styles))
        before = jnp.pad(
            tokens[:, :-1], [(0, 0), (1, 0)] + [(0, 0)] * (tokens.ndim - 2)
        )
        if self.sampling_schedule and step is not None and rng is not None:
            before = self.scheduled_sampling(params, z, before, rng=rng, step=step)
        logits = self.logits(params, z, before)
        targets = tokens.reshape(*tokens.shape[:2], self.voices)
        chosen = (logits * jax.nn.one_hot(targets, self.vocab, dtype=jnp.float32)).sum(
            axis=-1
        )
        log_p = (chosen - jax.nn.logsumexp(logits, axis=-1)).sum(axis=-1)
        return log_p, (chosen >= logits.max(axis=-1)).mean(axis=-1)

    def scheduled_sampling(
        self,
        params: Params,
        z: Float[Array, "b z"],
        before: Int[Array, "b t *k"],
        *,
        rng: Key,
        step: Array,
    ) -> Int[Array, "b t *k"]:
        """Replaces a share of the previous tokens, growing with `step`, by samples."""
        token_rng, choice_rng = jax.random.split(rng)
        logits = jax.lax.stop_gradient(self.logits(params, z, before))
        own = jax.random.categorical(token_rng, logits)
        own = jnp.pad(own[:, :-1], ((0, 0), (1, 0), (0, 0))).reshape(before.shape)
        # the inverse sigmoid decay of Bengio et al. 2015, section 2.4
        scale = self.sampling_schedule
        p_forced = scale / (scale + jnp.exp(step / scale))
        forced = (
            jax.random.uniform(choice_rng, before.shape[:2], jnp.float32) < p_forced
        )
        forced = forced.reshape(forced.shape + (1,) * (before.ndim - 2))
        return jnp.where(forced, before, own)

    def logits(
        self,
        params: Params,
        z: Float[Array, "b z"],
        before: Int[Array, "b t *k"],
    ) -> Float[Array, "b t voices v"]:
        """Returns the logits of every step, given the tokens one step earlier."""
        decoder = {"params": params["decoder"]}
        logits = self.decoder_net.apply(decoder, z, self.time_major(before))
        return logits.swapaxes(0, 1)

    def log_prob(
        self,
        params: Params,
        tokens: Int[Array, "b t *k"],
        mask: Bool[Array, "b t"],
        style: Num[Array, "b ..."] | None = None,
    ) -> Float[Array, " b"]:
        """Returns the importance-weighted log-likelihood in nats (Burda et al. 2016).

        A lower bound in expectation. Without a `style` it is that of the mixture of all
        styles, equally likely.
        """
        if self.styles and style is None:

            def by_style(y: Array) -> Array:
                return self.log_prob(params, tokens, mask, jnp.full(len(tokens), y))

            return mixture_log_prob(by_style, self.styles)
        q = self.encode(params, tokens, style)
        z = jax.vmap(q.sample)(jax.random.split(jax.random.key(0), self.particles))

        def steps_given(z: Array) -> Array:
            return self.token_log_probs(params, z, tokens, style=style)[0]

        log_p = jax.lax.map(steps_given, z)
        log_p_x = (log_p * mask[None]).sum(axis=-1)
        return importance_weighted_log_prob(log_p_x, q, z)

    def decode(
        self,
        params: Params,
        rng: Key,
        z: Float[Array, "n z"],
        *,
        style: Num[Array, "n ..."] | None = None,
        draw: Draw = Draw(),
        grammar: Grammar | None = None,
    ) -> Int[Array, "n t *k"]:
        """Draws the phrases of latents, int32; row i is a function of `rng`, z and i.

        Args:
          style: the index of each row's style, or the weights of all styles.
          draw: how tokens are sampled.
          grammar: of a single voice.
        """
        net = self.decoder_net
        decoder = {"params": params["decoder"]}
        z = self.with_style(z, style_weights(style, self.styles))
        contexts = net.apply(decoder, z, method="contexts")
        start = net.apply(decoder, contexts, method="start")
        u = uniforms(rng, len(z) * self.voices, self.length)
        tokens = hierarchical_lstm.decode(
            params["decoder"],
            contexts,
            start,
            u=u.reshape(len(contexts), -1, len(z), self.voices),
            draw=draw,
            grammar=grammar,
        )
        return tokens if self.voices > 1 else tokens[..., 0]

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Num[Array, "n ..."] | None = None,
        grammar: Grammar | None = None,
    ) -> Int[Array, "rows t *k"]:
        """Draws phrases from the prior, int32; row i is a function of `rng` and i.

        Args:
          length: steps, which must be those of a phrase.
          draw: how tokens are sampled.
          style: the index of each row's style; by default drawn at random.
          grammar: of a single voice.

        Raises:
          UsageError: another length.
        """
        if length not in (None, self.length):
            raise UsageError(
                f"length is {length}, and a phrase has {self.length}: leave it out."
            )
        keys = row_keys(rng, n)
        z = normals(keys, (self.latent,))
        style = random_styles(rng, n, self.styles) if style is None else style
        return self.decode(params, rng, z, style=style, draw=draw, grammar=grammar)

    def time_major(self, tokens: Int[Array, "b t *k"]) -> Int[Array, "t b voices"]:
        """Returns phrases time-major, with an axis of voices."""
        return tokens.reshape(*tokens.shape[:2], self.voices).swapaxes(0, 1)

    def with_style(
        self, z: Float[Array, "b z"], style: Float[Array, "b y"] | None
    ) -> Float[Array, "b zy"]:
        """Returns the latents followed by the weights of the styles, if any."""
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
