"""Models in onnxruntime: one place for how it is set up."""

from __future__ import annotations

import os

# onnxruntime reports its use over the network unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime


def load_session(content: bytes, *, num_threads: int) -> onnxruntime.InferenceSession:
    """A serialised model, ready to run on the CPU.

    Args:
        content: An onnx.ModelProto.
        num_threads: Threads that one run may use.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    # A spinning pool burns the cores of an idle server, and steals them from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    # Kept for a change of providers, of which there is only this one: a second copy of the weights.
    session._model_bytes = None
    return session
