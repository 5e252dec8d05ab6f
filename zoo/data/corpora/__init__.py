"""Corpora of scores: sources, builds and records."""
