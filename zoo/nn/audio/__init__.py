"""Transforms, losses and networks of audio."""
