"""A JAX model zoo for music."""
