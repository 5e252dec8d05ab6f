"""The phonemes of American English, written in ARPAbet."""

VOWELS = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY"),
    *("UH", "UW"),
)
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R"),
    *("S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
STRESSES = "012"  # none, primary, secondary
PHONEMES = (*(v + s for v in VOWELS for s in STRESSES), *CONSONANTS)


def is_vowel(phoneme: str) -> bool:
    """Says whether a phoneme is a vowel, the core of a syllable."""
    return phoneme[-1] in STRESSES
