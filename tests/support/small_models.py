"""Small untrained models of every family, and short scores."""

import dataclasses
import inspect

import jax

import zoo.models
from zoo.core import LatentSequenceModel, supports
from zoo.data.codecs import Compound, Melody, Multitrack, Phrase, Pianoroll, Voices
from zoo.data.proto import NoteSequence
from zoo.inference.model import Model
from zoo.tasks import LatentSequences, bound

MELODY = Melody(low=60, high=71, metres=("4/4", "6/8"))
VOICES = Voices(low=48, high=72)
PHRASE = Phrase(bars=2, metres=("1/4",), low=60, high=71)
FAMILIES = zoo.models.families()


def trained(name: str) -> Model:
    """The family of that module, untrained, with a codec that it can write for."""
    family = FAMILIES[name].TINY
    if name == "musegan":
        pitches = {"low": 60, "high": 59 + family.pitches}
        codec = Multitrack(
            family.bars, tracks=family.tracks, metres=("1/4",), **pitches
        )
    elif name == "seqgan":
        codec = Compound()
        family = dataclasses.replace(family, sizes=codec.sizes)
    elif name in ("note_transformer", "polyphonic_rnn"):
        codec = Pianoroll(low=60, high=59 + family.keys, onsets=False)
    elif supports(family, LatentSequenceModel):
        vae = dataclasses.replace(family.vae, vocab=PHRASE.vocab)
        family = dataclasses.replace(family, vae=vae)
        codec = dataclasses.replace(PHRASE, bars=family.parts * vae.bars)
    else:
        codec = {"coconet": VOICES, "music_vae": PHRASE}.get(name, MELODY)
        sizes = {"vocab": codec.vocab} | ({"voices": 4} if name == "coconet" else {})
        family = dataclasses.replace(family, **sizes)
    task = None
    if supports(family, LatentSequenceModel):
        task = bound(LatentSequences(parts=family.parts), coder=codec)
    params = jax.jit(family.init)(jax.random.key(0), family.example(2))
    return Model(family, params, codec, task=task, about={"experiment": name})


def conditioning(family, n: int):
    """Returns the keywords that sampling requires, as a batch of `n` names them."""
    batch = family.example(n)
    values = {"batch": batch, **batch}
    parameters = inspect.signature(family.sample).parameters.values()
    return {
        p.name: values[p.name]
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    }


def score(*lines: str, beats: int = 4) -> NoteSequence:
    """A voice to a line, a quarter to a note: `60 62 64 65`."""
    sequence = NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=beats, denominator=4)
    for part, line in enumerate(lines):
        for i, pitch in enumerate(map(int, line.split())):
            times = {"start_time": i / 2, "end_time": (i + 1) / 2}
            sequence.notes.add(
                pitch=pitch, velocity=80, instrument=part, part=part, **times
            )
            sequence.total_time = max(sequence.total_time, times["end_time"])
    return sequence


def with_thirds(sequence: NoteSequence, count: int | None = None) -> NoteSequence:
    """Adds a third below each note, or below the first `count`."""
    for note in list(sequence.notes)[:count]:
        sequence.notes.add().CopyFrom(note)
        sequence.notes[-1].pitch -= 4
    return sequence
