"""The one training step, the loop around it, checkpoints and placement."""
