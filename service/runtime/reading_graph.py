"""The reading graph: a prompt through one layer after the other, as one ONNX graph.

What the burst graph does with a prompt in K steps through all layers, this does with K steps of
each layer, and with one product for all K tokens of what a layer reads from below. Only that much
of a layer's weights is needed in each step, which stays in a core's cache; and the logits are
computed once, at the end. All numbers are those of the steps, bit for bit.

Shapes: B rows, K steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import NodeProto, helper

from service.runtime.graphs import all_names, core_and_head, read_by, weights_of
from service.runtime.layers import Layer, layers_of
from service.runtime.nodes import BOOL, FLOAT, INT64, Names, Nodes
from service.runtime.products import with_products_apart


@dataclass(frozen=True)
class ReadingGraph:
    """A built graph.

    Attributes:
        content: The model, serialised. It reads the inputs below and makes the states, in their
            order, and the logits after each row's last token.
        token: Name of its input int64[K, B]: the tokens; behind a row's last one anything.
        last: Name of its input int64[B, 2]: step and row of each row's last token.
        states: Names of its inputs float32[B, width], in order.
    """

    content: bytes
    token: str
    last: str
    states: Sequence[str]


def build_reading_graph(step: onnx.ModelProto, state_names: Sequence[str]) -> ReadingGraph | None:
    """A graph that reads prompts as a step graph does; None if that cannot be done by layers.

    Args:
        step: A step graph that has passed `check_step_graph`.
        state_names: Order of the state tensors.
    """
    names = Names(all_names(step.graph))
    step = with_products_apart(step, names.of)
    layers = layers_of(step.graph, state_names)
    if layers is None:
        return None
    return _Builder(step, state_names, names, layers).graph()


@dataclass
class _Builder:
    step: onnx.ModelProto
    state_names: Sequence[str]
    names: Names
    layers: Sequence[Layer]
    g: Nodes = field(init=False)

    def graph(self) -> ReadingGraph:
        g = self.g = Nodes(self.names)
        of, constant = self.names.of, self.names.constant
        self._size_2 = g.op("Shape", of("token_KB"))
        self._sizes_3 = g.op("Concat", self._size_2, constant([-1], np.int64), axis=0)
        self._num_steps = g.op("Gather", self._size_2, constant(0, np.int64))
        g.op("Reshape", of("token_KB"), constant([-1], np.int64), output="token")
        for layer in self.layers:
            self._append(g, layer.at_once, {})
            if layer.in_turn:
                self._loop(layer)
        outputs = [self._last(f"next_state.{name}") for name in self.state_names]
        outputs.append(self._logits())
        return self._built(outputs)

    def _built(self, outputs: Sequence[str]) -> ReadingGraph:
        of = self.names.of
        kinds = {of("token_KB"): (INT64, 2), of("last_B2"): (INT64, 2)}
        kinds |= {f"state.{name}": (FLOAT, 2) for name in self.state_names}
        self.g.weights.extend(self.names.constants.values())
        graph = self.g.graph(
            "reading",
            [helper.make_tensor_value_info(n, kind, [None] * r) for n, (kind, r) in kinds.items()],
            outputs,
        )
        for value in graph.output:
            value.type.tensor_type.elem_type = FLOAT
        model = helper.make_model(
            graph, opset_imports=list(self.step.opset_import), ir_version=self.step.ir_version
        )
        states = [f"state.{name}" for name in self.state_names]
        return ReadingGraph(model.SerializeToString(), of("token_KB"), of("last_B2"), states)

    def _loop(self, layer: Layer) -> None:
        """K steps of one layer; what others read of it is there for all of them afterwards."""
        made = {name for node in layer.in_turn for name in node.output}
        states = [f"state.{name}" for name in layer.states]
        following = [f"next_state.{name}" for name in layer.states]
        read = {name for node in layer.in_turn for name in node.input} | set(following)
        given = sorted(read - made - set(states) - self._weights - {""})
        told = sorted(made.intersection(self._read_by_others(layer)).union(following) & made)
        given_KBN = {name: self.g.op("Reshape", name, self._sizes_3) for name in given}
        outputs = self.g.ops(
            "Loop",
            self._num_steps,
            self.names.constant(True, np.bool_),
            *states,
            num_outputs=len(states) + len(told),
            body=self._body(layer, given_KBN, following, told),
        )
        for name, value_KBN in zip(told, outputs[len(states) :], strict=True):
            self._flatten(value_KBN, name)

    def _body(
        self,
        layer: Layer,
        given_KBN: Mapping[str, str],
        following: Sequence[str],
        told: Sequence[str],
    ) -> onnx.GraphProto:
        """A step of one layer, with names of its own: those outside are of all steps at once."""
        h = Nodes(self.names)
        k, ahead = self.names.fresh(), self.names.fresh()
        own = {f"state.{name}": self.names.fresh() for name in layer.states}
        inner = dict(own)
        for name, value_KBN in given_KBN.items():
            inner[name] = h.op("Gather", value_KBN, k, axis=0)
        self._append(h, layer.in_turn, inner)
        results = [h.op("Identity", ahead)]
        results += [h.op("Identity", inner[name]) for name in (*following, *told)]
        inputs = [(k, INT64, 0), (ahead, BOOL, 0), *((name, FLOAT, 2) for name in own.values())]
        return h.graph(
            "body",
            [helper.make_tensor_value_info(n, kind, [None] * rank) for n, kind, rank in inputs],
            results,
        )

    def _append(self, g: Nodes, nodes: Sequence[NodeProto], inner: dict[str, str]) -> None:
        """Nodes of the step graph, and the weights that they read.

        Weights lie in the outermost graph, also those of a loop: onnxruntime keeps those inside of
        a loop once more, and rearranges those around it as well (decision 029).

        Args:
            g: Where to.
            nodes: In order.
            inner: Names that values have here; those of what the nodes make are added, if this is
                the inside of a loop, that is if it has any.
        """
        is_inside = bool(inner)
        known = {weight.name for weight in self.g.weights}
        wanted = weights_of(self.step.graph, nodes)
        self.g.weights.extend(weight for weight in wanted if weight.name not in known)
        for node in nodes:
            new = NodeProto()
            new.CopyFrom(node)
            new.name = ""
            if is_inside:
                inner.update((name, self.names.fresh()) for name in node.output if name)
            new.input[:] = [inner.get(name, name) for name in node.input]
            new.output[:] = [inner.get(name, name) for name in node.output]
            g.nodes.append(new)

    def _logits(self) -> str:
        """After the last token of each row only."""
        _, head = core_and_head(self.step.graph)
        if not head:
            return self._last("logits")
        made = {name for node in head for name in node.output}
        read = {name for node in head for name in read_by(node)}
        core = read - made - self._weights - {""}
        inner = {name: self._last(name) for name in sorted(core)}
        self._append(self.g, head, inner)
        return inner["logits"]

    def _last(self, name: str) -> str:
        """A value after the last token of each row."""
        sizes = self._size_2 if name == "token" else self._sizes_3
        value_KBN = self.g.op("Reshape", name, sizes)
        return self.g.op("GatherND", value_KBN, self.names.of("last_B2"))

    def _flatten(self, value_KBN: str, name: str) -> None:
        """The rows of all steps below each other."""
        width = self.g.op("Shape", value_KBN, start=2)
        size = self.g.op("Concat", self.names.constant([-1], np.int64), width, axis=0)
        self.g.op("Reshape", value_KBN, size, output=name)

    def _read_by_others(self, layer: Layer) -> Collection[str]:
        _, head = core_and_head(self.step.graph)
        nodes = [
            n for each in self.layers if each is not layer for n in (*each.at_once, *each.in_turn)
        ]
        return {name for node in (*nodes, *head) for name in read_by(node)} | {"logits"}

    @property
    def _weights(self) -> set[str]:
        return {weight.name for weight in self.step.graph.initializer}
