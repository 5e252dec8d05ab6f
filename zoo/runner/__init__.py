"""One training run, from its options to its published record."""

from zoo.runner.latents import train_on_latents
from zoo.runner.launch import launch
from zoo.runner.run import train

__all__ = ["launch", "train", "train_on_latents"]
