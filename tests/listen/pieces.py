"""Small pieces to listen to and look at."""

from zoo.data.proto import NoteSequence


def piece(*notes, program=0, velocity=90, drum=False, instrument=0, into=None):
    """Notes as (onset, offset, pitch) in seconds, added to `into` or to a new sequence."""
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


def line(pitches, each=0.5, **how):
    """Pitches one after the other, `each` seconds long; at the default tempo 0.5 is a quarter."""
    return piece(*[(i * each, (i + 1) * each, p) for i, p in enumerate(pitches)], **how)


def metre(sequence, *changes):
    """States metres as (seconds, numerator, denominator)."""
    for time, numerator, denominator in changes:
        sequence.time_signatures.add(
            time=time, numerator=numerator, denominator=denominator
        )
    return sequence
