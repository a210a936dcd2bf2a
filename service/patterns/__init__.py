"""Patterns that texts are to match: compiled, out of the way of everything else, and kept."""
