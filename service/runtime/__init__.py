"""Running a model: the step graph in onnxruntime, and bursts of steps for many rows at once.

`decoder` holds the nouns (Row, Sampling, Burst, BurstResult) and the Protocol that the engine
drives; it knows numpy only. `step` is the one module that imports onnxruntime.
"""
