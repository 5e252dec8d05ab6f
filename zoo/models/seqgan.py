"""SeqGAN: sequence GAN by policy gradient (Yu et al. 2017, arXiv:1609.05473).

An LSTM generator is pretrained by likelihood; a convolutional critic then learns to
tell its sequences from real ones. No gradient passes through a sampled token, so the
generator descends REINFORCE (eq. 8), with the critic's verdict for a reward. The value
of a prefix is the mean verdict on its completions, drawn by a rollout policy that
follows the generator (Monte Carlo search, eq. 4). A row of a sequence is one token, or
several attributes of an event, each drawn knowing those before it.

Axes: b and n sequence, t step, k attribute of a row, v value, f feature, y style.

Deviations: the reward is the critic's verdict, the log-odds of being real, and not the
probability, which is 0 for nearly all sequences once the critic is good. The mean value
over the batch is subtracted as a baseline. The critic steps every time and the
generator at every `critic_steps`-th step, not in alternating epochs. The rollout policy
moves a share of the way to the generator at every step. Alternatively the generator
descends the critic's verdict through relaxed samples (`zoo.nn.adversarial.gumbel`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from zoo.core import (
    BOUNDARY,
    FOREVER,
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
from zoo.nn.adversarial.compound_lstm import CompoundLSTM, RowState
from zoo.nn.adversarial.losses import GAMES, Game, collapse_metrics
from zoo.nn.adversarial.rollout import monte_carlo_search
from zoo.nn.adversarial.text_cnn import Filters, TextCNN
from zoo.nn.conditioning import mixture_log_prob, random_styles, style_weights
from zoo.nn.rng import row_indices
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import (
    Count,
    DropoutRate,
    Length,
    Pieces,
    PositiveShare,
    Range,
    WarmUp,
    Width,
    checked,
)

ESTIMATORS = ("reinforce", "relax")
FILTERS = (
    (1, 100),
    *((n, 200) for n in range(2, 6)),
    *((n, 100) for n in range(6, 11)),
)


@dataclasses.dataclass(frozen=True)
@checked
class SeqGAN:
    """A GAN of sequences.

    Raises:
      UsageError: a size, a count or a rate out of range, or an unknown name.
    """

    sizes: tuple[Annotated[int, Range(2, 2**20)], ...] = (20, 18, 65, 130, 129, 65, 9)
    """Number of values of each attribute of a row, BOUNDARY included."""
    length: Length = 20
    """Rows in a sequence."""
    embed: Width = 32
    """Width of the generator's embeddings."""
    _: dataclasses.KW_ONLY
    width: Width = 32
    """Width of the generator's LSTM."""
    styles: tuple[str, ...] = ()
    """Names of the styles; empty to train without."""
    filters: Filters = FILTERS
    """The critic's filters: lengths in rows, and the number of filters of each
    length."""
    critic_embed: Width = 64
    """Width of the critic's embeddings."""
    dropout: DropoutRate = 0.25
    """Share of the critic's features dropped in training."""
    warmup: WarmUp = 6000
    """Steps of likelihood pretraining."""
    critic_warmup: WarmUp = 1000
    """Steps after these that train the critic alone."""
    critic_steps: Count = 5
    """Steps of the critic for each step of the generator, in adversarial training."""
    rollouts: Pieces = 16
    """Completions drawn of each prefix."""
    policy_rate: PositiveShare = 0.2
    """Share of the way to the generator that the rollout policy moves at each step."""
    game: str = "non-saturating"
    """Losses of critic and generator, one of `GAMES` without a gradient penalty."""
    ends: bool = True
    """True if a row of BOUNDARY ends a sequence."""
    estimator: str = "reinforce"
    """The generator's gradient: "reinforce", or "relax" for relaxed samples."""
    temperature: Annotated[float, Range(0, 1000, open_low=True)] = 1.0
    """Softmax temperature of relaxed samples."""
    perturbations: Count = 1
    """Noise samples that a relaxed sample is averaged over."""
    likelihood_every: WarmUp = 0
    """Adversarial steps for each step of likelihood (Guo et al. 2018, arXiv:1709.08624,
    section 3.3); 0 for none."""

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise UsageError(
                f"estimator is {self.estimator!r}: choose {' or '.join(ESTIMATORS)}."
            )
        if self.game not in GAMES or GAMES[self.game].penalises_gradient:
            games = [
                name for name, game in GAMES.items() if not game.penalises_gradient
            ]
            raise UsageError(
                f"game is {self.game!r}, and sequences have no gradient: choose "
                f"from {', '.join(games)}."
            )

    @property
    def generator(self) -> CompoundLSTM:
        """The network of the generator and of the rollout policy."""
        return CompoundLSTM(self.sizes, self.embed, self.width, ends=self.ends)

    @property
    def critic(self) -> TextCNN:
        """The critic network."""
        return TextCNN(self.sizes, self.critic_embed, self.filters, self.dropout)

    @property
    def losses(self) -> Game:
        """The losses of critic and generator."""
        return GAMES[self.game]

    def example(self, n: int) -> Batch:
        shape = (n, self.length, len(self.sizes))
        count = jnp.arange(n * self.length * len(self.sizes)).reshape(shape)
        tokens = 1 + count % jnp.array([[[size - 1 for size in self.sizes]]])
        batch = {"tokens": tokens.astype(jnp.int32), "mask": jnp.ones(shape[:2], bool)}
        if self.styles:
            batch["style"] = jnp.arange(n) % len(self.styles)
        return batch

    def init(self, rng: Key, batch: Batch) -> Params:
        generator_rng, critic_rng = jax.random.split(rng)
        batch = jax.tree.map(lambda x: x[:1], dict(batch))
        rows, style = batch["tokens"], style_weights(batch.get("style"), self.styles)
        generator = self.generator.init(generator_rng, rows, style)["params"]
        critic = self.critic.init(critic_rng, rows, style)["params"]
        policy = jax.tree.map(jnp.copy, generator)  # an alias would be donated twice
        return {"generator": generator, "policy": policy, "critic": critic}

    def objectives(self) -> Mapping[str, Objective]:
        begin = self.warmup + self.critic_warmup
        loss = self.reinforce if self.estimator == "reinforce" else self.relax
        objectives = {
            "likelihood": Objective(
                self.likelihood_loss, ("generator",), range(self.warmup)
            ),
            "critic": Objective(
                self.critic_loss,
                ("critic",),
                range(self.warmup, FOREVER),
                post_update=self.losses.weight_clipping,
            ),
            "generator": Objective(
                loss,
                ("generator",),
                range(begin, FOREVER, self.critic_steps),
                evaluated=False,
            ),
        }
        if self.likelihood_every:
            objectives["interleaved_likelihood"] = Objective(
                self.likelihood_loss,
                ("generator",),
                range(begin, FOREVER, self.likelihood_every),
                evaluated=False,
            )
        objectives["policy"] = Objective(
            self.policy_loss,
            ("policy",),
            tx=optax.sgd(self.policy_rate),
            evaluated=False,
        )
        return objectives

    def likelihood_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative log-likelihood, in nats per row of the mask."""
        style = style_weights(batch.get("style"), self.styles)
        log_p, hits = self.row_log_probs(params, batch["tokens"], style)
        return mean_nll(log_p, hits, batch["mask"])

    def critic_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the critic's loss: the batch against generated sequences (eq. 5)."""
        style = style_weights(batch.get("style"), self.styles)
        x = batch["tokens"]
        y = self.generate(params["generator"], rng, style, like=x)
        dropout_rng = None if step is None else jax.random.fold_in(rng, 1)
        styles = None if style is None else jnp.concatenate([style, style])
        verdicts, features = self.criticise(
            params, jnp.concatenate([x, y]), styles, rng=dropout_rng
        )
        loss, metrics = self.losses.verdict_loss(*jnp.split(verdicts, 2))
        return loss, {**metrics, **collapse_metrics(y, *jnp.split(features, 2))}

    def reinforce(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns a loss whose gradient is the negative policy gradient (eq. 8)."""
        style = style_weights(batch.get("style"), self.styles)
        constant = jax.lax.stop_gradient(params)

        # 1. SEQUENCES y ~ G
        y = self.generate(constant["generator"], rng, style, like=batch["tokens"])

        # 2. VALUES Q(y_1:t-1, y_t), by Monte Carlo search (eq. 4), less the baseline
        q = self.action_values(constant, y, style, jax.random.fold_in(rng, 1))
        advantage = q - q.mean(axis=0, keepdims=True)

        # 3. POLICY GRADIENT: the sum over t of log G(y_t | y_1:t-1) Q(y_1:t-1, y_t)
        sampled = self.sampled_rows(y).astype(jnp.float32)
        log_g, _ = self.row_log_probs(params, y, style)
        loss = -(log_g * (advantage * sampled)).sum() / sampled.sum()
        return loss, {"reward": q[:, -1].mean()}

    def relax(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the generator's loss with a gradient through relaxed samples."""
        style, x = style_weights(batch.get("style"), self.styles), batch["tokens"]
        constant = jax.lax.stop_gradient(params["generator"])
        y = self.generate(constant, rng, style, like=x)
        relax_rng, dropout_rng = jax.random.split(jax.random.fold_in(rng, 1))
        soft = self.generator.apply(
            {"params": params["generator"]},
            y,
            style,
            rng=relax_rng,
            temperature=self.temperature,
            perturbations=self.perturbations,
            method="relaxed",
        )
        critic_rng = None if step is None else dropout_rng
        fake, _ = self.criticise(params, y, style, rng=critic_rng, soft=soft)
        real, _ = self.criticise(params, x, style, rng=critic_rng)
        _, generator_loss = self.losses.losses
        return generator_loss(real, fake).mean(), {"reward": fake.mean()}

    def policy_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns half the squared distance from the rollout policy to the generator.

        One step of gradient descent with a learning rate r moves the policy r of the
        way.
        """
        goal = jax.lax.stop_gradient(params["generator"])
        squares = jax.tree.map(
            lambda a, b: 0.5 * ((a - b) ** 2).sum(), params["policy"], goal
        )
        return optax.tree.sum(squares), {}

    def sampled_rows(self, rows: Int[Array, "b t k"]) -> Bool[Array, "b t"]:
        """Returns False for rows after the end, which are not sampled."""
        before = jnp.pad(
            rows[:, :-1, 0], ((0, 0), (1, 0)), constant_values=BOUNDARY + 1
        )
        return (before != BOUNDARY) | (not self.ends)

    def action_values(
        self,
        params: Params,
        rows: Int[Array, "b t k"],
        style: Float[Array, "b y"] | None,
        rng: Key,
    ) -> Float[Array, "b t"]:
        """Returns the value of each prefix, its completions' mean verdict (eq. 4)."""
        net, policy = self.generator, params["policy"]

        def styles_of(n: int) -> Array | None:
            return None if style is None else jnp.repeat(style, n // len(rows), axis=0)

        # the policy's states before each row, so that a prefix is read only once
        before = jnp.pad(rows[:, :-1], ((0, 0), (1, 0), (0, 0))).swapaxes(0, 1)
        read, unused = net.stepper(policy, style), jnp.zeros_like(rows[:, 0], float)

        def advance(state: RowState, row: Array) -> tuple[RowState, RowState]:
            return read(state, row, unused)[0], state

        _, states = jax.lax.scan(advance, net.start(len(rows)), before)

        def verdict(completed: Array) -> Array:
            return self.criticise(params, completed, styles_of(len(completed)))[0]

        step = net.stepper(policy, styles_of(len(rows) * self.rollouts))
        return monte_carlo_search(
            step, states, rows, verdict=verdict, rng=rng, rollouts=self.rollouts
        )

    def generate(
        self,
        generator: Params,
        rng: Key,
        style: Float[Array, "n y"] | None,
        *,
        like: Int[Array, "n t k"],
    ) -> Int[Array, "n t k"]:
        """Draws as many sequences of these styles as there are rows in `like`."""
        step = self.generator.stepper(generator, style)
        indices = row_indices(like)
        return self.generator.sample(step, rng, indices, length=self.length)

    def row_log_probs(
        self,
        params: Params,
        rows: Int[Array, "b t k"],
        style: Float[Array, "b y"] | None,
    ) -> tuple[Float[Array, "b t"], Float[Array, "b t"]]:
        """Returns each row's log-likelihood in nats, and its accuracy."""
        return self.generator.apply({"params": params["generator"]}, rows, style)

    def log_prob(
        self,
        params: Params,
        tokens: Int[Array, "b t k"],
        mask: Bool[Array, "b t"],
        style: Num[Array, "b ..."] | None = None,
    ) -> Float[Array, " b"]:
        """Returns the log-likelihood of the rows in the mask, in nats.

        Without a `style` it is that of the mixture of all styles, equally likely.
        """
        if self.styles and style is None:

            def by_style(y: Array) -> Array:
                return self.log_prob(params, tokens, mask, jnp.full(len(tokens), y))

            return mixture_log_prob(by_style, self.styles)
        log_p, _ = self.row_log_probs(params, tokens, style_weights(style, self.styles))
        return (log_p * mask).sum(axis=1)

    def verdict(
        self,
        params: Params,
        samples: Int[Array, "b t k"],
        style: Num[Array, "b ..."] | None = None,
    ) -> Float[Array, " b"]:
        """Returns the critic's verdicts: the higher, the more real a sequence looks."""
        return self.criticise(params, samples, style_weights(style, self.styles))[0]

    def criticise(
        self,
        params: Params,
        rows: Int[Array, "b t k"],
        style: Float[Array, "b y"] | None,
        *,
        rng: Key | None = None,
        soft: Sequence[Array] = (),
    ) -> tuple[Float[Array, " b"], Float[Array, "b f"]]:
        """Returns the critic's verdicts and features.

        Args:
          rng: the key of dropout, which is off without it.
          soft: relaxed one-hot values of each attribute, which take the gradient.
        """
        return self.critic.apply(
            {"params": params["critic"]},
            rows,
            style,
            deterministic=rng is None,
            soft=soft,
            rngs=None if rng is None else {"dropout": rng},
        )

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Int[Array, "*n p k"] | None = None,
        fixed: Int[Array, " k"] | None = None,
        style: Num[Array, "n ..."] | None = None,
        ends: Bool[Array, ""] | bool = True,
    ) -> Int[Array, "n t k"]:
        """Draws sequences, int32; row i is a function of `rng` and i.

        Args:
          length: rows to draw; by default those of a training sequence.
          draw: how values are sampled.
          primer: the rows that sequences begin with; rows of BOUNDARY are drawn.
          fixed: the value of each attribute in every row; BOUNDARY to draw it.
          style: the index of each sequence's style; by default drawn at random.
          ends: False to draw no BOUNDARY, so that a sequence goes on.
        """
        style = random_styles(rng, n, self.styles) if style is None else style
        weights = style_weights(style, self.styles)
        step = self.generator.stepper(
            params["generator"], weights, draw, fixed=fixed, ends=ends
        )
        length = length or self.length
        indices = jnp.arange(n)
        return self.generator.sample(step, rng, indices, length=length, primer=primer)


TINY = SeqGAN(
    sizes=(4, 5),
    length=5,
    embed=3,
    width=6,
    styles=("jig", "reel"),
    filters=((1, 4), (3, 2)),
    critic_embed=3,
    warmup=2,
    critic_warmup=1,
    critic_steps=2,
    rollouts=2,
)
