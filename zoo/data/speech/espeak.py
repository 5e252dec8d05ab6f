"""Speech by espeak-ng, where it is installed: formant synthesis at 22,050 Hz.

The library is under the GPL and no dependency of the zoo; it reports each phoneme with
its sample.
"""

import ctypes
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zoo.data.speech.matching import match
from zoo.data.speech.script import NO_WORD, Phone, Script, script, utterance
from zoo.data.speech.utterance import Utterance
from zoo.data.text import espeak as front
from zoo.errors import ZooError

LICENCE = (
    "Spoken by espeak-ng (GPL-3.0-or-later) with its voice {voice}; the licence does "
    "not extend to the sound."
)
VOICES = ("en-us", "en-us+f2", "en-us+klatt4", "en-us+f4", "en-us+m3")
END, WORD, PHONEME = 0, 1, 7  # kinds of events in speak_lib.h
CHARACTERS, RATE = 1, 1  # a kind of position, and a parameter: words a minute
WORDS_A_MINUTE = 175


class Name(ctypes.Union):
    """Subject of an event."""

    _fields_: ClassVar = [("number", ctypes.c_int), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    """The struct `espeak_EVENT`."""

    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", Name),
    ]


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


class Sound(NamedTuple):
    """A phoneme of the library: its name, first sample, and first character."""

    name: str
    start: int
    position: int


class Espeak:
    """The engine and voices of it that a recogniser understands, at 22,050 Hz."""

    name = "espeak"
    voices = VOICES

    @property
    def licences(self) -> Mapping[str, str]:
        return {voice: LICENCE.format(voice=voice) for voice in self.voices}

    def speak(self, text: str, voice: str, slowness: float = 1.0) -> Utterance:
        lines = script(text)
        plain = lines.plain
        starts = np.cumsum([1, *(len(word) + 1 for word in plain)])[:-1]
        audio, rate, sounds = _synthesise(" ".join(plain), voice, slowness)
        phones: list[Phone] = []
        for group in _groups(sounds, starts, len(audio)):
            phones += _in_words(group, lines)
        return utterance(lines, audio, rate, phones)


class Group(NamedTuple):
    """Sounds that the library reports of one or more words in a row.

    Attributes:
      sounds: ARPAbet and end of each.
      words: their indices; empty of a pause.
    """

    sounds: list[tuple[str, int]]
    words: range


def _synthesise(
    text: str, voice: str, slowness: float
) -> tuple[np.ndarray, int, list[Sound]]:
    """Returns samples int16 [s], their rate, and the sounds in order."""
    found = front.library()
    parts: list[np.ndarray] = []
    sounds: list[Sound] = []

    def receive(
        wave: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        events: "ctypes._Pointer[Event]",
    ) -> int:
        if wave and count:
            parts.append(np.ctypeslib.as_array(wave, (count,)).copy())
        number = 0
        while events[number].type != END:
            one = events[number]
            if one.type == PHONEME:
                name = bytes(one.id.string).decode("utf-8", "replace")
                sounds.append(Sound(name, one.sample, one.position))
            number += 1
        return 0

    held = Callback(receive)
    with front.LOCK:
        try:
            chosen = found.espeak_SetVoiceByName(voice.encode())
            found.espeak_SetParameter(RATE, round(WORDS_A_MINUTE / slowness), 0)
            found.espeak_SetSynthCallback(held)
            spoken = found.espeak_Synth(*said(text))
        finally:
            found.espeak_SetSynthCallback(None)
            found.espeak_SetParameter(RATE, WORDS_A_MINUTE, 0)
            found.espeak_SetVoiceByName(front.VOICE)
    if chosen or spoken or not parts:
        raise ZooError(f"espeak-ng failed on {text!r}: leave the sentence out.")
    return np.concatenate(parts), front.rate(), sounds


def said(text: str) -> tuple[Any, ...]:
    """Returns the arguments of the library's function for a text."""
    sent = text.encode()
    first_character, whole = 0, 0
    return (
        *(sent, len(sent) + 1, first_character, CHARACTERS, whole, front.UTF8),
        *(None, None),
    )


def _groups(sounds: list[Sound], starts: np.ndarray, samples: int) -> Iterator[Group]:
    """Yields the sounds by the words they belong to.

    Args:
      sounds: those of the library.
      starts: the number of the first character of each word, from 1.
      samples: number of samples.
    """
    named: list[tuple[str, int, int]] = []  # ARPAbet, end, word
    ends = [*(sound.start for sound in sounds[1:]), samples]
    for sound, end in zip(sounds, ends, strict=True):
        word = int(np.searchsorted(starts, sound.position, "right")) - 1
        names = front.arpabet(sound.name)
        edges = np.linspace(sound.start, end, len(names) + 1)[1:]
        named += [(x, round(y), word) for x, y in zip(names, edges, strict=True)]
        if not names:
            named.append(("", end, NO_WORD))
    runs = [list(run) for _, run in itertools.groupby(named, lambda x: x[2])]
    firsts = [run[0][2] for run in runs]
    for index, (run, word) in enumerate(zip(runs, firsts, strict=True)):
        later = [x for x in firsts[index + 1 :] if x != NO_WORD]
        stop = max(word + 1, later[0] if later else len(starts))
        words = range(0) if word == NO_WORD else range(word, stop)
        yield Group([(name, end) for name, end, _ in run], words)


def _in_words(group: Group, lines: Script) -> list[Phone]:
    """Returns the sounds of a group with the word of each."""
    if not group.words:
        return [Phone("", end, NO_WORD) for _, end in group.sounds]
    if len(group.words) == 1:
        return [Phone(name, end, group.words[0]) for name, end in group.sounds]
    read = [(x, word) for word in group.words for x in lines.phonemes[word]]
    found = match([x for x, _ in read], [name for name, _ in group.sounds])
    owner = [group.words[0]] * len(group.sounds)
    for (_, word), place in zip(read, found, strict=True):
        if place >= 0:
            owner[place:] = [word] * (len(owner) - place)
    return [
        Phone(name, end, word)
        for (name, end), word in zip(group.sounds, owner, strict=True)
    ]
