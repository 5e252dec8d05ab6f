"""Datasets of sound: their sources, their builds and their batches."""
