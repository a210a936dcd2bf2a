"""How models are loaded into onnxruntime."""

from __future__ import annotations

import sys

import numpy as np

from service.runtime.onnx_session import load_session
from tests import tiny_model


def test_what_is_loaded_is_not_kept_beside_it():
    """The package's own session holds on to the bytes: the weights once more."""
    content = tiny_model.step_graph()
    before = sys.getrefcount(content)
    session = load_session(content, num_threads=1)

    assert before == sys.getrefcount(content)
    feed = {
        value.name: np.zeros([1, *value.shape[1:]], np.int64 if value.name == "token" else "f4")
        for value in session.get_inputs()
    }
    assert session.run(["logits"], feed)[0].shape[0] == 1
