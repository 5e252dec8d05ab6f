"""Corpora of scores: their sources, their builds and the records they hold."""
