"""A trained model: what `zoo.load` returns and what samples, scores and evaluates from then on."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np
from jax.sharding import Mesh

from zoo.config import restore
from zoo.core import BOUNDARY, Family, Params
from zoo.data.codecs.base import Codec
from zoo.data.codecs.chorale import VOICES
from zoo.data.codecs.compound import Compound
from zoo.data.codecs.phrase import Phrase
from zoo.data.codecs.voices import Voices
from zoo.data.codecs.waveform import Waveform
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError
from zoo.inference.sampler import Sampler, demand
from zoo.nn.sequence.sampling import Draw
from zoo.train.checkpoint import Checkpoints, shapes

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

WEIGHTS = pathlib.Path(__file__).parents[1] / "weights"


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A family, its parameters, and the codec that turns its tokens into music."""

    family: Family
    params: Params
    codec: Codec
    about: dict[str, Any]  # what the checkpoint says of itself

    @functools.cached_property
    def sampler(self) -> Sampler:
        return Sampler(self.family, self.params, self.codec)

    def tokens(
        self,
        n: int,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: np.ndarray | None = None,
        grammar: bool = True,
    ) -> np.ndarray:
        """Draws int [n, length, ..]: row i is a function of the seed, i and what it is drawn by."""
        return self.sampler.draw(
            n, seed, length=length, draw=draw, primer=primer, legal=grammar
        )

    def sample(
        self,
        n: int = 8,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: "NoteSequence | None" = None,
        rewrite: Sequence[str] = (),
        span: tuple[int, int] | None = None,
        grammar: bool = True,
        best_of: int = 1,
        judge: Literal["likelihood", "critic"] = "likelihood",
        beam: int | None = None,
        style: str | None = None,
        fixed: Mapping[str, str | int] = MappingProxyType({}),
    ) -> "list[NoteSequence]":
        """Writes `n` pieces, none empty.

        Args:
          length: the most events or steps of a piece; by default what the family is made for.
          primer: what every piece goes on from, or, with `rewrite` or `span`, is a version of; or
            what has the tracks that a model writes others to.
          rewrite: the voices that are written anew: soprano, alto, tenor, bass; by default all.
          span: the steps in which they are, from the first up to the second; by default all.
          grammar: whether to draw nothing but what the codec writes.
          best_of: how many to draw for each piece, of which one is kept.
          judge: by what: the likeliest per event, or the one that the model's critic holds most
            real.
          beam: how many beginnings to keep in a search for the likeliest pieces, instead of
            drawing; the best `n` that it ends with, which may be fewer.
          style: by name, where the model knows styles; by default any.
          fixed: what is the same in every note, by its name in a Compound codec, such as
            {"metre": "3/4", "instrument": "flute"}.

        Raises:
          UsageError: what does not fit together, or the family does not do.
          ZooError: where most of what the model writes is silence.
        """
        demand(
            not isinstance(self.codec, Waveform),
            f"{type(self.family).__name__} makes sound of sound: give it some, zoo reconstruct.",
        )
        demand(n >= 1, f"{n} pieces were asked for: ask for at least one.")
        demand(best_of >= 1 and beam != 0, "best_of and beam are 1 or more.")
        begin = None if primer is None else self.prime(primer, rewrite)
        given: dict[str, Any] = {"length": length, "primer": begin, "legal": grammar}
        if beam is not None:
            undrawn = (
                dataclasses.replace(draw, no_repeat=None) == Draw() and best_of == 1
            )
            demand(
                undrawn and not rewrite and span is None,
                "beam search draws nothing: of the ways to draw it takes no_repeat alone.",
            )
            found = self.sampler.search(beam, no_repeat=draw.no_repeat, **given)
            if pieces := self._heard(found):
                return pieces[:n]
        else:
            given |= {
                "free": self.cells(begin, rewrite, span),
                "best_of": best_of,
                "draw": draw,
            }
            given |= {
                "judge": judge,
                "style": self.styled(style),
                "fixed": self.fixed(fixed),
            }
            for rows in (
                n,
                2 * n,
                8 * n,
            ):  # row i does not depend on how many there are
                if (
                    len(pieces := self._heard(self.sampler.draw(rows, seed, **given)))
                    >= n
                ):
                    return pieces[:n]
        raise ZooError("the model writes pieces without notes: train it for longer.")

    def styled(self, name: str | None) -> int | None:
        """The place of a style among those that the model knows. Raises UsageError for others."""
        if name is None:
            return None
        known = getattr(self.family, "styles", ())
        demand(
            name in known and self.sampler.takes("style"),
            f"{self.sampler.name} knows no style {name!r}: it knows {', '.join(known) or 'none'}.",
        )
        return known.index(name)

    def fixed(self, values: Mapping[str, str | int]) -> np.ndarray | None:
        """The values [k] of a row of the codec, BOUNDARY where they are not given."""
        if not values:
            return None
        codec = self.codec
        if not (isinstance(codec, Compound) and self.sampler.takes("fixed")):
            raise UsageError(
                f"{self.sampler.name} writes no {' or '.join(values)} with its notes: leave that "
                "out, or load a model of the Compound codec, such as a SeqGAN."
            )
        tokens = {name: codec.value(name, value) for name, value in values.items()}
        return np.array(
            [tokens.get(name, BOUNDARY) for name in codec.columns], np.int32
        )

    def _heard(self, arrays: Iterable[np.ndarray]) -> "list[NoteSequence]":
        """The music of the arrays that are not silent."""
        return [piece for piece in map(self.codec.decode, arrays) if piece.notes]

    def prime(self, primer: "NoteSequence", rewrite: Sequence[str] = ()) -> np.ndarray:
        """The events of `primer` without its end, or its frames.

        It need not have the voices to `rewrite`. Raises UsageError where the codec refuses it.
        """
        encode: Callable[[Any], np.ndarray] = self.codec.encode
        family: Any = self.family
        if isinstance(codec := self.codec, Phrase) and hasattr(family, "vae"):
            part = dataclasses.replace(codec, bars=family.vae.bars)
            encode = lambda piece: part.phrases(piece).reshape(-1)[: family.length]
        if isinstance(codec := self.codec, Voices) and rewrite:
            others = [voice for voice in VOICES if voice not in rewrite]
            if len({(x.instrument, x.part, x.voice) for x in primer.notes}) == len(
                others
            ):
                encode = lambda piece: codec.fit(piece, others).array
        try:
            array = encode(primer)
        except Refused as refused:
            raise UsageError(
                f"the primer does not suit the {type(codec).__name__} codec: {refused}"
            ) from refused
        if isinstance(self.codec, Compound):
            return array[:-1]  # its last row is the end
        return array if array.ndim > 1 else array[array != BOUNDARY]

    def cells(
        self,
        primer: np.ndarray | None,
        voices: Sequence[str],
        span: tuple[int, int] | None,
    ) -> np.ndarray | None:
        """bool [t, k]: what of the primer [t, k] is written anew. None where nothing was said."""
        if not voices and span is None:
            return None
        demand(
            self.sampler.takes("free"),
            f"{self.sampler.name} writes from left to right and rewrites nothing: leave out "
            "--rewrite and --span, or load a model that was trained to, such as a Coconet.",
        )
        demand(
            not set(voices) - {*VOICES},
            f"the voices are {', '.join(VOICES)}, not {voices}.",
        )
        if primer is None:
            raise UsageError("there is nothing to rewrite: give the piece by --primer.")
        first, last = span or (0, len(primer))
        demand(
            0 <= first < last <= len(primer),
            f"--span {first} {last} is not within the primer: it has {len(primer)} steps.",
        )
        if primer.ndim == 1:
            demand(not voices, "the model writes one voice: leave --rewrite out.")
            return np.isin(np.arange(self.sampler.family.length), range(first, last))
        free = np.zeros(primer.shape, bool)
        free[first:last, [VOICES.index(voice) for voice in voices or VOICES]] = True
        return free


def resolve(name: str | pathlib.Path) -> pathlib.Path:
    """The directory of a run, or of the weights that ship under that name."""
    for path in (pathlib.Path(name), WEIGHTS / str(name)):
        if (path / "checkpoints").is_dir():
            return path
    shipped = ", ".join(weights()) or "none"
    raise UsageError(
        f"there is no run at {name}: give a directory that training has written, "
        f"or the name of shipped weights ({shipped})."
    )


def weights() -> list[str]:
    """The names of the weights that ship with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/checkpoints"))


def load(
    path: str | pathlib.Path,
    *,
    step: int | None = None,
    known: tuple[type, ...] = (),
    mesh: Mesh | None = None,
) -> Trained:
    """The model of a run directory or of shipped weights, at its best step unless told otherwise.

    The checkpoint holds all that is needed: family, codec and averaged parameters. `known` are
    classes of yours that it may name. The parameters are put on one device, or on all of `mesh`.
    """
    checkpoints = Checkpoints(resolve(path), read_only=True)
    try:
        chosen = checkpoints.best if step is None else step
        if chosen not in checkpoints.steps:
            there = ", ".join(map(str, checkpoints.steps)) or "none"
            raise UsageError(
                f"there is no checkpoint {step} in {path}: it has {there}."
            )
        about = checkpoints.meta(chosen)
        version = about["versions"].get("music-zoo")
        family = restore(about["family"], known, version)
        codec = restore(about["codec"], known, version)
        like = shapes(
            jax.eval_shape(family.init, jax.random.key(0), family.example(1)), mesh
        )
        return Trained(family, checkpoints.params(like, chosen), codec, about)
    finally:
        checkpoints.close()
