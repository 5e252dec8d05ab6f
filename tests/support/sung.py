"""Lyrics as short texts, for the tests of lyrics."""

from zoo.data.lyrics import Syllable, lyrics_of
from zoo.data.proto import NoteSequence


def words(sequence: NoteSequence) -> str:
    """Returns the lyrics of a piece in the order of time: "Hal- _ -le . now".

    "_" extends a syllable, "." a note that is not sung, and hyphens stand where the
    syllable of the same word goes on.
    """
    found = zip(sequence.notes, lyrics_of(sequence), strict=True)
    ordered = sorted(found, key=lambda pair: (pair[0].instrument, pair[0].start_time))
    return " ".join(word(syllable) for _, syllable in ordered)


def word(syllable: Syllable | None) -> str:
    if syllable is None:
        return "."
    if syllable.extends:
        return "_"
    before = "-" * (syllable.syllabic in ("middle", "end"))
    return before + syllable.text + "-" * syllable.joined
