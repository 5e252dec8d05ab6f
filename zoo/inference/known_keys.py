"""Primers in keys that a model has not learnt.

A model that was trained on music as it is written knows the keys of its corpus: an LSTM
of dance tunes gives 1.04 nats per event to tunes in their own keys, and 2.1 to the same
tunes a tritone higher. It therefore continues a primer in the key in which the primer
is likeliest, and its music is transposed back.
"""

import dataclasses

import numpy as np

from zoo.core import Likelihood, supports
from zoo.data.proto import NoteSequence
from zoo.inference.primer import Primer
from zoo.inference.sampler import Sampler
from zoo.nn.sequence.sampling import bucket

KEYS = range(-5, 7)  # transpositions, in semitones
LEARNT = 5  # largest transposition in training that makes all keys known
GAIN = 0.1  # nats per event by which another key must be likelier


def in_known_key(primer: Primer, sampler: Sampler, learnt: int) -> Primer:
    """Returns a primer in the key in which a model finds it likeliest.

    Args:
      primer: music to continue.
      sampler: of the model.
      learnt: the largest transposition in its training, in semitones.
    """
    if learnt >= LEARNT or not supports(sampler.family, Likelihood):
        return primer
    semitones = likeliest_transposition(primer.array, sampler)
    if semitones == 0:
        return primer
    remark = (
        f"transposed: by {semitones:+} semitones for the model, which knows more music "
        "in that key; the pieces are in the primer's own"
    )
    return dataclasses.replace(
        primer,
        array=sampler.codec.transpose(primer.array, semitones),
        transposition=semitones,
        remarks=(*primer.remarks, remark),
    )


def likeliest_transposition(array: np.ndarray, sampler: Sampler) -> int:
    """Returns by how many semitones music is likeliest; 0 unless by `GAIN` or more."""
    reach = sampler.codec.reach(array)
    keys = [0, *(key for key in KEYS if key in reach and key)]
    rows = np.stack([sampler.codec.transpose(array, key) for key in keys])
    size = bucket(len(array))  # so that primers share programs
    padding = [(0, 0), (0, size - len(array))] + [(0, 0)] * (rows.ndim - 2)
    mask = np.broadcast_to(np.arange(size) < len(array), (len(keys), size))
    rates = sampler.log_prob(np.pad(rows, padding), mask) / len(array)
    best = int(rates.argmax())
    return keys[best] if rates[best] - rates[0] >= GAIN else 0


def transposed(piece: NoteSequence, semitones: int) -> NoteSequence:
    """Transposes the notes of a piece, which is changed; drums stay."""
    for note in piece.notes:
        if not note.is_drum:
            note.pitch = min(max(note.pitch + semitones, 0), 127)
    return piece
