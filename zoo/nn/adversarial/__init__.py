"""Losses and networks of generative adversarial models."""
