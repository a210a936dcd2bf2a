"""The step graph explains itself and keeps the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from service.runtime.step import StepGraph
from tests.training.tiny import TinyRun
from training.errors import ExportError
from training.export import step_graph
from training.export.step_graph import export_step, metadata_of
from training.publishing.candidate import build_graph

NAMES = ("layer0.h", "layer0.c", "layer1.h", "layer1.c")


def signature(values: object) -> dict[str, tuple[int, list[object]]]:
    """Name -> element type and shape, symbols by name."""
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in values  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_contract(tiny_run: TinyRun, tiny_graph: onnx.ModelProto, precision: str) -> None:
    """Names, types, and B as the one dynamic axis."""
    graph = tiny_graph if precision == "float32" else build_graph(tiny_run.checkpoint, "int8")
    vocabulary = tiny_run.checkpoint.identity.tokenizer.vocabulary_size
    real = onnx.TensorProto.FLOAT
    state = {name: (real, ["B", 16]) for name in NAMES}
    assert signature(graph.graph.input) == {
        "token": (onnx.TensorProto.INT64, ["B"]),
        **{f"state.{name}": value for name, value in state.items()},
    }
    assert signature(graph.graph.output) == {
        "logits": (real, ["B", vocabulary]),
        **{f"next_state.{name}": value for name, value in state.items()},
    }
    assert [(o.domain, o.version >= 18) for o in graph.opset_import] == [("", True)]
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert metadata["precision"] == precision
    assert {"name", "architecture", "code_version", "num_layers", "hidden_size"} <= set(metadata)


def test_nothing_of_this_machine_is_inside(tiny_graph: onnx.ModelProto) -> None:
    """The exporter notes stack traces with file names; they must be gone."""
    content = tiny_graph.SerializeToString()
    assert str(Path(step_graph.__file__).parents[1]).encode() not in content
    assert b"site-packages" not in content
    assert b"stack_trace" not in content


def test_all_weights_are_inside(tiny_graph: onnx.ModelProto) -> None:
    """No external data."""
    default = onnx.TensorProto.DEFAULT
    assert all(tensor.data_location == default for tensor in tiny_graph.graph.initializer)


def test_exporter_failure_is_an_export_error(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a half-made file."""
    monkeypatch.setattr(torch.onnx, "export", lambda *_args, **_kwargs: None)
    model = tiny_run.checkpoint.model()
    with pytest.raises(ExportError, match="returned no program"):
        export_step(model, metadata_of(tiny_run.config.model, "m", "1"))


def test_a_text_can_be_continued_from_its_state(tiny_graph: onnx.ModelProto) -> None:
    """What the state is for: 10 steps, or 4 and then 6 from the saved state."""
    step = StepGraph(tiny_graph.SerializeToString())
    ids = np.arange(10, dtype=np.int64)[:, None] % 7

    def read(part: np.ndarray, state: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        for ids_B in part:
            logits, state = step(ids_B, state)
        return logits, *state

    _, *saved = read(ids[:4], step.zero_state(1))
    whole, parts = read(ids, step.zero_state(1)), read(ids[4:], tuple(saved))
    assert all(map(np.array_equal, whole, parts))
