"""Audio datasets, their builds and training batches."""
