"""Layers and losses of models with latent variables."""
