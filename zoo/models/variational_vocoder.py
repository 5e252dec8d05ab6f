"""Sound as a few latents a second, and back: a variational autoencoder over waveforms.

A. Caillon, P. Esling: RAVE: a variational autoencoder for fast and high-quality neural audio
synthesis, arXiv:2111.05011; in blocks, Streamable neural audio synthesis with non-causal
convolutions, arXiv:2204.07064. A bank of filters takes sound apart into bands, an encoder makes
Gaussians of them, a decoder bands again, as a waveform, its loudness, and noise. First both descend
the spectral distance and the KL divergence (Kingma & Welling 2013); then the encoder is left as it
is, and the decoder plays against a critic. Axes: b signal, s sample, f frame of latents, z latent,
t frame of bands, k band.

Deviations. The bank is exact. What looks back only is causal, and is no later for it than the bank
is. Noise is shaped by the bank, and there is no batch normalisation, which would be another thing
in blocks. The networks stand beside a straight way (`zoo.nn.audio.subband_autoencoder`): the wave is kept, and its
error descended, and that of the log-mel spectrum. What no one hears, and 16 bits do not hold, is
not: its gradients were the largest. Of magnitudes the norm of the error is relative, not its
square, to no less than a hush: silence was all of it.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from zoo.core import (
    FOREVER,
    WEIGHT,
    Array,
    Batch,
    Key,
    Metrics,
    Objective,
    Params,
    Tree,
)
from zoo.errors import UsageError
from zoo.nn.adversarial.losses import Game
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.mel_decoder import Drafted
from zoo.nn.audio.multiscale_discriminator import Listener, Mean, heard, matching, rows
from zoo.nn.audio.pqmf import PQMF
from zoo.nn.audio.spectral_loss import SIZES, apart
from zoo.nn.audio.stft import STFT
from zoo.nn.audio.subband_autoencoder import Decoder, Encoder, louder, loudness, noise
from zoo.nn.latent.variational import Gaussian, kl_divergence
from zoo.nn.rng import numbered

Vary = Callable[[Array], Array]  # latents [b, f, z] -> latents

AUDIBLE = (
    1e-3  # of a spectrum, what is descended: 114 dB below a full sine in 2,048 samples
)


@dataclasses.dataclass(frozen=True)
class VariationalVocoder:
    """Sound at `rate`, in `bands`, each latent's frame of as many samples as bands times `factors`.

    With `mel` bands its latents are a log-mel spectrum: the vocoder of whatever makes those. Raises
    UsageError of an odd number of bands, a factor below 2, or too few latents or too many.
    """

    rate: int = 48_000
    bands: int = 16
    overlap: int = 8
    factors: tuple[int, ...] = (4, 4, 4, 2)
    width: int = 64
    """Channels at the rate of the bands; twice as many at every coarser one."""
    latent: int = 64
    dilations: tuple[int, ...] = (1, 3, 9)
    causal: bool = True
    mel: int = 0
    beta: float = 1e-4
    """What a nat of a frame's latents costs."""
    wave: float = 1.0
    """What the error of the wave does, relative to it; nothing where there is no encoder."""
    envelope: float = 4.0
    """What that of the log-mel spectrum does."""
    warm: int = 100_000
    """Steps before the critic comes in."""
    critic: int = 16
    """Its width."""
    scales: int = 3
    """Rates it hears at."""
    game: str = "hinge"
    matching: float = 10.0
    """What it costs to be heard as something else by the critic's features."""
    sizes: tuple[int, ...] = SIZES
    """Of the spectra that are compared."""
    seconds: float = 1.0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        _ = self.bank
        if min(self.factors, default=0) < 2:
            raise UsageError(
                f"factors of {self.factors} are asked for: choose each of 2 or more."
            )
        least, most = self.bands + 1, self.bands + self.hop
        if not least <= self.latent <= most:
            raise UsageError(
                f"{self.latent} latents are asked for: choose {least} to {most}."
            )

    @property
    def bank(self) -> PQMF:
        return PQMF(self.bands, self.overlap)

    @property
    def hop(self) -> int:
        """Samples from one frame of latents to the next."""
        return self.bands * math.prod(self.factors)

    @property
    def delay(self) -> int:
        """Samples by which sound is later than bands, all that a causal one is late."""
        return self.bands * self.bank.beyond

    @property
    def spectrum(self) -> Mel:
        """What it hears, where it has no encoder."""
        return Mel(self.rate, self.mel, stft=STFT(4 * self.hop, self.hop))

    @property
    def envelopes(self) -> Mel:
        """The mel spectrum that is compared."""
        size = self.sizes[0] // 2
        return Mel(self.rate, min(80, size // 8), stft=STFT(size, size // 4))

    @property
    def encoder(self) -> Encoder:
        return Encoder(self.latent, self.width, self.factors, self.causal)

    @property
    def decoder(self) -> Decoder | Drafted:
        decoder = Decoder(
            self.bands, self.width, self.factors, self.dilations, self.causal
        )
        return Drafted(self.spectrum, self.bank, decoder) if self.mel else decoder

    @property
    def listener(self) -> Listener:
        return Listener(self.critic, scales=self.scales)

    def frames(self, samples: int) -> int:
        """Of latents, for so many samples."""
        return -(-(samples + self.delay) // self.hop)

    def example(self, n: int) -> Batch:
        t = jnp.arange(max(4 * self.hop, self.listener.least))
        return {
            "audio": jnp.int16(8000 * jnp.sin(jnp.outer(1 + jnp.arange(n), t**2) / 97))
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two, three = jax.random.split(rng, 3)
        bands = jnp.zeros((1, math.prod(self.factors), self.bands))
        z, loud = (jnp.zeros((1, 1, k)) for k in (self.mel or self.latent, self.bands))
        nets: dict[str, Tree] = {
            "decoder": self.decoder.init(two, z, loud, bands)["params"],
            "critic": self.listener.init(three, heard(batch["audio"][:1]))["params"],
        }
        return (
            nets
            if self.mel
            else nets | {"encoder": self.encoder.init(one, bands)["params"]}
        )

    def objectives(self) -> Mapping[str, Objective]:
        both = ("decoder",) if self.mel else ("encoder", "decoder")
        after = range(self.warm, FOREVER)
        return {
            "reconstruct": Objective(self.reconstruct, both, range(self.warm)),
            "discriminate": Objective(self.discriminate, ("critic",), after),
            "refine": Objective(self.refine, ("decoder",), after),
        }

    def reconstruct(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What encoder and decoder descend: how far they miss, and beta of the divergence."""
        x, mean, events = rows(batch)
        y, kl = self.through(params, x, rng, step)
        cost, metrics = self.missed(x, y, mean)
        kl = mean(kl)
        rate = kl * self.rate / self.hop
        return cost + self.beta * kl, {**metrics, "rate": rate, WEIGHT: events}

    def discriminate(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the critic descends: to tell what is made from what it is made after."""
        x, mean, events = rows(batch)
        y, _ = self.through(params, x, rng, step)
        real, fake = self.verdicts(params, x)[0], self.verdicts(params, y)[0]
        value, metrics = Game(self.game).verdict_loss(real, fake, mean=mean)
        return value, {**metrics, WEIGHT: events}

    def refine(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the decoder descends then: the same miss, the game, and features unlike."""
        x, mean, events = rows(batch)
        y, _ = self.through(params, x, rng, step)
        cost, metrics = self.missed(x, y, mean)
        real, fake = self.verdicts(params, x), self.verdicts(params, y)
        unlike = mean(matching(real[1], fake[1]))
        won = mean(Game(self.game).losses[1](real[0], fake[0]))
        told = {**metrics, "matching": unlike, "game": won, WEIGHT: events}
        return cost + won + self.matching * unlike, told

    def missed(self, x: Array, y: Array, mean: Mean) -> tuple[Array, Metrics]:
        """What it costs to make signals y of x [b, s], and of what: the distance of spectra, the
        error of the wave, relative to it, and that of the log-mel spectrum."""
        each = apart(x, y, self.envelopes, self.sizes, AUDIBLE)
        metrics = {name: mean(one) for name, one in each.items()}
        of_wave = 0.0 if self.mel else self.wave * metrics["wave"]
        return metrics["distance"] + of_wave + self.envelope * metrics[
            "envelope"
        ], metrics

    def verdicts(self, params: Params, x: Array) -> tuple[Array, list[Array]]:
        """The critic's, [b, v], on signals [b, s], and the features that they rest on."""
        return self.listener.apply({"params": params["critic"]}, x)

    def verdict(self, params: Params, samples: Array) -> Array:
        """The critic's verdict [b] on signals [b, s]: the higher, the more real they sound."""
        return self.verdicts(params, samples)[0].mean(axis=1)

    def through(
        self, params: Params, x: Array, rng: Key, step: Array | None
    ) -> tuple[Array, Array]:
        """Signals [b, s] as they come back, in training from latents that are drawn, and the
        divergence in nats a frame [b]."""
        one, two = jax.random.split(rng)
        q = self.encode(params, x)
        z = q.mean if self.mel or step is None else q.sample(one)
        kl = (
            jnp.zeros(len(x))
            if self.mel
            else kl_divergence(q).sum(axis=-1).mean(axis=1)
        )
        return self.decode(params, z, two)[:, : x.shape[1]], kl

    def reconstructed(
        self, params: Params, x: Array, rng: Key, vary: Vary = lambda z: z
    ) -> Array:
        """Signals [b, s] as they come back, by the means of their latents, as from `step`."""
        return self.decode(params, vary(self.encode(params, x).mean), rng)[
            :, : x.shape[1]
        ]

    def encode(self, params: Params, x: Array) -> Gaussian:
        """Latents [b, f, z] of signals [b, s], `frames(s)` of them; mel bands are certain."""
        count = self.frames(x.shape[1])
        x = jnp.pad(x, ((0, 0), (0, count * self.hop - x.shape[1])))
        if self.mel:
            z = self.spectrum.log(x)[:, :count]
            return Gaussian(z, jnp.full(z.shape, -jnp.inf))
        bands = self.bank(x)[:, : -self.bank.beyond]
        return self.encoder.apply({"params": params["encoder"]}, bands)

    def decode(self, params: Params, z: Array, rng: Key) -> Array:
        """Signals [b, f hop - delay] of latents [b, f, z]."""
        white = self.white(rng, z, jnp.zeros((), jnp.int32))
        bands = self.decoder.apply(
            {"params": params["decoder"]}, z, self.loud(z), white
        )
        return self.bank.inverse(bands)

    def loud(self, z: Array) -> Array:
        """How loud latents [b, f, z] are, [b, f, k], or of a mel spectrum [b, f, 1]."""
        return (
            jnp.exp(z).mean(axis=-1, keepdims=True)
            if self.mel
            else loudness(z, self.bands)
        )

    def louder(self, z: Array, by: Array) -> Array:
        """Latents [b, f, z] of what is `by` [b, f, 1] times as loud."""
        return z + jnp.log(by) if self.mel else louder(z, self.bands, by)

    def white(self, rng: Key, z: Array, first: Array) -> Array:
        """Noise [b, t, k] for latents [b, f, z], the `first` frame's and on."""
        frames = first + jnp.arange(z.shape[1])
        return noise(
            rng, numbered(jnp.abs(z)), frames, (self.hop // self.bands, self.bands)
        )

    def begin(self, params: Params, rng: Key, n: int) -> Tree:
        """What `step` goes on from, of n signals: silence."""
        past = {
            k: jnp.zeros((n, self.bank.beyond, self.bands)) for k in ("heard", "made")
        }
        start = past | {"frame": jnp.zeros((), jnp.int32), "rng": rng}
        state: Tree = {**start, "encoder": {}, "decoder": {}}
        block = jax.ShapeDtypeStruct((n, self.hop), jnp.float32)
        shapes = jax.eval_shape(
            lambda state, x: self.step(params, state, x)[0], state, block
        )
        zeros = lambda name: jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), shapes[name]
        )
        return {**start, **{name: zeros(name) for name in ("encoder", "decoder")}}

    def step(
        self, params: Params, state: Tree, block: Array, vary: Vary = lambda z: z
    ) -> tuple[Tree, Array]:
        """The next samples [b, s] of signals, whole frames of latents, -> as many of what comes
        back of what `vary` makes of those, `delay` samples late: the same in blocks of any size as
        of the whole by the means.

        Raises:
          UsageError: the model looks ahead, or has no encoder.
        """
        if self.mel:
            raise UsageError("a mel spectrum looks ahead: it cannot go on in blocks.")
        go = {"mutable": ["stream"]}
        hops = block.reshape(len(block), -1, self.bands)
        hops = jnp.concatenate([state["heard"], hops], axis=1)
        nets = {
            name: {"params": params[name], **state[name]}
            for name in ("encoder", "decoder")
        }
        q, encoder = self.encoder.apply(nets["encoder"], self.bank.apart(hops), **go)
        z = vary(q.mean)
        white = self.white(state["rng"], z, state["frame"])
        bands, decoder = self.decoder.apply(
            nets["decoder"], z, self.loud(z), white, **go
        )
        bands = jnp.concatenate([state["made"], bands], axis=1)
        y = self.bank.together(bands).reshape(block.shape)
        past = {
            "heard": hops[:, -self.bank.beyond :],
            "made": bands[:, -self.bank.beyond :],
        }
        frame = state["frame"] + z.shape[1]
        return {
            **state,
            **past,
            "frame": frame,
            "encoder": encoder,
            "decoder": decoder,
        }, y

    def sample(
        self, params: Params, rng: Key, n: int, *, latents: Array | None = None
    ) -> Array:
        """Signals float32 [n, s] of latents [n, f, z], or of `seconds` of drawn ones."""
        one, two = jax.random.split(rng)
        if latents is None:
            if self.mel:
                raise UsageError(
                    "a mel spectrum is not drawn: give one, or a model that does."
                )
            keys = jax.vmap(jax.random.fold_in, (None, 0))(one, jnp.arange(n))
            shape = self.frames(round(self.seconds * self.rate)), self.latent
            latents = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
        return self.decode(params, latents, two)


TINY = VariationalVocoder(
    800, 4, 2, (2, 2), 4, 6, (1,), warm=3, critic=2, scales=1, sizes=(32,), seconds=0.1
)
