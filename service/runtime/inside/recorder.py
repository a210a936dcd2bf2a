"""What a model computes on the way, token by token: the step graph in a loop that tells of it.

The very nodes and kernels that serve: a loop like that of a burst, in which activations, values of
the step graph that have names, are collected beside the logits. So what is told of a text are the
numbers by which it was written.

Shapes: T tokens of one text, W the width of an activation, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from service.rows.arrays import Float32, Int64
from service.runtime.burst_graph import BurstGraph
from service.runtime.graphs import all_names
from service.runtime.nodes import BOOL, FLOAT, INT64, Names, Nodes
from service.runtime.onnx_session import load_session

PIECE = 64
"""Tokens of one run: all activations of the bundled model are 1.6 MB then."""
_TOKENS, _LOGITS = "token_T", "logits"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Some tokens of a text, one after the other.

    Attributes:
        logits_TV: After each of them.
        activations: By name, float32[T, W]; those of a state are after the token.
    """

    logits_TV: Float32
    activations: Mapping[str, Float32]


class Recorder:
    """Reads one text at a time, and tells what the model computes. Any thread, one at a time.

    Args:
        step: A step graph that has passed `check_step_graph`.
        state_names: Its state tensors.
        activations: What the graph calls the value of each activation.

    Attributes:
        widths: W of each activation.
    """

    def __init__(
        self, step: onnx.ModelProto, state_names: Sequence[str], activations: Mapping[str, str]
    ) -> None:
        self._states = tuple(state_names)
        self._names = tuple(activations)
        values = {value.name: value.type.tensor_type for value in step.graph.input}
        self._start = {
            name: np.zeros((1, values[f"state.{name}"].shape.dim[1].dim_value), np.float32)
            for name in self._states
        }
        graph = _in_a_loop(step, self._states, activations)
        self._session = load_session(graph.content, num_threads=1)
        self._inputs = graph.inputs
        self._always = list(graph.outputs[: len(self._states) + 1])
        self._outputs = dict(zip(self._names, graph.outputs[len(self._always) :], strict=True))
        [first] = self.read(np.zeros(1, np.int64), self._names)
        self.widths: dict[str, int] = {
            name: value.shape[1] for name, value in first.activations.items()
        }

    def read(self, id_T: Int64, names: Collection[str]) -> Iterator[Recorded]:
        """Read a text from the start state, `PIECE` tokens at a time.

        Args:
            id_T: Its tokens, at least one.
            names: The activations that are wanted.
        """
        state = self._start
        wanted = [name for name in self._names if name in names]
        outputs = [*self._always, *(self._outputs[name] for name in wanted)]
        for start in range(0, len(id_T), PIECE):
            feed = {self._inputs[_TOKENS]: id_T[start : start + PIECE]}
            feed |= {self._inputs[name]: value for name, value in state.items()}
            found = self._session.run(outputs, feed)
            state = dict(zip(self._states, found, strict=False))
            logits_T1V, *values_T1W = found[len(state) :]
            yield Recorded(
                logits_T1V[:, 0],
                {name: value[:, 0] for name, value in zip(wanted, values_T1W, strict=True)},
            )


def _in_a_loop(
    step: onnx.ModelProto, states: Sequence[str], activations: Mapping[str, str]
) -> BurstGraph:
    """The step for each of some tokens.

    Inputs: `token_T` int64[T], the states float32[1, W]. Outputs: the states, and of each token the
    logits float32[T, 1, V] and the activations float32[T, 1, W].
    """
    names = Names(all_names(step.graph))
    body, g = Nodes(names), Nodes(names)
    k, ahead = names.fresh(), names.fresh()
    inputs = {name: names.of(name) for name in (_TOKENS, *states)}
    token = body.op("Gather", inputs[_TOKENS], k, axis=0)
    body.op("Unsqueeze", token, names.constant([0], np.int64), output="token")
    body.nodes.extend(step.graph.node)
    body.weights.extend(step.graph.initializer)
    told = [ahead, *(f"next_state.{name}" for name in states), _LOGITS, *activations.values()]
    # What a loop gives must be made in it, and each of it once.
    results = [body.op("Identity", value) for value in told]
    carried = [(k, INT64, 0), (ahead, BOOL, 0), *((f"state.{name}", FLOAT, 2) for name in states)]
    outputs = g.ops(
        "Loop",
        g.op("Size", inputs[_TOKENS]),
        names.constant(True, np.bool_),
        *(inputs[name] for name in states),
        num_outputs=len(told) - 1,
        body=body.graph("body", [_value(*each) for each in carried], results),
    )
    g.weights.extend(names.constants.values())
    graph = g.graph(
        "recorder",
        [
            _value(inputs[_TOKENS], INT64, 1),
            *(_value(inputs[name], FLOAT, 2) for name in states),
        ],
        outputs,
    )
    for value in graph.output:
        value.type.tensor_type.elem_type = FLOAT
    model = helper.make_model(
        graph, opset_imports=list(step.opset_import), ir_version=step.ir_version
    )
    return BurstGraph(model.SerializeToString(), inputs, outputs)


def _value(name: str, kind: int, rank: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [None] * rank)
