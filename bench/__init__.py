"""Measures the hot path from one end to the other; run as `python bench`."""
