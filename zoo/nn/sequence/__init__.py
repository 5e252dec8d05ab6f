"""Recurrent and attention layers, and sampling of sequences."""
