"""Prints the nats per event of models of melodies, on test pieces in other keys.

python benchmarks/other_keys.py tunes_lstm runs/tunes_lstm
"""

import numpy as np
from tyro.conf import Positional

import zoo
from zoo.data.batching.batches import packed_eval_batches
from zoo.data.pieces import InMemoryPieces
from zoo.inference.model import Model
from zoo.runner import launch

TRANSPOSITIONS = (0, 1, -1, 3, 5, 6)  # semitones
ROWS = 16  # at a time


def other_keys(models: Positional[tuple[str, ...]], /) -> None:
    """Prints the nats per event of the test split in each transposition.

    Args:
        models: directories that training has written, and names of shipped weights.
    """
    for name in models:
        model = zoo.load(name)
        for semitones in TRANSPOSITIONS:
            print(f"{name} {semitones:+} {nats(model, semitones):.3f}")


def nats(model: Model, semitones: int) -> float:
    """Returns the nats per event of the test split, transposed."""
    codec = model.codec
    pieces = [
        codec.transpose(piece, semitones)
        for piece in model.task.pieces("test")
        if semitones in codec.reach(piece)
    ]
    total, events = 0.0, 0
    for rows in packed_eval_batches(InMemoryPieces(pieces), codec, ROWS):
        total -= float(model.sampler.log_prob(rows["tokens"], rows["mask"]).sum())
        events += int(np.sum(rows["mask"]))
    return total / events


if __name__ == "__main__":
    launch(other_keys)
