"""Division of a piece into parts, staves and layers of chords that do not overlap."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from zoo.data.codecs.names import instruments
from zoo.data.lyrics import Syllable, lyrics_of
from zoo.data.proto import NoteSequence, quarters
from zoo.errors import printable
from zoo.listen.score.grid import quantise
from zoo.listen.score.shape import QUARTER, Lyric, Part
from zoo.listen.score.verses import extended, lyric

BASS_CLEF_BELOW = 59  # median pitch
KEYBOARDS = {*range(8), *range(16, 21), 46}  # pianos, organs and the harp
VIOLA = 41
MIDDLE_C = 60
HAND = 14  # semitones that one hand plays at once
MAX_LAYERS = 4  # of a staff
PERFORMED_LAYERS = 1  # of a staff that was not played on a grid
SHORT = QUARTER // 2  # gaps and overlaps that performed notes do not show


@dataclasses.dataclass(frozen=True)
class Note:
    """A note in ticks; `voice` is that of the file."""

    start: int
    end: int
    pitch: int
    _: dataclasses.KW_ONLY
    velocity: int
    voice: int
    lyric: Lyric | None = None


@dataclasses.dataclass(frozen=True)
class Chord:
    """Notes that begin and end together."""

    start: int
    end: int
    pitches: tuple[int, ...]
    _: dataclasses.KW_ONLY
    velocity: int
    voice: int
    lyric: Lyric | None = None


Chords = list[Chord]
Sung = tuple[NoteSequence.Note, Syllable | None]


@dataclasses.dataclass(frozen=True)
class Layout:
    """A part, and the chords of each layer of each of its staves."""

    part: Part
    staves: tuple[tuple[Chords, ...], ...]


def layouts(sequence: NoteSequence) -> list[Layout]:
    """Returns the parts of a piece, in order.

    Four voices of one instrument share two staves. A keyboard that plays high and low
    has two, others have one, whose clef the median pitch decides.
    """
    groups: dict[tuple[int, int, bool, int], list[Sung]] = {}
    sung = zip(sequence.notes, lyrics_of(sequence), strict=True)
    for note, word in sorted(sung, key=lambda x: (x[0].start_time, x[0].pitch)):
        player = note.instrument, note.part, note.is_drum, note.program
        groups.setdefault(player, []).append((note, word))
    names = _names(sequence)
    beats = quarters(sequence)
    players = []
    for player in sorted(groups):
        notes, on_grid = _in_ticks(groups[player], beats)
        players.append((player, notes, on_grid))
    choir = _choir(players)
    if choir:
        return [choir]
    return [
        _layout(notes, names(player), player[2], program=player[3], on_grid=on_grid)
        for player, notes, on_grid in players
    ]


def _names(sequence: NoteSequence):
    """Returns a function from players to names: those of the piece, or of programs."""
    titles = {x.instrument: x.name for x in sequence.instrument_infos}
    parts = {x.part: x.name for x in sequence.part_infos}

    def name(player: tuple[int, int, bool, int]) -> str:
        instrument, part, drums, program = player
        program = len(instruments()) - 1 if drums else program
        default = instruments()[program] if 0 <= program < 128 or drums else ""
        return printable(titles.get(instrument) or parts.get(part) or default)

    return name


def _in_ticks(sung: Sequence[Sung], beats) -> tuple[list[Note], bool]:
    notes = [note for note, _ in sung]
    times = beats(np.array([(n.start_time, n.end_time) for n in notes]))
    ends = times[:, 0] if notes[0].is_drum else times[:, 1]
    ticks, on_grid = quantise(times[:, 0], ends)
    written = [
        Note(
            *(start, end, n.pitch),
            velocity=n.velocity,
            voice=n.voice,
            lyric=lyric(word),
        )
        for (n, word), (start, end) in zip(sung, ticks.tolist(), strict=True)
    ]
    return written, on_grid


def _choir(players: list) -> Layout | None:
    """Returns four voices on two staves, if the piece has four voices of one program.

    A voice is a line without chords.
    """
    lines: dict[tuple, list[Note]] = {}
    for player, notes, _ in players:
        for note in notes:
            lines.setdefault((*player, note.voice), []).append(note)
    programs = {player[3] for player, *_ in players}
    if len(lines) != 4 or len(programs) > 1 or any(key[2] for key in lines):
        return None
    voices = sorted(lines.values(), key=lambda x: -np.mean([n.pitch for n in x]))
    if any(b.start < a.end for line in voices for a, b in itertools.pairwise(line)):
        return None
    alto, tenor = (np.mean([n.pitch for n in voices[i]]) for i in (1, 2))
    if alto < MIDDLE_C - 5 or tenor > MIDDLE_C + 5:
        return None
    part = Part("", ("treble", "bass"), programs.pop(), choir=True)
    chords = [_sung(_chords(line)) for line in voices]
    return Layout(part, ((chords[0], chords[1]), (chords[2], chords[3])))


def _layout(
    notes: list[Note], name: str, drums: bool, *, program: int, on_grid: bool
) -> Layout:
    if drums:
        return Layout(Part(name, ("percussion",), 0), ((_hits(notes),),))
    limit = MAX_LAYERS if on_grid else PERFORMED_LAYERS
    if program in KEYBOARDS and _needs_two_hands(notes):
        clefs: tuple[str, ...] = ("treble", "bass")
        hands: tuple[list[Note], ...] = _hands(notes)
    else:
        low = np.median([note.pitch for note in notes]) < BASS_CLEF_BELOW
        clefs = ("alto" if program == VIOLA else "bass" if low else "treble",)
        hands = (notes,)
    staves = tuple(_layers(_chords(hand, on_grid), limit) for hand in hands)
    sung = tuple(tuple(map(_sung, layers)) for layers in staves)
    return Layout(Part(name, clefs, program), sung)


def _sung(chords: Chords) -> Chords:
    """Returns the chords of a layer with the melismas of its lyrics."""
    lyrics = extended(chord.lyric for chord in chords)
    return [
        dataclasses.replace(chord, lyric=lyric)
        for chord, lyric in zip(chords, lyrics, strict=True)
    ]


def _hits(notes: list[Note]) -> Chords:
    """Returns the hits of drums; each lasts until the next, or the end of its beat."""
    chords = _chords([dataclasses.replace(note, end=note.start) for note in notes])
    stops = [chord.start for chord in chords[1:]] + [chords[-1].start + QUARTER]
    return [
        dataclasses.replace(c, end=min(stop, (c.start // QUARTER + 1) * QUARTER))
        for c, stop in zip(chords, stops, strict=True)
    ]


def _needs_two_hands(notes: list[Note]) -> bool:
    """Returns whether notes lie on both sides of middle C, several at a time."""
    pitches = [note.pitch for note in notes]
    overlap = sum(b.start < a.end for a, b in itertools.pairwise(notes))
    low, high = np.quantile(pitches, (0.05, 0.95))
    return overlap > 0.1 * len(notes) and low < MIDDLE_C - 3 and high > MIDDLE_C + 3


def _hands(notes: list[Note]) -> tuple[list[Note], list[Note]]:
    """Returns the notes of the right and of the left hand.

    Notes that begin together are parted at the widest gap near middle C, or belong to
    one hand if they lie within `HAND` semitones on one side of it.
    """
    right: list[Note] = []
    left: list[Note] = []
    for _, group in itertools.groupby(notes, key=lambda n: n.start):
        struck = sorted(group, key=lambda n: n.pitch)
        pitches = [n.pitch for n in struck]
        if pitches[-1] - pitches[0] <= HAND:
            (right if np.mean(pitches) >= MIDDLE_C else left).extend(struck)
            continue
        gaps = [
            (high - low - abs((high + low) / 2 - MIDDLE_C), i)
            for i, (low, high) in enumerate(itertools.pairwise(pitches), 1)
        ]
        _, cut = max(gaps)
        left += struck[:cut]
        right += struck[cut:]
    return right, left


def _chords(notes: Iterable[Note], on_grid: bool = True) -> Chords:
    """Groups notes of a voice with one onset and offset; of performed ones, one onset.

    A pitch that sounds twice is in two chords.
    """
    groups: dict[tuple[int, ...], list[Note]] = {}
    for note in notes:
        copy = 0
        while True:
            key = (note.start, note.end if on_grid else 0, note.voice, copy)
            if note.pitch not in {n.pitch for n in groups.get(key, [])}:
                break
            copy += 1
        groups.setdefault(key, []).append(note)
    chords = [
        Chord(
            key[0],
            max(n.end for n in group),
            tuple(sorted(n.pitch for n in group)),
            velocity=max(n.velocity for n in group),
            voice=key[2],
            lyric=next((n.lyric for n in group if n.lyric), None),
        )
        for key, group in groups.items()
    ]
    chords.sort(key=lambda c: (c.start, -c.pitches[-1], c.end))
    if on_grid or not chords:
        return chords
    starts = sorted({chord.start for chord in chords})
    after = dict(itertools.pairwise(starts))
    return [_legato(chord, after.get(chord.start, chord.end)) for chord in chords]


def _legato(chord: Chord, after: int) -> Chord:
    """Returns a performed chord, which ends at the next onset if it ends close to it.

    Args:
      chord: the chord.
      after: the next onset.
    """
    if abs(after - chord.end) <= SHORT:
        return dataclasses.replace(chord, end=after)
    return chord


def _layers(chords: Chords, limit: int) -> tuple[Chords, ...]:
    """Divides chords into layers in which they do not overlap, the highest first.

    A voice of the file stays in its layer as far as possible. Beyond `limit` layers, a
    chord ends the one before it, or joins the one that begins with it.
    """
    layers: list[Chords] = []
    for chord in chords:
        free = [layer for layer in layers if layer[-1].end <= chord.start]
        free.sort(key=lambda layer: layer[-1].voice != chord.voice)
        if free:
            free[0].append(chord)
        elif len(layers) < limit:
            layers.append([chord])
        else:
            _squeeze(layers, chord)
    by_pitch = sorted(layers, key=lambda x: -np.mean([c.pitches[-1] for c in x]))
    return tuple(by_pitch)


def _squeeze(layers: list[Chords], chord: Chord) -> None:
    """Adds a chord to layers that all sound when it begins."""
    earlier = [layer for layer in layers if layer[-1].start < chord.start]
    if earlier:
        layer = min(earlier, key=lambda x: x[-1].end)
        layer[-1] = dataclasses.replace(layer[-1], end=chord.start)
        layer.append(chord)
    else:
        last = layers[0][-1]
        pitches = tuple(sorted({*last.pitches, *chord.pitches}))
        lyric = last.lyric or chord.lyric
        layers[0][-1] = dataclasses.replace(last, pitches=pitches, lyric=lyric)
