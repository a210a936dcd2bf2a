"""Losses on held-out text in torch, also of models that adapt to it; and the calibration."""
