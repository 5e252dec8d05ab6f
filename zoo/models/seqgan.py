"""SeqGAN: a GAN whose generator is an RNN (Yu, Zhang, Wang & Yu 2017, arXiv:1609.05473).

An LSTM writes sequences and is first taught by likelihood; a convolutional critic then tells them
from real ones. No gradient passes through what was drawn, so the critic's verdict is a reward: what
a row of the sequence is worth is the mean verdict on completions of it, drawn by a policy that
trails the generator (Monte Carlo roll-outs; eq. 4), and the generator descends by REINFORCE (eq. 8)
less the mean over the batch, the baseline. A row may be one token or several values of an event,
each drawn knowing those before it. Axes: b sequence, t step, k value, v vocabulary, h width.

Deviations: the reward is the critic's verdict, the log-odds of being real, where the paper takes
the probability: once a critic is sure, that is 0 for all but the few that fool it. The critic is
taught at every step and the generator at every `every`-th, not in turns of many epochs; the
roll-out policy trails by a fifth of the way at every step, from birth on.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import optax

from zoo.core import BOUNDARY, FOREVER, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.adversarial.compound_lstm import RowLSTM
from zoo.nn.adversarial.losses import GAMES, Game, collapse
from zoo.nn.adversarial.rollout import values
from zoo.nn.adversarial.text_cnn import Filters, TextCNN
from zoo.nn.conditioning import mixture_log_prob, random_styles, style_weights
from zoo.nn.rng import row_indices
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.sampling import Draw

ESTIMATORS = ("reinforce", "relax")
FILTERS = (
    (1, 100),
    *((n, 200) for n in range(2, 6)),
    *((n, 100) for n in range(6, 11)),
)


@dataclasses.dataclass(frozen=True)
class SeqGAN:
    """Sizes, and how it is taught. A row is `sizes` values; `length` rows are a sequence.

    `warm` steps are likelihood's, the next `tutor` teach the critic alone, and from then on it is
    taught at every step and the generator at every `every`-th, by `rollouts` completions of each
    prefix. `ends`: whether a row of BOUNDARY ends a sequence. `game`: one of GAMES, by name.
    `estimator`: of the generator's gradient, by roll-outs ("reinforce") or through what it draws,
    relaxed ("relax") at a `heat` and over so many `perturbations`. At every `lessons`-th step of
    the game, if any, it is taught by likelihood as well (Guo et al. 2018, arXiv:1709.08624, 3.3).

    Raises:
      UsageError: a size, a count or a dropout out of range, or an unknown game.
    """

    sizes: tuple[int, ...] = (20, 18, 65, 130, 129, 65, 9)
    length: int = 20
    embed: int = 32
    width: int = 32
    styles: tuple[str, ...] = ()
    filters: Filters = FILTERS
    critic_embed: int = 64
    dropout: float = 0.25
    warm: int = 6000
    tutor: int = 1000
    every: int = 5
    rollouts: int = 16
    trail: float = 0.2
    game: str = "non-saturating"
    ends: bool = True
    estimator: str = "reinforce"
    heat: float = 1.0
    perturbations: int = 1
    lessons: int = 0

    def __post_init__(self) -> None:
        names = ("length", "embed", "width", "critic_embed", "every", "rollouts")
        counts = {name: getattr(self, name) for name in names} | {
            "sizes": min(self.sizes) - 1
        }
        if small := [
            f"{name} is {count}" for name, count in counts.items() if count < 1
        ]:
            raise UsageError(f"{small[0]}: choose 1 or more.")
        if self.lessons < 0:
            raise UsageError(
                f"lessons is {self.lessons}: choose 0 for none of them, or more."
            )
        if not 0 <= self.dropout < 1 or not 0 < self.trail <= 1:
            raise UsageError(
                f"dropout is {self.dropout} and trail {self.trail}: choose a dropout from 0 to "
                "below 1, and to trail by more than 0 and at most 1 of the way."
            )
        if self.estimator not in ESTIMATORS or self.heat <= 0 or self.perturbations < 1:
            raise UsageError(
                f"estimator is {self.estimator!r}, heat {self.heat} and perturbations "
                f"{self.perturbations}: choose {' or '.join(ESTIMATORS)}, a heat above 0 and 1 or "
                "more perturbations."
            )
        if self.game not in GAMES or GAMES[self.game].charges:
            free = [name for name, game in GAMES.items() if not game.charges]
            raise UsageError(
                f"the critic of sequences cannot play {self.game!r}: choose from {', '.join(free)}."
            )

    @property
    def writer(self) -> RowLSTM:
        return RowLSTM(self.sizes, self.embed, self.width, self.ends)

    @property
    def critic(self) -> TextCNN:
        return TextCNN(self.sizes, self.critic_embed, self.filters, self.dropout)

    @property
    def rules(self) -> Game:
        return GAMES[self.game]

    def example(self, n: int) -> Batch:
        shape = (n, self.length, len(self.sizes))
        count = jnp.arange(n * self.length * len(self.sizes)).reshape(shape)
        tokens = 1 + count % jnp.array([[[size - 1 for size in self.sizes]]])
        batch = {"tokens": tokens.astype(jnp.int32), "mask": jnp.ones(shape[:2], bool)}
        return batch | (
            {"style": jnp.arange(n) % len(self.styles)} if self.styles else {}
        )

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two = jax.random.split(rng)
        batch = jax.tree.map(lambda x: x[:1], dict(batch))
        rows, style = batch["tokens"], style_weights(batch.get("style"), self.styles)
        generator = self.writer.init(one, rows, style)["params"]
        critic = self.critic.init(two, rows, style)["params"]
        policy = jax.tree.map(jnp.copy, generator)  # an alias would be donated twice
        return {"generator": generator, "policy": policy, "critic": critic}

    def objectives(self) -> Mapping[str, Objective]:
        taught = self.warm + self.tutor
        turns = range(taught, FOREVER, self.every)
        judged, bounds = range(self.warm, FOREVER), self.rules.bounds
        move, trailing = getattr(self, self.estimator), optax.sgd(self.trail)
        found = {
            "likelihood": Objective(self.likelihood, ("generator",), range(self.warm)),
            "discriminate": Objective(
                self.discriminate, ("critic",), judged, post_update=bounds
            ),
            self.estimator: Objective(move, ("generator",), turns, evaluated=False),
        }
        if self.lessons:
            when = range(taught, FOREVER, self.lessons)
            found["lesson"] = Objective(
                self.likelihood, ("generator",), when, evaluated=False
            )
        trail = Objective(self.follow, ("policy",), tx=trailing, evaluated=False)
        return {**found, "trail": trail}

    def likelihood(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Mean negative log-likelihood of the rows in the mask, in nats a row."""
        log_p, hits = self.rated(
            params, batch["tokens"], style_weights(batch.get("style"), self.styles)
        )
        return mean_nll(log_p, hits, batch["mask"])

    def discriminate(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the critic descends: to tell the batch from as many sequences of the generator."""
        style = style_weights(batch.get("style"), self.styles)
        real = batch["tokens"]
        fake = self.written(params["generator"], rng, style, real)
        both = lambda x: None if x is None else jnp.concatenate([x, x])
        key = None if step is None else jax.random.fold_in(rng, 1)
        verdicts, features = self.judge(
            params, jnp.concatenate([real, fake]), both(style), key
        )
        value, metrics = self.rules.contest(*jnp.split(verdicts, 2))
        return value, {**metrics, **collapse(fake, *jnp.split(features, 2))}

    def reinforce(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """The policy gradient (eq. 8): of the rows that the generator drew, each in proportion to
        how much more it is worth than is usual at its step."""
        style = style_weights(batch.get("style"), self.styles)
        held = jax.lax.stop_gradient(params)
        rows = self.written(held["generator"], rng, style, batch["tokens"])
        worth = self.worth(held, rows, style, jax.random.fold_in(rng, 1))
        before = jnp.pad(
            rows[:, :-1, 0], ((0, 0), (1, 0)), constant_values=BOUNDARY + 1
        )
        drawn = (before != BOUNDARY) | (not self.ends)
        log_p, _ = self.rated(params, rows, style)
        gain = (worth - worth.mean(axis=0, keepdims=True)) * drawn
        return -(log_p * gain).sum() / drawn.sum(), {"reward": worth[:, -1].mean()}

    def relax(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the generator descends where a gradient passes through what it has drawn, relaxed:
        that the critic does not believe it."""
        style, real = style_weights(batch.get("style"), self.styles), batch["tokens"]
        rows = self.written(
            jax.lax.stop_gradient(params["generator"]), rng, style, real
        )
        keys = jax.random.split(jax.random.fold_in(rng, 1))
        soft = self.writer.apply(
            {"params": params["generator"]},
            rows,
            style,
            keys[0],
            self.heat,
            self.perturbations,
            method="relaxed",
        )
        dropped = None if step is None else keys[1]
        fake = self.judge(params, rows, style, dropped, soft)[0]
        told = self.judge(params, real, style, dropped)[0]
        return self.rules.losses[1](told, fake).mean(), {"reward": fake.mean()}

    def follow(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Half the squared distance from the policy to the generator: descended at a rate of r, the
        policy goes r of the way."""
        goal = jax.lax.stop_gradient(params["generator"])
        apart = jax.tree.map(
            lambda a, b: 0.5 * ((a - b) ** 2).sum(), params["policy"], goal
        )
        return optax.tree.sum(apart), {}

    def worth(
        self, params: Params, rows: Array, style: Array | None, rng: Key
    ) -> Array:
        """What rows [b, t, k] are worth up to each, [b, t]: the verdict on completions of them, on
        average (eq. 4)."""
        writer, policy = self.writer, params["policy"]
        again = lambda n: (
            None if style is None else jnp.repeat(style, n // len(rows), axis=0)
        )
        before = jnp.pad(rows[:, :-1], ((0, 0), (1, 0), (0, 0))).swapaxes(0, 1)
        read = writer.stepper(policy, style)
        still = jnp.zeros_like(rows[:, 0], jnp.float32)
        walk = lambda state, row: (read(state, row, still)[0], state)
        _, states = jax.lax.scan(walk, writer.start(len(rows)), before)
        go = writer.stepper(policy, again(len(rows) * self.rollouts))
        judge = lambda whole: self.judge(params, whole, again(len(whole)))[0]
        return values(go, states, rows, judge, rng, self.rollouts)

    def written(
        self, generator: Params, rng: Key, style: Array | None, real: Array
    ) -> Array:
        """As many sequences [n, t, k] as real ones, of the styles [n, y]."""
        go = self.writer.stepper(generator, style)
        return self.writer.write(go, rng, row_indices(real), self.length)

    def rated(
        self, params: Params, rows: Array, style: Array | None
    ) -> tuple[Array, Array]:
        """For each row [b, t]: its log-likelihood, and the share of its values held likeliest."""
        return self.writer.apply({"params": params["generator"]}, rows, style)

    def log_prob(
        self, params: Params, tokens: Array, mask: Array, style: Array | None = None
    ) -> Array:
        """Log-likelihood [b] in nats of the rows [b, t, k] in the mask [b, t].

        Without a `style`, that of the mixture of all, equally likely.
        """
        if self.styles and style is None:
            each = lambda y: self.log_prob(
                params, tokens, mask, jnp.full(len(tokens), y)
            )
            return mixture_log_prob(each, self.styles)
        log_p, _ = self.rated(params, tokens, style_weights(style, self.styles))
        return (log_p * mask).sum(axis=1)

    def verdict(
        self, params: Params, samples: Array, style: Array | None = None
    ) -> Array:
        """The critic's verdicts [b] on sequences [b, t, k]: the higher, the more real they look."""
        return self.judge(params, samples, style_weights(style, self.styles))[0]

    def judge(
        self,
        params: Params,
        rows: Array,
        style: Array | None = None,
        rng: Key | None = None,
        soft: Sequence[Array] = (),
    ) -> tuple[Array, Array]:
        """The critic's verdicts [b] on sequences [b, t, k], and the features that it goes by.

        Dropout is on where `rng` is given; a gradient passes to `soft` shares of rows.
        """
        rngs = None if rng is None else {"dropout": rng}
        critic = {"params": params["critic"]}
        return self.critic.apply(critic, rows, style, rng is None, soft, rngs=rngs)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Array | None = None,
        fixed: Array | None = None,
        style: Array | None = None,
    ) -> Array:
        """Sequences int32 [n, t, k]; row i is a function of `rng` and i.

        Args:
          primer: the rows that they begin with, [p, k] or [n, p, k]; BOUNDARY where one is drawn.
          fixed: what each value [k] is, in every row; BOUNDARY where it is drawn.
          style: int [n]; of any style, unless told of which.
        """
        style = random_styles(rng, n, self.styles) if style is None else style
        told = style_weights(style, self.styles)
        go = self.writer.stepper(params["generator"], told, draw, fixed)
        return self.writer.write(go, rng, jnp.arange(n), length or self.length, primer)


TINY = SeqGAN(
    sizes=(4, 5),
    length=5,
    embed=3,
    width=6,
    styles=("jig", "reel"),
    filters=((1, 4), (3, 2)),
    critic_embed=3,
    warm=2,
    tutor=1,
    every=2,
    rollouts=2,
)
