"""Speech by Flite, whose library is called in this process.

A. W. Black, K. A. Lenzo: Flite: a small fast run-time synthesis engine, SSW 4 (2001).
Its segments are asked for their end, and for the word of the text they are in.
"""

import ctypes
import ctypes.util
import functools
import threading
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from zoo.data.speech.script import NO_WORD, Phone, script, utterance
from zoo.data.speech.utterance import Utterance
from zoo.data.text.inventory import VOWELS
from zoo.errors import ZooError

MISSING = (
    "Speech by flite needs its libraries: apt-get install flite, or choose a voice of "
    "espeak."
)
LICENCE = (
    "Spoken by Flite and its voice {voice}, both of Carnegie Mellon University under "
    "licences like BSD's; the sound is free."
)
SEGMENT_WORD = b"R:SylStructure.parent.parent.R:Token.parent"
STRESS = b"R:SylStructure.parent.stress"
SPELLED = {"A": "ay"}  # "A" would be read as the article
SILENCE = "pau"
SOUNDS = {"ax": "AH", "axr": "ER", "dx": "T", "el": "AH L", "em": "AH M", "en": "AH N"}
LOCK = threading.Lock()  # the library has one state


class Wave(ctypes.Structure):
    """The struct `cst_wave`."""

    _fields_: ClassVar = [
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("samples", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.c_short)),
    ]


class Voice(ctypes.Structure):
    """The beginning of the struct `cst_voice`."""

    _fields_: ClassVar = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p
FUNCTIONS = {  # what each returns and takes
    "flite_synth_text": (POINTER, TEXT, POINTER),
    "delete_utterance": (None, POINTER),
    "utt_wave": (ctypes.POINTER(Wave), POINTER),
    "utt_relation": (POINTER, POINTER, TEXT),
    "relation_head": (POINTER, POINTER),
    "item_next": (POINTER, POINTER),
    "item_as": (POINTER, POINTER, TEXT),
    "path_to_item": (POINTER, POINTER, TEXT),
    "ffeature_string": (TEXT, POINTER, TEXT),
    "ffeature_float": (ctypes.c_float, POINTER, TEXT),
    "feat_set_float": (None, POINTER, TEXT, ctypes.c_float),
}


@functools.cache
def library() -> ctypes.CDLL:
    """Returns the library.

    Raises:
      ZooError: it is not installed.
    """
    paths = [
        ctypes.util.find_library(name)
        for name in ("flite", "flite_usenglish", "flite_cmulex")
    ]
    if None in paths:
        raise ZooError(MISSING)
    found, *_ = [ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in paths]
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    found.flite_init()
    return found


@functools.cache
def voice_at(name: str) -> int:
    """Returns the address of a voice.

    Raises:
      ZooError: it is not installed.
    """
    library()
    path = ctypes.util.find_library(f"flite_cmu_us_{name}")
    if path is None:
        raise ZooError(f"Flite's voice {name} is not installed. {MISSING}")
    register = getattr(ctypes.CDLL(path), f"register_cmu_us_{name}")
    register.restype, register.argtypes = POINTER, (TEXT,)
    return int(register(None))


class Flite:
    """The engine and its American and Scottish voices, at 16 kHz."""

    name = "flite"
    voices = ("slt", "rms", "awb", "kal16")

    @property
    def licences(self) -> Mapping[str, str]:
        return {voice: LICENCE.format(voice=voice) for voice in self.voices}

    def speak(self, text: str, voice: str, slowness: float = 1.0) -> Utterance:
        lines = script(text)
        words = [SPELLED.get(word, word) for word in lines.words]
        plain = " ".join(a + b for a, b in zip(words, lines.pauses, strict=True))
        found, at = library(), voice_at(voice)
        with LOCK:
            features = Voice.from_address(at).features
            found.feat_set_float(features, b"duration_stretch", slowness)
            spoken = found.flite_synth_text(plain.encode(), at)
            if not spoken:
                raise ZooError(f"Flite failed on {text!r}: leave the sentence out.")
            try:
                wave = found.utt_wave(spoken).contents
                audio = np.ctypeslib.as_array(wave.data, (wave.samples,)).copy()
                rate = int(wave.rate)
                phones = _phones(found, spoken, rate)
            finally:
                found.delete_utterance(spoken)
        return utterance(lines, audio, rate, phones)


def _phones(found: ctypes.CDLL, spoken: int, rate: int) -> list[Phone]:
    """Returns the segments of flite's utterance at an address."""
    numbers: dict[int, int] = {}  # of words, by the address of what is in the text
    token = found.relation_head(found.utt_relation(spoken, b"Token"))
    while token:
        numbers[token] = len(numbers)
        token = found.item_next(token)
    phones = []
    at = found.relation_head(found.utt_relation(spoken, b"Segment"))
    while at:
        name = found.ffeature_string(at, b"name").decode()
        end = round(found.ffeature_float(at, b"end") * rate)
        if name == SILENCE:
            phones.append(Phone("", end, NO_WORD))
        else:
            word = numbers[found.path_to_item(at, SEGMENT_WORD)]
            stress = found.ffeature_string(at, STRESS).decode()
            phones.append(Phone(_arpabet(name, stress), end, word))
        at = found.item_next(at)
    return phones


def _arpabet(name: str, stress: str) -> str:
    sound = SOUNDS.get(name, name.upper())
    return f"{sound}{stress}" if sound in VOWELS else sound
