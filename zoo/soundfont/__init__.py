"""A SoundFont synthesiser in NumPy."""
