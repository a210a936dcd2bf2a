"""The models that are served: loaded from the store, found by name."""
