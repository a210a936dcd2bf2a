"""Parity passes what is right and stops what is broken."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.training.tiny import TinyRun
from training.errors import ParityError
from training.export.parity import check_parity


def changed(graph: onnx.ModelProto, name: str, change: float) -> onnx.ModelProto:
    """A copy with one number of one weight replaced."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    [tensor] = [tensor for tensor in copy.graph.initializer if tensor.name == name]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[3] = change
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    return copy


def test_right_graph_passes(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """One row and several random batch sizes, at least 64 chained steps."""
    parity = check_parity(tiny_run.model, tiny_graph, tolerance=1e-4, seed=1)
    assert parity.num_steps >= 64
    assert parity.batch_sizes[0] == 1
    assert len(set(parity.batch_sizes)) >= 4
    assert 0.0 < parity.max_logit_difference < 1e-4
    assert 0.0 < parity.max_state_difference < 1e-4


@pytest.mark.parametrize(
    "name", ["table", "steps.0.weight_h", "steps.1.weight", "steps.1.bias", "output.projection"]
)
def test_one_wrong_number_is_found(
    tiny_run: TinyRun, tiny_graph: onnx.ModelProto, name: str
) -> None:
    """Wherever in the graph it is."""
    broken = changed(tiny_graph, name, 0.7)
    with pytest.raises(ParityError, match=r"publish\.parity_tolerance allows 1\.00e-04"):
        check_parity(tiny_run.model, broken, tolerance=1e-4, seed=1)


def test_not_a_number_is_found(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """NaN is larger than nothing and smaller than nothing; it must not slip through."""
    broken = changed(tiny_graph, "output.bias", float("nan"))
    with pytest.raises(ParityError, match=re.escape("differ by inf in a logit")):
        check_parity(tiny_run.model, broken, tolerance=1e-4, seed=1)


def test_swapped_gates_are_found(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """The classic export mistake: i and f in the wrong order."""
    copy = onnx.ModelProto()
    copy.CopyFrom(tiny_graph)
    [weight] = [tensor for tensor in copy.graph.initializer if tensor.name == "steps.0.weight_h"]
    i, f, o, candidate = np.split(numpy_helper.to_array(weight), 4, axis=1)
    swapped = np.concatenate([f, i, o, candidate], axis=1)
    weight.CopyFrom(numpy_helper.from_array(swapped, "steps.0.weight_h"))
    with pytest.raises(ParityError):
        check_parity(tiny_run.model, copy, tolerance=1e-4, seed=1)
