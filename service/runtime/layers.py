"""What of a step graph can be done for all tokens of a prompt at once, and what only one by one.

A step graph reads one token after the other, each through all layers. But a layer needs of the one
below nothing but its outputs: so a prompt can be read layer by layer, and of each layer only what
depends on the layer's own last state has to wait for it (Appleyard, Kočiský and Blunsom,
"Optimizing Performance of Recurrent Neural Networks on GPUs", 2016, section 3.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import onnx
from onnx import NodeProto

from service.runtime.graphs import core_and_head, needed, read_by

# Of operators whose rows depend on nothing but the same rows of what they read; see `_by_rows`.
_BY_ROWS = {
    *("Add", "Cast", "Concat", "Div", "Identity", "LayerNormalization", "MatMul", "MatMulInteger"),
    *("Mul", "QuantizeLinear", "Relu", "Sigmoid", "Softmax", "Split", "Sub", "Tanh"),
}
# Those of them of whose inputs all but the first have to be weights.
_OF_ONE = {"LayerNormalization", "MatMul", "MatMulInteger", "QuantizeLinear"}
_OF_A_TABLE = "Gather"


@dataclass(frozen=True)
class Layer:
    """States that depend on each other, and what they are made with.

    Attributes:
        states: Their names.
        at_once: Nodes that need none of these states: for all tokens at once.
        in_turn: Nodes that do: for one token after the other.
    """

    states: Sequence[str]
    at_once: Sequence[NodeProto]
    in_turn: Sequence[NodeProto]


def layers_of(graph: onnx.GraphProto, state_names: Sequence[str]) -> list[Layer] | None:
    """The layers of a step graph, each above those that it reads.

    None if it cannot be read layer by layer: it looks at another layer's state of the step before,
    or what could be done at once is not certain to be done row by row.
    """
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return None
    weights = {weight.name for weight in graph.initializer}
    placed: set[str] = set()
    layers = []
    for states in _groups(graph.node, state_names):
        wanted = {f"next_state.{name}" for name in states}
        nodes = [n for n in needed(graph.node, wanted) if not placed.issuperset(n.output)]
        own = {f"state.{name}" for name in states}
        at_once, in_turn = _apart(nodes, own)
        foreign = {f"state.{name}" for name in state_names} - own
        if any(foreign.intersection(node.input) for node in nodes):
            return None
        if any("token" in node.input for node in in_turn):
            return None
        if not all(_by_rows(node, weights) for node in at_once):
            return None
        layers.append(Layer(states, at_once, in_turn))
        placed.update(name for node in nodes for name in node.output)
    _, head = core_and_head(graph)
    old = {f"state.{name}" for name in state_names}
    return None if any(old.intersection(node.input) for node in head) else layers


def _groups(nodes: Iterable[NodeProto], state_names: Sequence[str]) -> list[list[str]]:
    """States that depend on each other, those first on which others depend."""
    nodes = list(nodes)
    reads = {name: _states_read(nodes, name, state_names) for name in state_names}
    for middle in state_names:
        for name in state_names:
            if middle in reads[name]:
                reads[name] |= reads[middle]
    groups: list[list[str]] = []
    # Whoever reads another one reads all that this one reads, and more unless they are one group.
    for name in sorted(state_names, key=lambda name: len(reads[name] | {name})):
        if groups and name in reads[groups[-1][0]] and groups[-1][0] in reads[name]:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _states_read(nodes: list[NodeProto], name: str, state_names: Sequence[str]) -> set[str]:
    read = {each for node in needed(nodes, {f"next_state.{name}"}) for each in read_by(node)}
    return {other for other in state_names if f"state.{other}" in read}


def _apart(
    nodes: Iterable[NodeProto], own: Collection[str]
) -> tuple[list[NodeProto], list[NodeProto]]:
    """The nodes that need none of these values, and those that do."""
    at_once, in_turn = [], []
    waiting = set(own)
    for node in nodes:
        if waiting.intersection(node.input):
            in_turn.append(node)
            waiting.update(node.output)
        else:
            at_once.append(node)
    return at_once, in_turn


def _by_rows(node: NodeProto, weights: Collection[str]) -> bool:
    """Whether a row of what a node makes is a function of that row of what it reads.

    All that is no weight is a matrix of rows here, but for `token`.
    """
    read = [name for name in node.input if name not in weights]
    if node.op_type == _OF_A_TABLE:
        return read == ["token"] and node.input[1] == "token" and _axis(node, 0) == 0
    if not read or "token" in read or node.op_type not in _BY_ROWS:
        return False
    if node.op_type in _OF_ONE:
        return read == [node.input[0]]
    if node.op_type in {"Concat", "Split"}:
        return _axis(node, 0) in {1, -1}
    return _axis(node, -1) in {1, -1}


def _axis(node: NodeProto, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == "axis"), default)
