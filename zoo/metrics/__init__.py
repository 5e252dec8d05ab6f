"""Metrics of pieces, of recordings and of sets of pieces. NumPy, never JAX."""
