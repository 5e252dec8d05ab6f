"""Excerpts of tunes that are sung: a few phrases, slow enough for words."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from zoo.data.bars import main_tempo
from zoo.data.lyrics import has_lyrics, lyrics_of, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.speech.rhymes import RHYMES
from zoo.data.text.lyric_words import lyric_words
from zoo.data.text.underlay import lay, phrases_of, sung_line

LEAD = 0.25  # seconds before the first note, for the consonants before it
NOTE = 0.3  # seconds: of slowed music, half of the notes are as long


def seed_of(name: str) -> int:
    """Returns a number of 32 bits that depends on a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest())


def song_excerpts(
    sequence: NoteSequence, seconds: float, name: str
) -> Iterator[NoteSequence]:
    """Yields excerpts of the melody of a piece with lyrics, of up to `seconds`.

    They begin with a short silence. Their words are the piece's own, or a rhyme that
    is chosen by `name` and the number of the excerpt. What has no notes, or of a piece
    with lyrics no words, is left out.
    """
    own = has_lyrics(sequence)
    try:
        if own:
            groups = [group for word in lyric_words(sequence) for group in word]
            indices = [i for _, notes in groups for i in notes]
        else:
            indices = sung_line(sequence)
    except Refused:
        return
    if not indices:
        return
    lengths = [
        sequence.notes[i].end_time - sequence.notes[i].start_time for i in indices
    ]
    slower = max(1.0, NOTE / max(float(np.median(lengths)), 1e-3))
    phrases = phrases_of(sequence, indices)
    room = (seconds - LEAD) / slower
    for number, part in enumerate(_joined(sequence, phrases, room)):
        piece = _part(sequence, part, slower)
        if own:
            lyrics = lyrics_of(sequence)
            found = [lyrics[i] for i in part]
            first = next((k for k, x in enumerate(found) if x and not x.extends), None)
            if first is None:
                continue
            piece = _part(sequence, part[first:], slower)
            write_lyrics(piece, found[first:])
            yield piece
        else:
            rhyme = RHYMES[seed_of(f"{name}#{number}") % len(RHYMES)]
            yield lay(piece, rhyme).sequence


def _joined(
    sequence: NoteSequence, phrases: Sequence[list[int]], room: float
) -> Iterator[list[int]]:
    """Yields as many phrases in a row as fit in `room` seconds; divides longer ones."""
    part: list[int] = []
    notes = sequence.notes
    for phrase in phrases:
        if part and notes[phrase[-1]].end_time - notes[part[0]].start_time > room:
            yield part
            part = []
        for index in phrase:
            if part and notes[index].end_time - notes[part[0]].start_time > room:
                yield part
                part = []
            part.append(index)
    if part:
        yield part


def _part(
    sequence: NoteSequence, indices: Sequence[int], slower: float
) -> NoteSequence:
    """Returns notes of a piece, from LEAD on, slower by a factor."""
    part = NoteSequence(ticks_per_quarter=sequence.ticks_per_quarter)
    part.tempos.add(qpm=main_tempo(sequence) / slower)
    begin = sequence.notes[indices[0]].start_time
    for index in indices:
        note = sequence.notes[index]
        part.notes.add(
            pitch=note.pitch,
            velocity=note.velocity,
            start_time=LEAD + slower * (note.start_time - begin),
            end_time=LEAD + slower * (note.end_time - begin),
        )
    part.total_time = max(note.end_time for note in part.notes)
    return part
