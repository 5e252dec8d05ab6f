"""Models that ship with the package: their names, records, abilities and terms."""

import dataclasses
import difflib
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

from zoo.config import restore
from zoo.data.codecs.base import fit_line
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.inference.abilities import BEST, FIGURES, abilities, best_by
from zoo.train.weights import SUFFIX, WeightFile

WEIGHTS = pathlib.Path(__file__).parents[1] / "weights"
HEAD = ("model", "family", "writes", "size", "figure", "licence", "verbs")
WRITES = {  # by codec
    "Chorale": "four voices",
    "Compound": "notes of seven attributes",
    "Drums": "drum phrases",
    "Melody": "melodies",
    "Multitrack": "phrases of several tracks",
    "Performance": "performances",
    "Phrase": "melodic phrases",
    "Pianoroll": "piano rolls",
    "Quartet": "phrases of four voices",
    "SpokenText": "speech",
    "Voices": "four voices",
    "Waveform": "audio",
}


def names() -> list[str]:
    """Returns the names of the shipped models."""
    return sorted(path.stem for path in WEIGHTS.glob(f"*{SUFFIX}"))


def resolve(name: str | pathlib.Path) -> pathlib.Path:
    """Returns the directory of a run, or the file of weights of that path or name.

    Raises:
      UsageError: there is neither.
    """
    path, shipped = pathlib.Path(name), WEIGHTS / f"{name}{SUFFIX}"
    if (path / "checkpoints").is_dir() or (path.suffix == SUFFIX and path.is_file()):
        return path
    if shipped.is_file() and str(name) in names():
        return shipped
    near = difflib.get_close_matches(str(name), names(), 1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise UsageError(
        f"there is no run at {name}: give a directory that training has written, a "
        f"{SUFFIX} file, or the name of shipped weights ({listed(names())}){hint}"
    )


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A shipped model, by its record alone: no parameter is read.

    Attributes:
      name: its name.
      about: its record.
      bytes: the size of its file.
    """

    name: str
    about: Mapping[str, Any]
    bytes: int

    @property
    def card(self) -> Mapping[str, Any]:
        """The part of the record that `zoo ship` has written."""
        return self.about["card"]

    @functools.cached_property
    def verbs(self) -> tuple[str, ...]:
        """The verbs that the model can do."""
        parts = (self.about.get("family"), self.about.get("codec"))
        family, codec = (restore(part, (), self.version) for part in parts)
        return abilities(family, codec)

    def reads(self, piece: NoteSequence) -> bool:
        """Returns whether a piece fits the codec of the model."""
        codec = restore(self.about["codec"], (), self.version)
        try:
            fit_line(codec, lambda codec: codec.fit(piece))
        except Refused:
            return False
        return True

    @property
    def version(self) -> str | None:
        """The version of the package that has written the file."""
        return self.about.get("versions", {}).get("music-zoo")

    @property
    def family(self) -> str:
        """The name of the family."""
        return self.about["family"]["class"]

    @property
    def writes(self) -> str:
        """The kind of music that the model writes."""
        if self.verbs[:1] == ("classify",):
            return "labels"
        codec = self.about["codec"]
        kind = WRITES.get(codec["class"], codec["class"])
        bars = codec.get("bars")
        return f"{kind}, {bars} bars" if bars else kind

    @property
    def terms(self) -> str:
        """The use that its licences allow, in a few words."""
        if self.card["non_commercial"]:
            return "non-commercial use only"
        return "commercial use not excluded"

    @property
    def megabytes(self) -> str:
        """The size of its file."""
        return f"{self.bytes / 1e6:.1f} MB"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the model in a table of models, below `HEAD`."""
        words = (self.name, self.family, self.writes, self.megabytes)
        return (*words, self.headline, self.terms, ", ".join(self.verbs))

    @property
    def summary(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "name": self.name,
            "family": self.family,
            "writes": self.writes,
            "bytes": self.bytes,
            "figure": self.headline,
            "licence": self.terms,
            "corpus": self.card["corpus"],
            "verbs": list(self.verbs),
        }

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the run."""
        return self.card["result"]["metrics"]

    @property
    def headline(self) -> str:
        """The headline figure, with its description; "" if there is none."""
        name = self.card["headline"]
        if name is None:
            return ""
        return f"{self.metrics[name]:.3f} {FIGURES[name].text}"


def shipped() -> tuple[Shipped, ...]:
    """Returns the shipped models, in the order of their names."""
    return entries(WEIGHTS)


@functools.cache
def entries(folder: pathlib.Path) -> tuple[Shipped, ...]:
    """Returns the models whose weights are in a folder."""
    return tuple(
        Shipped(path.stem, WeightFile(path).about, path.stat().st_size)
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    )


def able(verb: str) -> list[str]:
    """Returns the names of the shipped models that can do a verb."""
    return [entry.name for entry in shipped() if verb in entry.verbs]


def usable(verb: str, accept_licence: bool = False) -> list[Shipped]:
    """Returns the shipped models that can do a verb.

    Args:
      verb: the verb.
      accept_licence: whether those for non-commercial use are among them.
    """
    return [
        entry
        for entry in shipped()
        if verb in entry.verbs and (accept_licence or not entry.card["non_commercial"])
    ]


def best(
    verb: str, accept_licence: bool = False, *, piece: NoteSequence | None = None
) -> str:
    """Returns the name of the best shipped model for a verb; see `usable`.

    With a `piece` it is the best of those that read it, if there are any.

    Raises:
      UsageError: there is none.
    """
    found = usable(verb, accept_licence)
    if not found:
        terms = "; give `accept_licence` to agree to its terms" if able(verb) else ""
        raise UsageError(f"no model was named: {who_can(verb)}{terms}.")
    if piece is not None:
        found = [entry for entry in found if entry.reads(piece)] or found
    return min(found, key=lambda entry: (best_by(verb, entry.about), entry.name)).name


def who_can(verb: str) -> str:
    """Returns which shipped models can do a verb, as a part of a sentence."""
    found = able(verb)
    if not found:
        return f"no shipped model can {verb}, so train a {BEST[verb].family}"
    return f"of the shipped models, {listed(found)} can {verb}"


def require_able(able: bool, why: str, verb: str) -> None:
    """Raises UsageError, which names the shipped models that can, unless one is able.

    Args:
      able: whether a model can do the verb.
      why: the reason if it cannot, as the beginning of a sentence.
      verb: the verb.
    """
    if not able:
        raise UsageError(f"{why}: {who_can(verb)}.")


def listed(words: list[str]) -> str:
    """Returns names with commas, or "none"."""
    return ", ".join(words) or "none"
