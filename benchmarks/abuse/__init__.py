"""Attacks on a server of one's own, and what its other clients notice; see `__main__`."""
