"""Licences of the music that a spec of a corpus or of audio names."""

import pathlib
from collections.abc import Mapping

from zoo.data.audio.datasets import SPECS, SUNG_PREFIX, audio_dataset
from zoo.data.corpora.public import BENCHMARKS
from zoo.data.corpora.registry import benchmark_path, corpus
from zoo.data.corpora.sources import OWN_LICENCE

NON_COMMERCIAL = ("non-commercial", "noncommercial", "academic use")


def public_spec(spec: str) -> str:
    """Returns a spec as others can read it: without the folders of this machine.

    A file of a published benchmark has the benchmark's name.
    """
    if spec.startswith(SUNG_PREFIX):
        scores, *voice = spec.removeprefix(SUNG_PREFIX).rsplit("/", 2)
        return SUNG_PREFIX + "/".join([public_spec(scores), *voice])
    files = {entry.remote.file: name for name, entry in BENCHMARKS.items()}
    scheme, colon, path = spec.rpartition(":")
    name = pathlib.PurePath(path).name
    if name in files:
        return files[name]
    return f"{scheme}{colon}{name}"


def licences(spec: str) -> dict[str, str]:
    """Returns the licence of each source of a spec, by its name.

    Raises:
      UsageError: there is no such corpus.
    """
    public = public_spec(spec)
    if public in BENCHMARKS:
        return {public: BENCHMARKS[public].remote.licence}
    if spec.startswith(SPECS):
        return dict(audio_dataset(spec).licences)
    if not spec or benchmark_path(spec) is not None:
        return {public or "arrays": OWN_LICENCE}
    return {source.name: source.licence for source in corpus(spec).sources}


def is_non_commercial(licences: Mapping[str, str]) -> bool:
    """Says whether one of the licences allows no commercial use."""
    texts = [text.lower() for text in licences.values()]
    return any(words in text for text in texts for words in NON_COMMERCIAL)
