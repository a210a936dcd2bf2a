"""A look inside of a model while it reads: its activations, and which of them react to what."""
