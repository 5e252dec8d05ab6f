"""Tacotron: speech, as log-mel spectra, from phonemes.

Y. Wang et al., arXiv:1703.10135, 2017; J. Shen et al. (Tacotron 2), arXiv:1712.05884,
2018; J. Shen et al. (non-attentive Tacotron), arXiv:2010.04301, 2020. Guided attention:
H. Tachibana et al., arXiv:1710.08969, 2018.

Phonemes are encoded by convolutions and a bidirectional LSTM, and a voice is added.
Each frame is aligned with phonemes: by attention to content and location, or by
durations, which are known in training and predicted afterwards, and Gaussian
upsampling. A decoder writes a few frames at a time, conditioned on the last frame that
it wrote, and convolutions correct them. Axes: b, n row, s sample, t phoneme, f frame, m
mel band, u decoder step, r frame of a step, v voice, e width of contexts.

Deviations from the papers:

- Convolutions are residual, with layer normalisation in place of batch normalisation,
  so that a row does not depend on others.
- Encoded phonemes are added the vector of a voice, or the mean of several.
- Durations are predicted as log(1 + frames), and widths of Gaussians relative to them.
  The decoder sees the place in a phoneme and its duration, not a positional embedding.
- The guided loss is a mean over steps; the paper's is one over phonemes, too. The
  second LSTM layer does not feed the attention, and so it runs over whole rows.
- `decoder="convolutions"` replaces the recurrent decoder; it writes all frames at once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from zoo.core import (
    WEIGHT,
    Array,
    Batch,
    Float,
    Int,
    Key,
    Metrics,
    Objective,
    Params,
)
from zoo.errors import UsageError
from zoo.nn.audio.frame_decoder import (
    ConvDecoder,
    Decoded,
    DecoderState,
    LayerStates,
    Plan,
    RecurrentDecoder,
    kept_units,
    kept_units_of_rows,
)
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.speech_batch import (
    SCALE,
    Speech,
    SpeechBatch,
    log_mel,
    normalised,
    silenced,
    step_mask,
    token_mask,
    voice_weights,
)
from zoo.nn.audio.speech_net import Output, SpeechNet, to_frames
from zoo.nn.audio.stft import STFT
from zoo.nn.audio.vocoder import chirps
from zoo.nn.masked import masked_mean
from zoo.nn.rng import row_keys
from zoo.nn.sequence.location_attention import guided_penalty, initial_state
from zoo.nn.sequence.lstm import zero_carry
from zoo.ranges import (
    Count,
    DropoutRate,
    Hertz,
    Layers,
    Length,
    Several,
    Size,
    Weight,
    Width,
    checked,
)

AHEAD = 3  # phonemes by which the attention may advance in a step of `sample`


@dataclasses.dataclass(frozen=True)
@checked
class Tacotron:
    """Writes speech of several voices, as log-mel spectra.

    Raises:
      UsageError: no voices, or attention without a recurrent decoder.
    """

    rate: Hertz = 16_000
    """Sampling rate in Hz."""
    vocab: Several = 75
    """Number of phonemes, the end of a text included."""
    voices: tuple[str, ...] = ("voice",)
    """Names of the voices."""
    _: dataclasses.KW_ONLY
    mel_bands: Count = 80
    """Bands of the mel spectrum."""
    hop: Count = 256
    """Samples per frame."""
    alignment: Literal["durations", "attention"] = "durations"
    """Alignment of frames with phonemes. Durations must be known for training."""
    decoder: Literal["recurrent", "convolutions"] = "recurrent"
    """The decoder; convolutions need durations."""
    width: Width = 128
    """Channels of the encoder, of the predictors and of the post-net."""
    layers: Layers = 3
    """Convolutions of the encoder."""
    prenet: Width = 128
    """Channels of the pre-net, through which the decoder reads its last frame."""
    dropout: DropoutRate = 0.5
    """Rate of dropout in the pre-net, in sampling, too."""
    decoder_width: Width = 256
    """Channels of each layer of the decoder."""
    reduction: Count = 3
    """Frames that the recurrent decoder writes at a step."""
    blocks: Layers = 6
    """Layers of the decoder of convolutions."""
    postnet: Size = 3
    """Convolutions that correct the decoder's frames; 0 for none."""
    attention_width: Width = 64
    """Channels of the attention."""
    guided: Weight = 1.0
    """Weight of the guided loss of the attention."""
    duration_weight: Weight = 1.0
    """Weight of the loss of predicted durations."""
    length: Length = 625
    """Frames of a sample, at most."""

    def __post_init__(self) -> None:
        if not self.voices:
            raise UsageError("Tacotron needs a voice: name one or more in `voices`.")
        if self.attends and not self.recurrent:
            raise UsageError(
                "a decoder of convolutions cannot attend: choose "
                "alignment=durations or decoder=recurrent."
            )
        _ = self.mel

    @property
    def attends(self) -> bool:
        """True if attention aligns frames with phonemes."""
        return self.alignment == "attention"

    @property
    def recurrent(self) -> bool:
        """True if frames are written one step after the other."""
        return self.decoder == "recurrent"

    @property
    def per_step(self) -> int:
        """Frames that are written at a step."""
        return self.reduction if self.recurrent else 1

    @property
    def mel(self) -> Mel:
        """The mel spectrogram that is written, which is that of `MelVocoder`."""
        return Mel(self.rate, self.mel_bands, stft=STFT(4 * self.hop, self.hop))

    @property
    def net(self) -> SpeechNet:
        """All networks."""
        bands, width = self.mel_bands, self.decoder_width
        decoder: RecurrentDecoder | ConvDecoder
        if self.recurrent:
            decoder = RecurrentDecoder(
                bands,
                width,
                self.prenet,
                per_step=self.reduction,
                dropout=self.dropout,
                attention=self.attention_width if self.attends else None,
            )
        else:
            decoder = ConvDecoder(bands, width, self.blocks)
        return SpeechNet(
            self.vocab,
            len(self.voices),
            width=self.width,
            layers=self.layers,
            postnet=self.postnet,
            decoder=decoder,
        )

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows, of 16 tokens that last a frame each."""
        index = jnp.arange(1, 17, dtype=jnp.int32)
        row = jnp.where(index < 16, 1 + index % (self.vocab - 1), 0)
        return {
            "phonemes": jnp.tile(row, (n, 1)),
            "ends": jnp.tile(index * self.hop, (n, 1)),
            "audio": chirps(n, 16 * self.hop),
            "samples": jnp.full(n, 16 * self.hop, jnp.int32),
            "voice": (jnp.arange(n) % len(self.voices)).astype(jnp.int32),
            "mask": jnp.ones(n, bool),
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters, whose shapes do not depend on the batch."""
        rows = (
            jnp.zeros((1, 1), jnp.int32),
            jnp.zeros((1, len(self.voices)), jnp.float32),
            jnp.zeros((1, 1), jnp.float32),
            jnp.zeros((1, self.per_step, self.mel_bands), jnp.float32),
            jnp.ones((1, self.per_step), bool),
        )
        return {"net": self.net.init(rng, *rows, None)["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: the errors of spectra and of the alignment."""
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss: absolute and squared errors of spectra, and the alignment.

        Rows with an unknown duration count for attention alone.
        """
        rows = self.read(batch)
        output = self.forced(params, rows, rng)
        mask = rows.frame_mask & rows.mask[:, None]
        # 1. SPECTRA
        errors = [jnp.abs(x - rows.mel) for x in (output.draft, output.mel)]
        losses = [masked_mean((e + e * e).mean(axis=-1), mask) for e in errors]
        draft, mel = (SCALE * masked_mean(e.mean(axis=-1), mask) for e in errors)
        metrics = {"mel": mel, "draft": draft, WEIGHT: mask.sum()}
        # 2. ALIGNMENT
        aligned = self.attention_loss if self.attends else self.duration_loss
        alignment, more = aligned(rows, output)
        return losses[0] + losses[1] + alignment, {**metrics, **more}

    def duration_loss(
        self, rows: SpeechBatch, output: Output
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the squared error of log(1 + durations), weighted."""
        assert output.durations is not None
        mask = rows.heard & rows.mask[:, None]
        error = output.durations - jnp.log1p(rows.durations)
        loss = masked_mean(error * error, mask)
        frames = to_frames(output.durations)
        off = masked_mean(jnp.abs(frames - rows.durations), mask)
        metrics = {"duration": loss, "duration_ms": off * (1000 * self.hop / self.rate)}
        return self.duration_weight * loss, metrics

    def attention_loss(
        self, rows: SpeechBatch, output: Output
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the guided loss, weighted, and that of the end of rows.

        `focus` is the mean of the largest weight of each step, and `diagonality` that
        of the weight near the diagonal. Both are near 1 if the model reads, and small
        if the attention has collapsed.
        """
        assert output.stop is not None
        steps = -(-rows.frames // self.per_step)
        index = jnp.arange(output.stop.shape[1])[None]
        mask = step_mask(steps, output.stop.shape[1]) & rows.mask[:, None]
        penalty = guided_penalty(output.weights, rows.heard.sum(axis=1), steps)
        guided = masked_mean(penalty, mask)
        ends = index == steps[:, None] - 1
        stop = jax.nn.softplus(jnp.where(ends, -output.stop, output.stop))
        stop = masked_mean(stop, mask)
        focus = masked_mean(output.weights.max(axis=-1), mask)
        metrics = {"focus": focus, "diagonality": 1 - guided, "stop": stop}
        return self.guided * guided + stop, metrics

    def read(self, batch: Batch) -> SpeechBatch:
        """Reads a batch; rows whose durations must be known and are not, are masked."""
        rows = SpeechBatch.of(batch, self.mel, self.per_step)
        return rows if self.attends else rows._replace(mask=rows.mask & rows.known)

    def forced(self, params: Params, rows: SpeechBatch, rng: Key) -> Output:
        """Writes rows by teacher forcing: the frames before each step are known."""
        kept = None
        if self.recurrent:
            n, steps = len(rows.mel), rows.mel.shape[1] // self.per_step
            kept = kept_units(rng, (steps, n, 2, self.prenet), self.dropout)
        voice = voice_weights(rows.voice, len(self.voices))
        arrays = rows.tokens, voice, rows.durations, rows.mel, rows.frame_mask
        return self.apply(params, "__call__", *arrays, kept)

    def apply(self, params: Params, method: str, *args: Any) -> Any:
        """Calls a method of the networks."""
        return self.net.apply({"params": params["net"]}, *args, method=method)

    def attention(self, params: Params, batch: Batch) -> Float[Array, "b u t"]:
        """Returns the weight of each phoneme in each step, whose audio is known."""
        return self.forced(params, self.read(batch), jax.random.key(0)).weights

    def plan(
        self,
        params: Params,
        *,
        phonemes: Int[Array, "n t"],
        voice: Array,
        frames: int | None = None,
        pace: float = 1.0,
        durations: Float[Array, "n t"] | None = None,
    ) -> Plan:
        """Reads the phonemes, and aligns frames with them if durations do.

        Args:
          params: of the networks.
          phonemes: tokens, padded with BOUNDARY.
          voice: int [n], or weights [n, v], whose sums are 1.
          frames: to write at most; `length` by default.
          pace: factor of speed; attention has its own.
          durations: of the phonemes in frames; predicted by default.

        Raises:
          UsageError: attention has no durations that could be set.
        """
        phonemes, count = jnp.asarray(phonemes), self.steps(frames)
        heard, most = token_mask(phonemes), count * self.per_step
        weights = voice_weights(voice, len(self.voices))
        memory = self.apply(params, "encode", phonemes, weights)
        if self.attends:
            if durations is not None or pace != 1:
                raise UsageError(
                    "a model with attention has its own durations: leave `pace` and "
                    "`durations` out, or train one with alignment=durations."
                )
            ends = jnp.full(len(phonemes), most, jnp.int32)
            return Plan(self.apply(params, "remember", memory, heard), ends)
        if durations is None:
            durations = self.apply(params, "durations", memory, heard)
        durations = jnp.where(heard, durations, 0.0) / pace
        total = jnp.ceil(durations.sum(axis=1) - 1e-3).astype(jnp.int32)
        upsampled = memory, heard, durations, count
        aligned = self.apply(params, "upsample", *upsampled)
        return Plan(aligned[0], jnp.clip(total, 1, most))

    def steps(self, frames: int | None = None) -> int:
        """Returns the steps that write so many frames, `length` by default."""
        return -(-(frames or self.length) // self.per_step)

    def begin(self, rng: Key, plan: Plan) -> DecoderState:
        """Returns the state of the recurrent decoder before the first step."""
        n = len(plan.frames)
        carry = zero_carry(n, self.decoder_width)
        first = (
            initial_state(plan.source, self.decoder_width) if self.attends else carry
        )
        return DecoderState(
            jnp.zeros((), jnp.int32),
            row_keys(rng, n),
            jnp.zeros((n, self.mel_bands), jnp.float32),
            layers=LayerStates(first, carry),
            plan=plan,
        )

    def step(
        self, params: Params, state: DecoderState
    ) -> tuple[DecoderState, Float[Array, "n r m"]]:
        """Writes the frames of a step, which `refine` has not corrected yet."""
        source, ends = state.plan
        contexts = source
        if not self.attends:
            contexts = jax.lax.dynamic_slice_in_dim(source, state.step, 1, axis=1)
        kept = kept_units_of_rows(state, self.prenet, self.dropout)
        arrays = contexts, state.frame[None], kept, state.layers, AHEAD
        layers, decoded = self.apply(params, "decode", *arrays)
        if self.attends:
            last = source.mask.sum(axis=1) - 1
            stopped = decoded.stop[:, 0] > 0
            stopped &= layers.first.weights.argmax(axis=1) >= last - 1
            now = (state.step + 1) * self.per_step
            ends = jnp.where(stopped, jnp.minimum(ends, now), ends)
        after = state._replace(
            step=state.step + 1,
            frame=decoded.frames[:, -1],
            layers=layers,
            plan=Plan(source, ends),
        )
        return after, log_mel(decoded.frames)

    def refine(
        self, params: Params, draft: Float[Array, "n f m"], frames: Int[Array, " n"]
    ) -> Float[Array, "n f m"]:
        """Corrects all frames; those after the end of a row are silent."""
        mask = step_mask(frames, draft.shape[1])
        mel = self.apply(params, "refine", normalised(draft), mask)
        return silenced(log_mel(mel), mask)

    def synthesize(
        self, params: Params, rng: Key, plan: Plan, frames: int | None = None
    ) -> Speech:
        """Writes speech by a plan that was made for that number of frames."""
        n, count = len(plan.frames), self.steps(frames)
        if self.recurrent:
            advance = lambda state, _: self.step(params, state)
            state, steps = jax.lax.scan(advance, self.begin(rng, plan), length=count)
            plan = state.plan
            draft = steps.swapaxes(0, 1).reshape(n, -1, self.mel_bands)
        else:
            mask = step_mask(plan.frames, count)
            decoded: Decoded = self.apply(params, "decode", plan.source, mask)
            draft = log_mel(decoded.frames)
        mel = self.refine(params, draft, plan.frames)[:, : frames or self.length]
        return Speech(mel, jnp.minimum(plan.frames, mel.shape[1]))

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        phonemes: Int[Array, "n t"],
        voice: Array,
        frames: int | None = None,
        pace: float = 1.0,
        durations: Float[Array, "n t"] | None = None,
    ) -> Float[Array, "n f m"]:
        """Writes log-mel spectra of `frames` frames; `plan` describes the arguments."""
        plan = self.plan(
            params,
            phonemes=phonemes,
            voice=voice,
            frames=frames,
            pace=pace,
            durations=durations,
        )
        return self.synthesize(params, rng, plan, frames).mel


# 16 channels fill registers of a CPU; with fewer, rounding depends on other rows.
TINY = Tacotron(
    rate=1600,
    vocab=8,
    voices=("low", "high"),
    mel_bands=8,
    hop=8,
    width=16,
    layers=1,
    prenet=16,
    decoder_width=16,
    reduction=2,
    postnet=1,
    length=16,
)
