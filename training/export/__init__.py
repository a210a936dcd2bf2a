"""From a model in torch to a step graph: float32, parity with torch, int8."""
