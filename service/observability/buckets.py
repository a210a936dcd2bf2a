"""Upper bounds of histograms, in base units: a few for each factor of ten."""

TIME_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 300,
)  # fmt: skip
"""Of requests and their parts; 300 s is what a request may take by default."""
GAP_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1,
    0.25, 0.5, 1, 2.5, 5, 10,
)  # fmt: skip
"""From tokens to the next ones: close to each other around a burst of 15 ms."""
BURST_S = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""Of one run of the model, which should take 15 ms."""
POWERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Of rows and steps."""
NUM_TOKENS = (0, 1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536)
"""Of prompts and texts."""
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
"""Of a whole."""
