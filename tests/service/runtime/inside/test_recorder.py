"""What is told of a model is what it computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from service.runtime.inside.recorder import PIECE, Recorder
from service.runtime.step import StepGraph
from tests import tiny_model

GATES = {"i": "i_open", "f": "f_open", "o": "o_open", "candidate": "candidate"}
STATES = {"h": "next_state.h", "c": "next_state.c"}


@pytest.fixture(scope="module")
def content() -> bytes:
    """A step graph."""
    return tiny_model.step_graph()


@pytest.fixture(scope="module")
def recorder(content: bytes) -> Recorder:
    """Of all its activations."""
    return Recorder(onnx.load_model_from_string(content), ["h", "c"], {**GATES, **STATES})


def told(recorder: Recorder, id_T: np.ndarray) -> dict[str, np.ndarray]:
    """All of it, in one piece."""
    pieces = list(recorder.read(id_T, recorder.widths))
    whole = {
        name: np.concatenate([piece.activations[name] for piece in pieces])
        for name in recorder.widths
    }
    return whole | {"logits": np.concatenate([piece.logits_TV for piece in pieces])}


def test_it_is_what_serves_bit_for_bit(recorder: Recorder, content: bytes):
    """Logits and state, over several pieces."""
    id_T = np.arange(2 * PIECE + 5) * 7 % tiny_model.VOCABULARY_SIZE
    found = told(recorder, id_T)
    step = StepGraph(content, state_names=["h", "c"])
    state = step.zero_state(1)
    for t in range(len(id_T)):
        logits, state = step(id_T[t : t + 1], state)
        assert np.array_equal(logits[0], found["logits"][t])
        assert np.array_equal(state[0][0], found["h"][t])
        assert np.array_equal(state[1][0], found["c"][t])


def test_the_gates_make_the_state(recorder: Recorder):
    """C' = f c + i c~ and h' = o tanh(c'), from one token to the next."""
    found = told(recorder, np.arange(PIECE + 3) % 11)
    before = np.vstack([np.zeros((1, tiny_model.WIDTH)), found["c"][:-1]])

    made = found["f"] * before + found["i"] * found["candidate"]
    np.testing.assert_allclose(made, found["c"], atol=1e-6)
    np.testing.assert_allclose(found["o"] * np.tanh(found["c"]), found["h"], atol=1e-6)


def test_only_what_is_wanted_is_told(recorder: Recorder):
    """And each text is read from the start."""
    first = list(recorder.read(np.array([3, 4]), ["c"]))
    again = list(recorder.read(np.array([3, 4]), ["c", "f"]))

    assert {"c"} == set(first[0].activations)
    assert {"c", "f"} == set(again[0].activations)
    assert np.array_equal(first[0].activations["c"], again[0].activations["c"])
