"""Measures of a trained model, by the kind of what it writes."""
