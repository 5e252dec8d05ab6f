"""Losses, gradient estimators and networks of adversarial models."""
