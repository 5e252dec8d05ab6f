"""Phonemes by espeak-ng, where it is installed.

The library is under the GPL and no dependency of the zoo. It writes the International
Phonetic Alphabet, which becomes ARPAbet here; the flap of "butter" is T, as in the
dictionary.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import threading
from collections.abc import Sequence

from zoo.data.text.inventory import VOWELS
from zoo.errors import ZooError

MISSING = (
    "Phonemes by espeak-ng need its library: pip install espeakng-loader, or leave "
    "`engine` out."
)
VOICE = b"en-us"
SYNCHRONOUS, UTF8, IPA = 2, 1, 2  # of speak_lib.h: output, text and phonemes
EVENTS = 3  # of phonemes, named in the phonetic alphabet
STRESS = {"ˈ": "1", "ˌ": "2"}
SOUNDS = {
    **{"iː": "IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "eɪ": "EY", "e": "EH", "ɛ": "EH"},
    **{"æ": "AE", "a": "AE", "ɑː": "AA", "ɑ": "AA", "ɒ": "AA", "ɔː": "AO", "ɔ": "AO"},
    **{"oʊ": "OW", "o": "OW", "oː": "AO", "ʊ": "UH", "uː": "UW", "u": "UW", "ʌ": "AH"},
    **{"ə": "AH", "ɐ": "AH", "ɚ": "ER", "ɜː": "ER", "ɜ": "ER", "aɪ": "AY", "aʊ": "AW"},
    **{"ɔɪ": "OY", "aː": "AA", "əl": "AH L", "n̩": "AH N", "l̩": "AH L", "m̩": "AH M"},
    **{"p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "f": "F"},
    **{"v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH"},
    **{
        "h": "HH",
        "m": "M",
        "n": "N",
        "ŋ": "NG",
        "l": "L",
        "ɹ": "R",
        "r": "R",
        "w": "W",
    },
    **{"j": "Y", "tʃ": "CH", "dʒ": "JH", "ɾ": "T", "ʔ": "T", "x": "K", "ç": "HH"},
    **{"ɬ": "L", "ʍ": "W", "ɲ": "N Y"},
}
LONGEST = max(map(len, SOUNDS))
LOCK = threading.Lock()  # the library has one state


@functools.cache
def library() -> ctypes.CDLL:
    """Returns the library, ready for English of America.

    Raises:
      ZooError: it is not installed.
    """
    folder = None
    if importlib.util.find_spec("espeakng_loader"):
        import espeakng_loader  # type: ignore[import-untyped]

        path: str | None = str(espeakng_loader.get_library_path())
        folder = str(espeakng_loader.get_data_path()).encode()
    else:
        path = ctypes.util.find_library("espeak-ng")
    if path is None:
        raise ZooError(MISSING)
    found = ctypes.CDLL(path)
    rate = found.espeak_Initialize(SYNCHRONOUS, 0, folder, EVENTS)
    if rate < 0 or found.espeak_SetVoiceByName(VOICE) != 0:
        raise ZooError(
            f"The espeak-ng at {path} has no voice {VOICE.decode()}: {MISSING}"
        )
    found.espeak_TextToPhonemes.restype = ctypes.c_char_p
    found.espeak_TextToPhonemes.argtypes = (
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_int,
        ctypes.c_int,
    )
    return found


def rate() -> int:
    """Returns the sample rate of speech in hertz; raises as `library` does."""
    return int(library().espeak_ng_GetSampleRate())


def transcribe(text: str) -> str:
    """Returns a text in the phonetic alphabet, with spaces between words."""
    spoken = library()
    held = ctypes.create_string_buffer(text.encode())
    place = ctypes.c_void_p(ctypes.addressof(held))
    clauses = []
    with LOCK:
        while place.value:
            found = spoken.espeak_TextToPhonemes(ctypes.byref(place), UTF8, IPA)
            clauses.append(found.decode() if found else "")
    return " ".join(clauses)


def phrase(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the phonemes of the words of a phrase, read together.

    Where the library joins words, each is read by itself.

    Raises:
      ZooError: espeak-ng is not installed.
    """
    spoken = transcribe(" ".join(words)).split()
    if len(spoken) != len(words):
        spoken = ["".join(transcribe(word).split()) for word in words]
    return [arpabet(word) for word in spoken]


def arpabet(ipa: str) -> tuple[str, ...]:
    """Returns the ARPAbet of a word in the phonetic alphabet, but for other signs."""
    phonemes: list[str] = []
    stress, place = "0", 0
    while place < len(ipa):
        if ipa[place] in STRESS:
            stress = STRESS[ipa[place]]
            place += 1
            continue
        sizes = range(LONGEST, 0, -1)
        sound = next((x for n in sizes if (x := ipa[place : place + n]) in SOUNDS), "")
        for name in SOUNDS.get(sound, "").split():
            vowel = name in VOWELS
            phonemes.append(f"{name}{stress}" if vowel else name)
            stress = "0" if vowel else stress
        place += max(len(sound), 1)
    return tuple(phonemes)
