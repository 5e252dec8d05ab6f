"""Small NoteSequences for tests."""

from zoo.data.proto import NoteSequence


def piece(*notes, program=0, velocity=90, drum=False, instrument=0, into=None):
    """Adds notes (onset, offset, pitch), in seconds, to `into` or to a new sequence."""
    sequence = NoteSequence() if into is None else into
    for start, end, pitch in notes:
        sequence.notes.add(
            start_time=start,
            end_time=end,
            pitch=pitch,
            velocity=velocity,
            program=program,
            is_drum=drum,
            instrument=instrument,
        )
    sequence.total_time = max(note.end_time for note in sequence.notes)
    return sequence


def line(pitches, seconds=0.5, **options):
    """Returns a melody of equal notes; by default they are quarters."""
    notes = [(i * seconds, (i + 1) * seconds, p) for i, p in enumerate(pitches)]
    return piece(*notes, **options)


def metre(sequence, *changes):
    """Adds time signatures (seconds, numerator, denominator)."""
    for time, numerator, denominator in changes:
        sequence.time_signatures.add(
            time=time, numerator=numerator, denominator=denominator
        )
    return sequence
