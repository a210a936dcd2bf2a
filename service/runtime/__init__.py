"""Running a model: the step graph in onnxruntime, and bursts of steps for many rows at once.

`decoder` holds the nouns (Burst, BurstResult) and the Protocol that the engine drives; it knows
numpy only. `sampling` says how tokens are drawn. `onnx_session` is the one module that imports
onnxruntime. `reference/` computes the same in numpy, one step at a time.
"""
