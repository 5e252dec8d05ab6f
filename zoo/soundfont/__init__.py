"""Notes as a SoundFont has them, in NumPy."""
