"""Tasks: what a model is trained and evaluated on.

A task is a frozen dataclass: a corpus, how it becomes arrays, and how arrays become
batches. A checkpoint records it, and `zoo.load` restores it.
"""

from zoo.tasks.arrays import Arrays
from zoo.tasks.audio import Audio
from zoo.tasks.base import SPLITS, Label, Task, bound
from zoo.tasks.events import Events
from zoo.tasks.frames import Frames, NoteRows
from zoo.tasks.latents import LatentSequences
from zoo.tasks.phrases import MultitrackPhrases, Phrases
from zoo.tasks.speech import Speech

__all__ = [
    "SPLITS",
    "Arrays",
    "Audio",
    "Events",
    "Frames",
    "Label",
    "LatentSequences",
    "MultitrackPhrases",
    "NoteRows",
    "Phrases",
    "Speech",
    "Task",
    "bound",
]
