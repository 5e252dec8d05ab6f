"""Encoded corpora and the training batches that are cut from them."""
