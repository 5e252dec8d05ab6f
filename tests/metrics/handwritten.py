"""Small pieces with known notes."""

from zoo.data.proto import NoteSequence


def piece(*notes, metre=(4, 4), end=0.0, track=0, drum=False, qpm=60.0):
    """Returns a piece of notes (onset, duration, pitch), in quarters.

    By default a quarter lasts one second.
    """
    sequence = NoteSequence()
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=metre[0], denominator=metre[1])
    return added(sequence, *notes, end=end, track=track, drum=drum)


def added(sequence, *notes, end=0.0, track=0, drum=False):
    """Adds another track of notes to a piece."""
    quarter = 60 / sequence.tempos[0].qpm
    for onset, duration, pitch in notes:
        stop = (onset + duration) * quarter
        sequence.notes.add(
            start_time=onset * quarter,
            end_time=stop,
            pitch=pitch,
            velocity=80,
            instrument=track,
            is_drum=drum,
        )
        end = max(end, stop)
    sequence.total_time = max(sequence.total_time, end)
    return sequence


def line(*pitches, duration=1.0):
    """Returns successive notes of equal duration."""
    return piece(*((i * duration, duration, pitch) for i, pitch in enumerate(pitches)))
