"""Pieces whose notes lie beside the grid, or whose metre is not that of music.

A piece is changed only if a codec refuses it as it is. Notes that are only shifted keep
their rhythm exactly. Those of performances are moved to the likeliest 16th.
"""

from collections.abc import Callable, Sequence

import numpy as np

from zoo.data.codecs.barlines import KINDS, Kind, infer_bars
from zoo.data.codecs.base import Fit, Notes
from zoo.data.codecs.lattice import EVEN, Lattice
from zoo.data.codecs.metre import Fraction, plain_name
from zoo.data.codecs.pulse import Pulse, find
from zoo.data.proto import QPM, NoteSequence, metres, quarters, seconds
from zoo.data.refusal import Refused

STEPS = 4  # of a quarter
SHORTEST = 1 / 16  # quarters; the shortest note
MIN_REPORTED_SHIFT = 0.05  # steps
LONGEST_BAR, MOST_BEATS = 16, 15  # quarters of a bar, and a numerator, that music has
COMMON = (4, 4)  # the metre that a file may state because it is the default


def fit_aligned(
    fit: Callable[[NoteSequence], Fit], sequence: NoteSequence, bars: bool = True
) -> Fit:
    """Encodes a piece; if it is refused, aligns it to the grid or infers its metre.

    Args:
      fit: encodes a piece as it is.
      sequence: the piece.
      bars: whether the codec keeps bars.

    Raises:
      Refused: as `fit`; `off-grid` if the piece is in free time.
    """
    reason, remarks = "", list[str]()
    piece: NoteSequence | None = sequence
    try:
        if not bars or not _lacks_metre(sequence):
            return fit(sequence)
        fit(sequence)
        reason = "metre"
    except Refused as refused:
        reason = refused.reason
        if reason == "off-grid":
            piece = _aligned(sequence, remarks)
        elif reason != "metre" or not _has_odd_metre(sequence):
            raise
        if piece is None:
            raise
    if bars and (reason == "metre" or _has_odd_metre(sequence)):
        piece = _barred(piece, KINDS, remarks, _stated(sequence))
    array, others = fit(piece)
    return Fit(array, (*remarks, *others))


def with_bars(sequence: NoteSequence, *, aligned: bool) -> NoteSequence:
    """Returns a piece with the tempos and bars by which it is encoded.

    Args:
      sequence: the piece.
      aligned: whether it was refused as it is, and aligned to the grid.
    """
    piece = _aligned(sequence, []) if aligned else None
    piece = sequence if piece is None else piece
    return _barred(piece, KINDS, []) if _has_odd_metre(piece) else piece


def _is_score(sequence: NoteSequence) -> bool:
    """Returns whether a piece is from notation, whose rhythm and bars are exact."""
    info = sequence.source_info
    return info.encoding_type in (info.ABC, info.MUSIC_XML)


def _lacks_metre(sequence: NoteSequence) -> bool:
    """Returns whether a piece is from a MIDI file that states no metre."""
    info = sequence.source_info
    return info.encoding_type == info.MIDI and not sequence.time_signatures


def _main_metre(sequence: NoteSequence) -> tuple[Fraction, float]:
    """Returns the metre that lasts longest, and the number of its bars."""
    changes = metres(sequence)
    end = float(quarters(sequence)(np.array(sequence.total_time)))
    starts = [m.start for m in changes]
    lengths = np.diff([*starts, max(end, starts[-1])])
    main = changes[int(lengths.argmax())]
    return (main.numerator, main.denominator), float(lengths.max()) / main.bar


def _has_odd_metre(sequence: NoteSequence) -> bool:
    """Returns whether a piece states no metre, or one that no music has.

    A bar that is cut short has a signature of its own, which may be any.
    """
    if _lacks_metre(sequence):
        return True
    (numerator, denominator), bars = _main_metre(sequence)
    if bars < 2 or _is_score(sequence):
        return False
    is_note = denominator in (1, 2, 4, 8, 16, 32)
    is_bar = 1 < numerator <= MOST_BEATS
    return not (is_note and is_bar and 4 * numerator <= LONGEST_BAR * denominator)


def _stated(sequence: NoteSequence) -> str:
    """Returns the metre that a piece states, in words."""
    if not sequence.time_signatures:
        return "none"
    return "{}/{}".format(*_main_metre(sequence)[0])


def _kinds(metre: Fraction) -> Sequence[Kind]:
    """Returns the kinds of metre to choose from, if a piece states `metre`."""
    if metre == COMMON:
        return [
            kind._replace(bias=kind.bias + 2 * (kind.metre == metre)) for kind in KINDS
        ]
    numerator, denominator = metre
    bar, rest = divmod(4 * STEPS * numerator, denominator)
    if rest or bar < 2:
        return KINDS
    compound = denominator >= 8 and numerator % 3 == 0
    beat = 48 // denominator if compound else 16 // denominator
    levels = sorted({bar, *(x for x in (beat, 2) if bar % x == 0)}, reverse=True)
    return [Kind(metre, tuple(levels), 0.0)]


def _barred(
    sequence: NoteSequence,
    kinds: Sequence[Kind],
    remarks: list[str],
    stated: str = "",
) -> NoteSequence:
    """Returns a piece with the likeliest bars.

    Adds a remark if it is said what the file states.
    """
    piece = NoteSequence()
    piece.CopyFrom(sequence)
    metre, pickup = infer_bars(_grid_notes(piece), kinds)
    del piece.time_signatures[:]
    starts = [(0, plain_name(pickup, STEPS))] if pickup else []
    times = seconds(piece)
    for start, (numerator, denominator) in [*starts, (pickup, metre)]:
        piece.time_signatures.add(
            time=float(times(np.array(start / STEPS))),
            numerator=numerator,
            denominator=denominator,
        )
    if stated:
        remarks.append(
            f"metre: {metre[0]}/{metre[1]} inferred, where the file states {stated}"
        )
    return piece


def _grid_notes(sequence: NoteSequence) -> Notes:
    """Returns the pitched notes in whole steps; the drums if there are no others."""
    pitched = [x for x in sequence.notes if not x.is_drum] or list(sequence.notes)
    times = np.array([(x.start_time, x.end_time) for x in pitched])
    steps = np.rint(STEPS * quarters(sequence)(times)).astype(np.int64)
    rows = [(x.pitch, x.velocity, x.instrument) for x in pitched]
    pitch, velocity, track = np.array(rows, np.int64).T
    offset = np.maximum(steps[:, 1], steps[:, 0] + 1)
    return Notes(steps[:, 0], offset, pitch, velocity=velocity, track=track)


def _aligned(sequence: NoteSequence, remarks: list[str]) -> NoteSequence | None:
    """Returns a piece on the grid, and adds remarks; None if it has no pulse."""
    times = np.array([(x.start_time, x.end_time) for x in sequence.notes])
    if _is_score(sequence) or not np.isfinite(times).all() or times.min() < 0:
        return None
    own = quarters(sequence)
    pulse = find(times[:, 0], own(times[:, 0]))
    if pulse is None:
        return None
    clock = own if pulse.own else pulse.quarters
    lattice = _nearest(pulse.lattice) if pulse.own else pulse.lattice
    exact = pulse.clean and lattice.swing == EVEN
    place = lattice.straight if exact else lattice.snapped
    onset, end = place(clock(times[:, 0])), lattice.straight(clock(times[:, 1]))
    origin = 0.0 if pulse.own and onset.min() > -0.5 else float(np.floor(onset.min()))
    piece = NoteSequence()
    piece.CopyFrom(sequence)
    if not pulse.own:
        _write_tempos(piece, pulse, lattice.shift + origin)
    moved = seconds(piece)

    def to_seconds(position: np.ndarray) -> np.ndarray:
        return moved(np.maximum(position - origin, 0))

    start = to_seconds(onset)
    stop = to_seconds(np.maximum(end, np.maximum(onset, origin) + SHORTEST))
    columns = zip(piece.notes, start.tolist(), stop.tolist(), strict=True)
    for note, start_time, end_time in columns:
        note.start_time, note.end_time = start_time, end_time
    last = lattice.straight(clock(np.array([sequence.total_time])))
    piece.total_time = max(float(stop.max()), float(to_seconds(last)[0]))
    remarks += _remarks(sequence, pulse, lattice, clock(times[:, 0]))
    if pulse.own and not origin:
        return piece
    for field in ("key_signatures", "text_annotations", "control_changes"):
        for event in getattr(piece, field):
            at = lattice.straight(clock(np.array([event.time])))
            event.time = float(to_seconds(at)[0])
    if _has_odd_metre(sequence):
        return piece
    return _barred(piece, _kinds(_main_metre(sequence)[0]), remarks)


def _nearest(lattice: Lattice) -> Lattice:
    """Returns a lattice of the file's own tempos with the smallest possible shift."""
    shift = (lattice.shift + 0.5) % 1 - 0.5
    if lattice.swing != EVEN:
        return lattice._replace(shift=shift)
    steps = round(STEPS * shift)
    use = np.roll(lattice.use, steps)
    return lattice._replace(shift=shift - steps / STEPS, use=use)


def _write_tempos(piece: NoteSequence, pulse: Pulse, origin: float) -> None:
    """Writes the tempos of a pulse, whose quarter `origin` is the beginning."""
    rates = np.diff(pulse.beats) / np.diff(pulse.times)
    begin = pulse.times[0] - (pulse.beats[0] - origin) / rates[0]
    del piece.tempos[:]
    starts = np.append(0.0, pulse.times[1:-1] - begin)
    for start, rate in zip(starts.tolist(), rates.tolist(), strict=True):
        piece.tempos.add(time=max(start, 0.0), qpm=60 * rate)


def _remarks(
    sequence: NoteSequence, pulse: Pulse, lattice: Lattice, beats: np.ndarray
) -> list[str]:
    """Returns remarks on what alignment has changed."""
    remarks = []
    if pulse.own:
        if abs(shift := STEPS * lattice.shift) > MIN_REPORTED_SHIFT:
            remarks.append(f"aligned: by {-shift:.2f} of a step")
    else:
        rates = 60 * np.diff(pulse.beats) / np.diff(pulse.times)
        span = f"{rates.mean():.1f}"
        if not pulse.steady:
            span = f"{rates.min():.1f} to {rates.max():.1f}"
        stated = sorted({round(x.qpm, 1) for x in sequence.tempos} or {QPM})
        said = f"{stated[0]:g}"
        if len(stated) > 1:
            said = f"{stated[0]:g} to {stated[-1]:g}"
        remarks.append(
            f"aligned: to {span} quarters per minute, where the file states {said}"
        )
    if not pulse.clean:
        moved = float(np.abs(lattice.moves(beats)).mean())
        remarks.append(f"quantised: onsets moved by {moved:.2f} quarters on average")
    if lattice.swing != EVEN:
        remarks.append(
            f"swing: second eighths at {lattice.swing:.2f} of their quarter moved to "
            "its half"
        )
    return remarks
