"""Encoded corpora and training batches."""
