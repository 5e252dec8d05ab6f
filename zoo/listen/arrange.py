"""Pieces at another tempo, and for other instruments."""

from collections.abc import Sequence

from zoo.data.codecs.names import instruments, require_one_of
from zoo.data.proto import QPM, NoteSequence
from zoo.errors import require

SLOWEST, FASTEST = 10.0, 1000.0  # quarters per minute


def at_tempo(sequence: NoteSequence, qpm: float) -> NoteSequence:
    """Returns a piece that begins at a tempo; later changes of tempo scale with it.

    Args:
      sequence: the piece.
      qpm: quarters per minute.

    Raises:
      UsageError: `qpm` is not from `SLOWEST` to `FASTEST`.
    """
    require(
        SLOWEST <= qpm <= FASTEST,
        f"`tempo` is {qpm:g}: choose {SLOWEST:g} to {FASTEST:g} quarters a minute.",
    )
    copy = NoteSequence()
    copy.CopyFrom(sequence)
    if not copy.tempos or min(tempo.time for tempo in copy.tempos) > 0:
        copy.tempos.add(qpm=QPM)
    factor = min(copy.tempos, key=lambda tempo: tempo.time).qpm / qpm
    for note in copy.notes:
        note.start_time *= factor
        note.end_time *= factor
    for events in (
        *(copy.tempos, copy.time_signatures, copy.key_signatures),
        *(copy.text_annotations, copy.control_changes, copy.pitch_bends),
        copy.section_annotations,
    ):
        for event in events:
            event.time *= factor
    for tempo in copy.tempos:
        tempo.qpm /= factor
    copy.total_time *= factor
    return copy


def with_instruments(sequence: NoteSequence, names: Sequence[str]) -> NoteSequence:
    """Returns a piece whose parts play other instruments; drums remain.

    Args:
      sequence: the piece.
      names: General MIDI names, in any case, or numbers from 0. The first is of the
        first part, and so on; the last is of all parts that remain.

    Raises:
      UsageError: a name is not one of General MIDI.
    """
    programs = [_program(name) for name in names]
    copy = NoteSequence()
    copy.CopyFrom(sequence)
    pitched = [note for note in copy.notes if not note.is_drum]
    parts = sorted({(n.instrument, n.part, n.voice, n.program) for n in pitched})
    for note in pitched:
        part = note.instrument, note.part, note.voice, note.program
        note.program = programs[min(parts.index(part), len(programs) - 1)]
    return copy


def _program(name: str) -> int:
    """Returns the program of a General MIDI name, in any case, or of a number."""
    names = [known.lower() for known in instruments()[:-1]]  # without drums
    numbers = {str(i): i for i in range(len(names))}
    word = name.strip().lower()
    if word in numbers:
        return numbers[word]
    return names.index(require_one_of(word, names, "instrument"))
