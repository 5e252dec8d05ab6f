"""Measures of music, of recordings and of sets of pieces. NumPy, never JAX."""
