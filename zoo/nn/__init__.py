"""Layers and pure functions that models are made of."""
