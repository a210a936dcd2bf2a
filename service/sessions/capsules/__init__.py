"""Capsules: the past of a text, sealed, for whoever wants to keep it themselves."""
