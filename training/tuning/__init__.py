"""Which training is a good one: sweeps, learning rates, gradients, runs side by side."""
