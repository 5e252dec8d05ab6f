"""Bar lines of a NoteSequence, parts of one between bar lines, its metre and tempo.

Where a model continues music, a text annotation marks its first step: `mark_model`.
"""

import math
import re

import numpy as np

from zoo.data.proto import QPM, NoteSequence, metres, quarters, seconds
from zoo.errors import UsageError

MAX_BARS = 10_000  # bounds the bar lines of malformed files, e.g. in 1/64
TOLERANCE = 1e-3  # quarters; bar lines that are closer are one
NEAR = 0.05  # quarters; below the steps of any grid, above rounding to 10 ms
INSTANT = 1e-6  # seconds
SIGNATURE = re.compile(r"[1-9]\d?/(1|2|4|8|16|32)")
MODEL = "model"  # the text annotation where a model begins


def bar_lines(sequence: NoteSequence, end: float) -> np.ndarray:
    """Returns the bar lines in quarters up to `end` quarters, float64 [n + 1].

    The last one is at `end` or, if the last bar is not full, after it. A pickup is a
    short first bar with a metre of its own.
    """
    changes = [m for m in metres(sequence) if m.start < end] or metres(sequence)[:1]
    ends = [m.start for m in changes[1:]] + [end]
    lines: list[float] = []
    for metre, stop in zip(changes, ends, strict=True):
        count = math.ceil((stop - metre.start) / metre.bar - TOLERANCE)
        count = min(count, MAX_BARS - len(lines))
        lines += [metre.start + i * metre.bar for i in range(count)]
    final = max(end, lines[-1] + changes[-1].bar) if lines else end
    return np.array([*lines, final])


def excerpt(
    sequence: NoteSequence, start: float = 0.0, stop: float = math.inf
) -> NoteSequence:
    """Returns the part of a piece from `start` to `stop` seconds, from 0 on.

    A note that sounds at `start` begins there, and one that sounds at `stop` ends
    there. The tempo, the metre and the key at `start` are kept; so are its tracks.
    """
    part = NoteSequence()
    part.CopyFrom(sequence)
    stop = min(stop, sequence.total_time)
    for name in ("notes", "text_annotations", "section_annotations"):
        part.ClearField(name)
    part.ClearField("section_groups")
    for note in sequence.notes:
        if note.start_time < stop - INSTANT and note.end_time > start + INSTANT:
            kept = part.notes.add()
            kept.CopyFrom(note)
            kept.start_time = max(note.start_time, start) - start
            kept.end_time = min(note.end_time, stop) - start
    for text in sequence.text_annotations:
        if start - INSTANT < text.time < stop - INSTANT:
            part.text_annotations.add().CopyFrom(text)
            part.text_annotations[-1].time = max(text.time, start) - start
    for name in ("tempos", "time_signatures", "key_signatures"):
        _keep_from(getattr(part, name), start, stop)
    for name in ("control_changes", "pitch_bends"):
        events = [x for x in getattr(part, name) if start <= x.time < stop]
        part.ClearField(name)
        getattr(part, name).extend(events)
        for event in getattr(part, name):
            event.time -= start
    part.total_time = max(stop - start, 0.0)
    return part


def main_tempo(sequence: NoteSequence) -> float:
    """Returns the median of the tempo over time, in quarters per minute."""
    changes = {0.0: QPM}
    changes |= {max(x.time, 0.0): x.qpm for x in sequence.tempos if x.qpm > 0}
    times = np.array(sorted(changes))
    rates = np.array([changes[time] for time in times.tolist()])
    lasting = np.diff(np.minimum([*times, np.inf], sequence.total_time))
    order = rates.argsort()
    total = lasting[order].cumsum()
    return float(rates[order][np.searchsorted(total, total[-1] / 2)])


def at_tempo(sequence: NoteSequence, qpm: float) -> NoteSequence:
    """Returns a copy of a piece of one tempo that is played at another.

    Args:
      sequence: the piece.
      qpm: the tempo, in quarters per minute.
    """
    piece = NoteSequence()
    piece.CopyFrom(sequence)
    beat = quarters(sequence)
    for note in piece.notes:
        times = beat(np.array([note.start_time, note.end_time])) * 60 / qpm
        note.start_time, note.end_time = times.tolist()
    for name in (
        *("time_signatures", "key_signatures", "text_annotations"),
        *("control_changes", "pitch_bends"),
    ):
        for event in getattr(piece, name):
            event.time = float(beat(np.array(event.time))) * 60 / qpm
    piece.total_time = float(beat(np.array(piece.total_time))) * 60 / qpm
    piece.ClearField("tempos")
    piece.tempos.add(qpm=qpm)
    return piece


def copy_metres(sequence: NoteSequence, source: NoteSequence) -> None:
    """Replaces the metres of a piece by those of `source`, at the same quarters."""
    times = seconds(sequence)
    sequence.ClearField("time_signatures")
    for metre in metres(source):
        sequence.time_signatures.add(
            time=float(times(np.array(metre.start))),
            numerator=metre.numerator,
            denominator=metre.denominator,
        )


def parse_metre(metre: str) -> tuple[int, int]:
    """Returns a metre as (numerator, denominator).

    Raises:
      UsageError: it is not a metre.
    """
    if not SIGNATURE.fullmatch(metre):
        raise UsageError(f"metre is {metre!r}: choose one such as '3/4' or '6/8'.")
    numerator, denominator = metre.split("/")
    return int(numerator), int(denominator)


def state_metre(sequence: NoteSequence, metre: str) -> None:
    """Replaces the metres of a piece by one, and keeps its pickup.

    A first bar that is shorter than the metre is a pickup, if another metre follows.

    Raises:
      UsageError: it is not a metre.
    """
    numerator, denominator = parse_metre(metre)
    first, *others = metres(sequence)
    length = others[0].start if others else 0.0
    del sequence.time_signatures[:]
    start = 0.0
    if 0 < length < 4 * numerator / denominator and length <= first.bar:
        sequence.time_signatures.add(
            numerator=first.numerator, denominator=first.denominator
        )
        start = float(seconds(sequence)(np.array(length)))
    sequence.time_signatures.add(
        time=start, numerator=numerator, denominator=denominator
    )


def mark_model(sequence: NoteSequence, time: float) -> None:
    """Marks the time in seconds at which a model begins."""
    sequence.text_annotations.add(time=time, text=MODEL)


def model_begins(sequence: NoteSequence) -> float | None:
    """Returns the time in seconds at which a model begins, or None without a mark."""
    marks = [x.time for x in sequence.text_annotations if x.text == MODEL]
    return min(marks) if marks else None


def stop_after(sequence: NoteSequence, time: float, bars: int) -> float | None:
    """Returns the time of the bar line `bars` bars after a time, both in seconds.

    A bar in which `time` lies is not counted. A time near a bar line is at it. The
    result is None if the piece ends before.
    """
    beat, end = quarters(sequence), sequence.total_time
    lines = bar_lines(sequence, float(beat(np.array(end))))
    first = int(np.searchsorted(lines, float(beat(np.array(time))) - NEAR))
    if first + bars >= len(lines):
        return None
    stop = float(seconds(sequence)(lines[first + bars]))
    return stop if stop <= end + TOLERANCE else None


def _keep_from(events: list, start: float, stop: float) -> None:  # type: ignore[type-arg]
    """Keeps the events of a field from `start` on, and the last one before."""
    ordered = sorted(events, key=lambda x: x.time)
    before = [x for x in ordered if x.time <= start + TOLERANCE]
    kept = [*before[-1:], *(x for x in ordered if start + TOLERANCE < x.time < stop)]
    copies = [type(x).FromString(x.SerializeToString()) for x in kept]
    del events[:]
    for copy in copies:
        copy.time = max(copy.time - start, 0.0)
        events.append(copy)
