"""What the nodes of a graph read and make."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx


def core_and_head(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """The nodes that the next state needs, and those that only the logits need."""
    wanted = {value.name for value in graph.output if value.name != "logits"}
    core = needed(graph.node, wanted)
    head = needed(graph.node, {"logits"})
    return core, [node for node in head if node not in core]


def needed(nodes: Iterable[onnx.NodeProto], wanted: Collection[str]) -> list[onnx.NodeProto]:
    """Those of some nodes in order that the values `wanted` are computed from."""
    wanted, found = set(wanted), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            found.append(node)
            wanted |= read_by(node)
    return found[::-1]


def read_by(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, also from inside of its branches."""
    inner = [a.g for a in node.attribute if a.HasField("g")]
    return {*node.input, *(name for graph in inner for n in graph.node for name in read_by(n))}


def all_names(graph: onnx.GraphProto) -> set[str]:
    """Names that a graph has given, also inside of its branches."""
    inner = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    found = {name for node in graph.node for name in (*node.input, *node.output)}
    found |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    return found.union(*(all_names(graph) for graph in inner))


def weights_of(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> list[onnx.TensorProto]:
    """The weights of a graph that some of its nodes read."""
    read = {name for node in nodes for name in read_by(node)}
    return [weight for weight in graph.initializer if weight.name in read]
