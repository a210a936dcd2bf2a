"""Gates have names in the graph, and are what torch computes."""

from __future__ import annotations

import onnx
import pytest

from service.runtime.inside import recorder
from tests.training.tiny import TinyRun
from training.errors import ExportError, ParityError
from training.export.activations import check_gates, check_told
from training.export.alike import values_alike
from training.export.quantisation import quantise
from training.export.step_graph import export_step
from training.models.step import ShownStep

GATES = [f"layer{n}.{gate}" for n in (0, 1) for gate in ("i", "f", "o", "candidate")]


def renamed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """The same graph, whose gates have other names, as those from before had."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    names = {name: f"value_{n}" for n, name in enumerate(GATES)}
    for node in result.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return result, names


def test_the_graph_names_its_gates(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """As values inside of it: its results are those of the contract."""
    assert GATES == ShownStep(tiny_run.model).gate_names
    made = {name for node in tiny_graph.graph.node for name in node.output}
    assert made >= set(GATES)
    assert not set(GATES) & {value.name for value in tiny_graph.graph.output}


def test_gates_are_those_of_torch(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """And a name that means another gate is found out."""
    gates = {name: name for name in GATES}
    assert check_gates(tiny_run.model, tiny_graph, gates, tolerance=1e-4, seed=1) < 1e-4
    gates["layer0.i"], gates["layer0.f"] = "layer0.f", "layer0.i"
    with pytest.raises(ParityError, match="in a gate"):
        check_gates(tiny_run.model, tiny_graph, gates, tolerance=1e-4, seed=1)


def test_a_graph_that_tells_something_else_is_found_out(
    tiny_graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a bit."""
    graph = quantise(tiny_graph)
    check_told(graph, {name: name for name in GATES}, seed=1)
    read = recorder.Recorder.read

    def read_wrongly(*args):
        for piece in read(*args):
            piece.logits_TV[-1, -1] += 1e-6
            yield piece

    monkeypatch.setattr(recorder.Recorder, "read", read_wrongly)
    with pytest.raises(ParityError, match="differs from the one that serves"):
        check_told(graph, {name: name for name in GATES}, seed=1)


def test_gates_of_an_older_graph_are_found(tiny_run: TinyRun, tiny_graph: onnx.ModelProto) -> None:
    """By how they are made; the weights are others."""
    older, names = renamed(quantise(tiny_graph))
    model = tiny_run.checkpoint.model()
    for parameter in model.parameters():
        parameter.data.mul_(0.5)
    blank = quantise(export_step(model, {}))
    assert names == values_alike(GATES, blank.graph, older.graph)


def test_a_graph_that_is_made_otherwise_is_refused(
    tiny_run: TinyRun, tiny_graph: onnx.ModelProto
) -> None:
    """Here in float32, where int8 is meant."""
    with pytest.raises(ExportError, match=r"0 values that are made as layer0\.i"):
        values_alike(GATES, quantise(tiny_graph).graph, tiny_graph.graph)
