"""Pieces at another tempo, and for other instruments."""

from collections.abc import Sequence

from zoo.data.codecs.names import instruments, require_one_of
from zoo.data.proto import QPM, NoteSequence
from zoo.ranges import Tempo, checked


@checked
def with_tempo(sequence: NoteSequence, tempo: Tempo) -> NoteSequence:
    """Returns a piece that begins at a tempo; later changes of tempo scale with it.

    Args:
      sequence: the piece.
      tempo: quarters per minute.

    Raises:
      UsageError: `tempo` is out of range.
    """
    copy = NoteSequence()
    copy.CopyFrom(sequence)
    if not copy.tempos or min(x.time for x in copy.tempos) > 0:
        copy.tempos.add(qpm=QPM)
    factor = min(copy.tempos, key=lambda x: x.time).qpm / tempo
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
    for change in copy.tempos:
        change.qpm /= factor
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
    programs = [program(name) for name in names]
    copy = NoteSequence()
    copy.CopyFrom(sequence)
    pitched = [note for note in copy.notes if not note.is_drum]
    parts = sorted({(n.instrument, n.part, n.voice, n.program) for n in pitched})
    for note in pitched:
        part = note.instrument, note.part, note.voice, note.program
        note.program = programs[min(parts.index(part), len(programs) - 1)]
    return copy


def program(name: str) -> int:
    """Returns the program of a General MIDI name, in any case, or of a number.

    Raises:
      UsageError: it is neither.
    """
    names = [known.lower() for known in instruments()[:-1]]  # without drums
    numbers = {str(i): i for i in range(len(names))}
    word = name.strip().lower()
    if word in numbers:
        return numbers[word]
    return names.index(require_one_of(word, names, "instrument"))
