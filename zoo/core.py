"""The contract between a model family and all that trains, shards, saves or samples it.

A family is a game. Its networks are the named subtrees of one `params`; its objectives
are the moves, taken in order. A likelihood model is a game with one move.

Shapes are annotated in one alphabet: b batch, t step, v vocabulary, d width, h heads,
p pitch, k track or voice, z latent, y style, s sample, f frame, m mel band.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import jax
import numpy as np
import optax

Array = jax.Array
Key = jax.Array
Tree = Any
Params = Mapping[str, Tree]  # one subtree per network: {"net": ...}
Batch = Mapping[str, Any]  # of arrays, on the host or a device
Metrics = Mapping[str, Array]  # scalars, ready to log
Loss = Callable[[Params, Batch, Key, Array | None], tuple[Array, Metrics]]

if TYPE_CHECKING:
    from jaxtyping import Bool, Complex, Float, Int, Num
elif "jaxtyping" in sys.modules:  # the tests import it, and check shapes
    from jaxtyping import Bool, Complex, Float, Int, Num

    Array = jax.Array | np.ndarray  # functions take either
else:  # annotations are free at run time: `Float[Array, "b t v"]` is `Array`

    class _Shaped:
        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return item[0]

    Bool = Complex = Float = Int = Num = _Shaped

BOUNDARY = 0  # the token that ends a piece, begins the next, and fills what is masked
WEIGHT = "events"  # the metric that counts what a loss is a mean over
FOREVER = sys.maxsize
ALWAYS = range(FOREVER)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Descends `loss` by moving the networks named in `wrt`, holding all others still.

    Attributes:
      loss: `(params, batch, rng, step) -> (scalar, metrics)`; `step` is None when the
        model is evaluated rather than trained.
      wrt: names of the networks that are moved.
      when: the steps that take it: `range(n)` is a warm-up, `range(n, FOREVER)` all
        that follows, `range(0, FOREVER, 5)` every fifth step.
      tx: the update rule, only where it is part of the algorithm; otherwise the
        experiment chooses it.
      post_update: a transformation applied after the update rule, e.g. weight clipping.
      evaluated: whether the loss is reported on held-out data; False for a loss that
        ignores the contents of the batch.
    """

    loss: Loss
    wrt: tuple[str, ...] = ("net",)
    when: range = ALWAYS
    _: dataclasses.KW_ONLY
    tx: optax.GradientTransformation | None = None
    post_update: optax.GradientTransformation | None = None
    evaluated: bool = True


@runtime_checkable
class Family(Protocol):
    """A generative model: a frozen dataclass of hyperparameters with pure methods."""

    def example(self, n: int) -> Batch:
        """Returns a legal batch of `n` rows: it documents shapes and dtypes."""

    def init(self, rng: Key, batch: Batch) -> Params:
        """Returns the initial parameters of every network."""

    def objectives(self) -> Mapping[str, Objective]:
        """Returns what one training step descends, in order."""

    @property
    def sample(self) -> Callable[..., Array]:
        """Draws: `(params, rng, n)`, and by keyword what it is conditioned on."""


# What a family may be able to do besides. `supports` asks, and nothing else does.


@runtime_checkable
class Autoregressive(Protocol):
    """Writes one event at a time from an explicit state."""

    def start(self, n: int) -> Any:
        """Returns the state of `n` rows before their first event."""

    def stepper(self, params: Params) -> Callable[[Any, Array], tuple[Any, Array]]:
        """Returns `(state, token [n]) -> (state, logits of the next event [n, v])`."""


@runtime_checkable
class Likelihood(Protocol):
    """Has a log-likelihood, or a bound on one."""

    @property
    def log_prob(self) -> Callable[..., Array]:
        """`(params, tokens [b, t, ..], mask [b, t])` -> nats [b]."""


@runtime_checkable
class NoteLikelihood(Protocol):
    """Has a probability for every note of a frame, one after the other."""

    @property
    def note_log_probs(self) -> Callable[..., Any]:
        """`(params, frames [b, t, ..])` -> log-probabilities [b, t, k] of the notes."""


@runtime_checkable
class Adversarial(Protocol):
    """Has a critic."""

    @property
    def verdict(self) -> Callable[..., Array]:
        """`(params, rows [b, ..])` -> how real the critic holds each row [b]."""


@runtime_checkable
class Accompanist(Protocol):
    """Writes tracks to others that a piece has already."""

    @property
    def conditioning(self) -> tuple[str, ...]:
        """Names of the tracks it conditions on; none if it writes all of them."""


@runtime_checkable
class Styled(Protocol):
    """Is conditioned on one of several styles, or tells them apart."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Their names; none if the model was trained without."""


@runtime_checkable
class Classifier(Styled, Protocol):
    """Tells styles apart."""

    @property
    def predict(self) -> Callable[..., Array]:
        """`(params, tokens [b, t])` -> log-probabilities [b, y]."""


@runtime_checkable
class PhraseAutoencoder(Family, Styled, Protocol):
    """Encodes phrases of `bars` bars as `latent` latents, and decodes them."""

    @property
    def bars(self) -> int: ...

    @property
    def length(self) -> int:
        """The steps of a phrase."""

    @property
    def latent(self) -> int: ...

    @property
    def encode(self) -> Callable[..., Any]:
        """`(params, tokens [b, t])` -> the posterior, a Gaussian over [b, z]."""

    @property
    def decode(self) -> Callable[..., Array]:
        """`(params, rng, z [b, z])` -> tokens [b, t]."""


@runtime_checkable
class LatentSequenceModel(Styled, Protocol):
    """Writes pieces of `parts` phrases as the latents of an autoencoder, `vae`."""

    @property
    def vae(self) -> PhraseAutoencoder: ...

    @property
    def parts(self) -> int: ...


@runtime_checkable
class LatentFlow(LatentSequenceModel, Protocol):
    """Maps the latents of pieces to standard normal noise and back."""

    @property
    def to_noise(self) -> Callable[..., Array]:
        """`(params, latents [b, u, z])` -> noise [b, u, c]."""

    @property
    def from_noise(self) -> Callable[..., Array]:
        """`(params, noise [b, u, c])` -> latents [b, u, z]."""


@runtime_checkable
class AudioAutoencoder(Protocol):
    """Encodes audio as latents, and decodes them."""

    @property
    def reconstructed(self) -> Callable[..., Array]:
        """`(params, audio [b, s], rng)` -> audio [b, s]."""


@runtime_checkable
class MelDecoder(AudioAutoencoder, Protocol):
    """Decodes mel spectra, also those that other models write."""

    @property
    def mel(self) -> Any:
        """The mel spectrogram."""

    @property
    def decode(self) -> Callable[..., Array]:
        """`(params, log-mel [b, f, m], rng)` -> audio [b, s]."""


@runtime_checkable
class Speaker(Protocol):
    """Writes speech of several voices, as mel spectra."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def plan(self) -> Callable[..., Any]:
        """`(params, phonemes [n, t], voice [n, v])` -> what `synthesize` reads."""

    @property
    def synthesize(self) -> Callable[..., Any]:
        """`(params, rng, plan)` -> log-mel spectra [n, f, m], and frames [n]."""


def supports(value: Any, protocol: Any) -> bool:
    """Says whether `value` has all that `protocol` asks for."""
    return isinstance(value, protocol)
