"""English text to phonemes and syllables, by the CMU Pronouncing Dictionary.

The dictionary is an extra: pip install 'music-zoo[speech]'.
"""
