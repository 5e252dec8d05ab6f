"""Notation of a NoteSequence: bars of chords and rests, spelled in a key."""

import bisect
import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from zoo.data.bars import model_begins
from zoo.data.proto import Metre, NoteSequence, metres, quarters
from zoo.errors import printable
from zoo.listen.score.layers import Chords, Layout, layouts
from zoo.listen.score.rhythm import Span, write_layer
from zoo.listen.score.shape import QUARTER, SHORTEST, WHOLE, Bar, Head, Layer, Score
from zoo.listen.score.spelling import (
    inferred_key,
    percussion,
    signature_alters,
    spell,
    stated_key,
)
from zoo.listen.timeline import bars, has_pickup, require_notes


def notate(sequence: NoteSequence, max_bars: int | None = None) -> Score:
    """Notates a piece, or its first `max_bars` bars.

    Onsets and offsets are quantised as `grid.quantise` says. The key is that of the
    piece, or the one with the fewest accidentals.

    Raises:
      ZooError: the piece has no notes.
    """
    require_notes(sequence)
    parts = layouts(sequence)
    empty = _bars(sequence, parts)
    pickup = has_pickup(sequence)
    metadata = sequence.sequence_metadata
    return Score(
        printable(metadata.title),
        printable(next(iter(metadata.composers), metadata.artist)),
        tuple(layout.part for layout in parts),
        bars=tuple(_fill(bar, parts) for bar in empty[:max_bars]),
        tempos=_tempos(sequence),
        pickup=pickup,
        total=len(empty),
        model=_model(sequence),
    )


def _model(sequence: NoteSequence) -> int | None:
    begins = model_begins(sequence)
    if begins is None:
        return None
    return _tick(float(quarters(sequence)(np.array(begins))))


def _tick(position: float) -> int:
    """Returns a position in quarters as ticks, at a 64th."""
    return round(position * QUARTER / SHORTEST) * SHORTEST


def _tempos(sequence: NoteSequence) -> tuple[tuple[int, float], ...]:
    tempos = sorted(sequence.tempos, key=lambda x: x.time)
    at = quarters(sequence)(np.array([max(x.time, 0.0) for x in tempos]))
    found = zip(at.tolist(), (x.qpm for x in tempos), strict=True)
    return tuple({round(x * QUARTER): qpm for x, qpm in found}.items())


def _bars(sequence: NoteSequence, parts: list[Layout]) -> list[Bar]:
    """Returns the bars without their notes."""
    chords = [c for x in parts for staff in x.staves for layer in staff for c in layer]
    last = max(chord.end for chord in chords)
    edges = sorted({_tick(x) for x in bars(sequence)} | {0})
    changes = {_tick(m.start): m for m in metres(sequence)}
    first, *rest = changes.values()
    if has_pickup(sequence):
        changes[0] = rest[0]
        edges = _without_complement(edges, last, first=first, following=rest[0])
    edges = sorted({edge for edge in edges if edge < last} | {edges[-1]})
    while edges[-1] < last:  # the end of a note was moved over the last bar line
        metre = _before(changes, edges[-1])
        edges.append(edges[-1] + WHOLE * metre.numerator // metre.denominator)
    keys = _keys(sequence)
    harmonies = _harmonies(sequence)
    out: list[Bar] = []
    key, stated = keys[0][1:], (0, 0)
    for start, end in itertools.pairwise(edges):
        metre = changes.get(start) or _before(changes, start)
        following = [k[1:] for k in keys if k[0] <= start] or [key]
        signature = metre.numerator, metre.denominator
        bar = Bar(
            start,
            end,
            signature,
            stated=signature != stated,
            fifths=following[-1][0],
            mode=following[-1][1],
            keyed=not out or following[-1] != key,
            partial=end - start != WHOLE * metre.numerator // metre.denominator,
            harmonies=tuple(h for h in harmonies if start <= h[0] < end),
        )
        out.append(bar)
        key, stated = following[-1], signature
    return out


def _before(changes: dict[int, Metre], start: int) -> Metre:
    """Returns the metre in force at a tick."""
    return changes[max(tick for tick in changes if tick <= start)]


def _without_complement(
    edges: list[int], last: int, *, first: Metre, following: Metre
) -> list[int]:
    """Ends the last bar where it makes a full one with the pickup, if it is silent."""
    stop = edges[-2] + _tick(following.bar - first.bar)
    return [*edges[:-1], stop] if last <= stop < edges[-1] else edges


def _keys(sequence: NoteSequence) -> list[tuple[int, int, str]]:
    """Returns (tick, sharps, mode) of each key, the first at 0."""
    stated = sorted(sequence.key_signatures, key=lambda x: x.time)
    if not stated:
        pitches = (n.pitch for n in sequence.notes if not n.is_drum)
        return [(0, inferred_key(pitches), "")]
    at = quarters(sequence)(np.array([max(x.time, 0.0) for x in stated]))
    ticks = [_tick(x) for x in at.tolist()]
    return [(t, *stated_key(x)) for t, x in zip(ticks, stated, strict=True)]


def _harmonies(sequence: NoteSequence) -> list[tuple[int, str]]:
    kind = NoteSequence.TextAnnotation.CHORD_SYMBOL
    found = [x for x in sequence.text_annotations if x.annotation_type == kind]
    at = quarters(sequence)(np.array([x.time for x in found]))
    texts = [printable(x.text) for x in found]
    return [
        (_tick(t), x) for t, x in zip(at.tolist(), texts, strict=True) if x != "N.C."
    ]


def _fill(bar: Bar, parts: list[Layout]) -> Bar:
    """Returns the bar with the layers of each staff."""
    staves = []
    for layout in parts:
        drums = layout.part.drums
        for layers in layout.staves:
            spans = [list(_spans(chords, bar, drums)) for chords in layers]
            spelled = spans if drums else _show_accidentals(spans, bar.fifths)
            written = [
                _write(x, bar, first=not i or layout.part.choir)
                for i, x in enumerate(spelled)
            ]
            staves.append(tuple(written))
    return dataclasses.replace(bar, staves=tuple(staves))


def _write(spans: list[Span], bar: Bar, *, first: bool) -> Layer:
    """Writes a layer; the result is empty if it rests for a whole bar."""
    if not any(span.heads for span in spans) and not (first and bar.partial):
        return ()
    full = WHOLE * bar.metre[0] // bar.metre[1]
    origin = bar.end - full if bar.partial and bar.start == 0 else bar.start
    return write_layer(spans, origin, bar.metre, hidden=not first)


def _spans(chords: Chords, bar: Bar, drums: bool) -> Iterator[Span]:
    """Yields chords and rests of a layer that fill a bar."""
    position = bar.start
    first = bisect.bisect_right(chords, bar.start, key=lambda c: c.end)
    for chord in itertools.takewhile(lambda c: c.start < bar.end, chords[first:]):
        start, end = max(chord.start, bar.start), min(chord.end, bar.end)
        if position < start:
            yield Span(position, start)
        yield Span(
            start,
            end,
            tuple(_head(pitch, bar.fifths, drums) for pitch in chord.pitches),
            chord.velocity,
            tied=chord.end > bar.end,
            held=chord.start < bar.start,
            lyric=chord.lyric if chord.start >= bar.start else None,
        )
        position = end
    if position < bar.end:
        yield Span(position, bar.end)


def _head(pitch: int, fifths: int, drums: bool) -> Head:
    if drums:
        step, cross = percussion(pitch)
        return Head(pitch, step, cross=cross)
    return Head(pitch, *spell(pitch, fifths))


def _show_accidentals(layers: list[list[Span]], fifths: int) -> list[list[Span]]:
    """Marks the accidentals that the key signature and the bar require on a staff.

    An accidental holds for its bar, also in the other layers. A note that is tied over
    the bar line shows none.
    """
    signature, in_force = signature_alters(fifths), dict[int, int]()
    out = [list(layer) for layer in layers]
    places = [(s.start, i, j) for i, x in enumerate(layers) for j, s in enumerate(x)]
    for _, i, j in sorted(places):
        span = layers[i][j]
        if span.held:
            continue
        heads = []
        for head in span.heads:
            implied = in_force.get(head.step, signature[head.step % 7])
            shown = None if head.alter == implied else head.alter
            in_force[head.step] = head.alter
            heads.append(dataclasses.replace(head, shown=shown))
        out[i][j] = span._replace(heads=tuple(heads))
    return out
