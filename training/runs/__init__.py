"""A run on disk and on the screen: folder, checkpoints, records, metrics, curves, progress."""
