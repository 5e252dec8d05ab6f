"""The train step, the training loop, checkpoints and sharding."""
