"""The step contract, checked on the bytes of model.onnx before any runtime sees them.

A step graph reads `token` int64[B] and `state.<name>` float32[B, width] for every state tensor, and
writes `logits` float32[B, V] and `next_state.<name>`. It is self-contained: standard operators
only, every weight inside the file. Both are security matters too: external data has led out of
its folder more than once (CVE-2022-25882, CVE-2024-27318), and a custom operator is native code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import onnx

from service.artifacts.errors import GraphError
from service.artifacts.manifest import Manifest

_STANDARD_DOMAINS = {"", "ai.onnx"}
_MIN_OPSET = 18


def check_step_graph(path: Path, content: bytes, manifest: Manifest) -> onnx.ModelProto:
    """Check that `content` is a self-contained step graph of the shape that `manifest` states.

    Args:
        path: Where the bytes came from, for messages.
        content: A serialised onnx.ModelProto.
        manifest: What the graph must agree with.

    Returns:
        The parsed model.

    Raises:
        GraphError: It is not.
    """
    try:
        model = onnx.load_model_from_string(content)
        # The checker's own look at external data would touch the disk: refuse it first.
        _refuse_foreign_parts(path, model)
        onnx.checker.check_model(content)  # not the model, which it would serialise
    except GraphError:
        raise
    # protobuf and the checker raise types of their own, by version.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GraphError(path, f"not a valid ONNX model: {reason}") from error
    state = {tensor.name: tensor.width for tensor in manifest.state}
    inputs = {"token": (onnx.TensorProto.INT64, ())} | {
        f"state.{name}": (onnx.TensorProto.FLOAT, (width,)) for name, width in state.items()
    }
    outputs = {"logits": (onnx.TensorProto.FLOAT, (manifest.vocabulary_size,))} | {
        f"next_state.{name}": (onnx.TensorProto.FLOAT, (width,)) for name, width in state.items()
    }
    _compare(path, "input", inputs, model.graph.input)
    _compare(path, "output", outputs, model.graph.output)
    return model


def _refuse_foreign_parts(path: Path, model: onnx.ModelProto) -> None:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    foreign = set(versions) - _STANDARD_DOMAINS
    if foreign:
        raise GraphError(path, f"needs operators of the domain {sorted(foreign)[0]!r}")
    opset = versions.get("", versions.get("ai.onnx", 0))
    if opset < _MIN_OPSET:
        raise GraphError(path, f"is of opset {opset}; {_MIN_OPSET} is the oldest that is served")
    if model.functions:
        raise GraphError(path, f"defines a function of its own, {model.functions[0].name!r}")
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.domain not in _STANDARD_DOMAINS:
                raise GraphError(path, f"operator {node.op_type} is of the domain {node.domain!r}")
        if graph.sparse_initializer:
            raise GraphError(path, "holds a sparse tensor")
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise GraphError(path, f"tensor {tensor.name!r} lies outside of the file")


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    for inner in _graphs(graph):
        yield from inner.initializer
        for node in inner.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    yield attribute.t
                if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
                    yield attribute.sparse_tensor.values
                    yield attribute.sparse_tensor.indices
                yield from attribute.tensors


def _compare(
    path: Path,
    role: str,
    wanted: Mapping[str, tuple[int, tuple[int, ...]]],
    found: Iterable[onnx.ValueInfoProto],
) -> None:
    """Compare names, element types and shapes; the first axis is the batch and must be dynamic."""
    values = {value.name: value.type.tensor_type for value in found}
    if set(values) != set(wanted):
        raise GraphError(path, f"has {role}s {sorted(values)}, the contract {sorted(wanted)}")
    for name, (element_type, tail) in wanted.items():
        tensor = values[name]
        if tensor.elem_type != element_type:
            kind = onnx.TensorProto.DataType.Name(element_type)
            raise GraphError(path, f"{role} {name!r} is not of type {kind}")
        sizes = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
        if len(sizes) != 1 + len(tail) or sizes[0] is not None:
            raise GraphError(path, f"{role} {name!r} has no dynamic batch axis: {sizes}")
        if tuple(sizes[1:]) != tail:
            raise GraphError(path, f"{role} {name!r} has shape [B, {sizes[1]}], not [B, {tail[0]}]")
