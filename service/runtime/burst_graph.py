"""The burst graph: K steps of a model and the draws between them as one ONNX graph.

Built at load from any step graph (see `artifacts.graph`): an ONNX `Loop` whose body draws a token
for every row or takes the one that is forced, runs the step graph, and goes on. So K tokens for B
rows are one call into the runtime, without the interpreter's lock.

Parts that only some bursts need stand in branches (`If`), so that the other bursts do not pay for
them; loop values that only such a branch reads may be empty. Freezing the rows that stop before the
last step copies the state in every step, so bursts with such rows have a loop of their own.

Shapes: B rows, K steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from service.runtime.nodes import BOOL, FLOAT, INT64, Names, Nodes
from service.runtime.sampler_graph import OPTIONS, RULES, SamplerGraph

INPUTS: Mapping[str, tuple[int, int]] = {
    "num_steps": (INT64, 0),
    "forced_KB": (INT64, 2),
    "uniform_KB": (FLOAT, 2),
    "draws_K": (BOOL, 1),
    "heads_K": (BOOL, 1),
    "steps_B1": (INT64, 2),
    "freezes": (BOOL, 0),
    "wants_logits": (BOOL, 0),
    "logits": (FLOAT, 2),
    "present_VB": (BOOL, 2),
    "generated_VB": (FLOAT, 2),
    **OPTIONS,
    **RULES,
}
"""Inputs of a burst graph beside `state.<name>`: element type and rank.

num_steps: K. forced_KB: ids to read, or -1. draws_K: whether any row draws in this step. heads_K:
whether anybody needs the logits after this step. steps_B1: how many steps each row takes; looked at
only if `freezes`. wants_logits: collect what was drawn from. present_VB, generated_VB: as in `Row`;
of shape [0, B] unless some row is penalised.
"""

OUTPUTS = ("logits", "token_KB", "logits_KBV")
"""Outputs beside `next_state.<name>`: after the last step; the ids that were read; the logits that
they were drawn from (empty unless wanted)."""


@dataclass(frozen=True)
class BurstGraph:
    """A built graph: the model, and the names of its values."""

    content: bytes
    inputs: Mapping[str, str]
    outputs: Sequence[str]


def build_burst_graph(
    step: onnx.ModelProto,
    state_names: Sequence[str],
    *,
    end_id: int | None = None,
    never_drawn: Sequence[int] = (),
) -> BurstGraph:
    """Put a step graph into a loop with the sampler.

    Args:
        step: A step graph that has passed `check_step_graph`.
        state_names: Order of the state tensors.
        end_id: Drawing it ends a row, if given.
        never_drawn: Ids that are not sampled.
    """
    names = Names(_all_names(step.graph))
    builder = _Builder(step, state_names, names, end_id, never_drawn)
    g = Nodes(names)
    loops = []
    for freezes in (True, False):
        branch = Nodes(names)
        loops.append(branch.graph("loop", [], builder.loop(branch, freezes=freezes)))
    outputs = [names.fresh() for _ in loops[0].output]
    g.nodes.append(
        helper.make_node(
            "If", [names.of("freezes")], outputs, then_branch=loops[0], else_branch=loops[1]
        )
    )
    inputs = {name: names.of(name) for name in INPUTS}
    inputs |= {f"state.{name}": names.of(f"state.{name}") for name in state_names}
    kinds = {**INPUTS, **{f"state.{name}": (FLOAT, 2) for name in state_names}}
    g.weights.extend(names.constants.values())
    graph = g.graph(
        "burst",
        [
            helper.make_tensor_value_info(inputs[name], kind, [None] * rank)
            for name, (kind, rank) in kinds.items()
        ],
        outputs,
    )
    for value in graph.output:
        value.type.tensor_type.elem_type = FLOAT
    graph.output[len(state_names) + 1].type.tensor_type.elem_type = INT64
    model = helper.make_model(
        graph, opset_imports=list(step.opset_import), ir_version=step.ir_version
    )
    return BurstGraph(model.SerializeToString(), inputs, outputs)


@dataclass(frozen=True)
class _Builder:
    step: onnx.ModelProto
    state_names: Sequence[str]
    names: Names
    end_id: int | None
    never_drawn: Sequence[int]

    def loop(self, g: Nodes, *, freezes: bool) -> list[str]:
        """The loop; returns its values: next states, logits, tokens, collected logits."""
        of = self.names.of
        carried = [of(f"state.{name}") for name in self.state_names]
        carried += [of(name) for name in ("logits", "present_VB", "generated_VB")]
        goes_on = []
        if freezes and self.end_id is not None:  # which rows have not drawn the end id
            goes_on = [g.op("GreaterOrEqual", of("steps_B1"), self._int(0))]
        outputs = g.ops(
            "Loop",
            of("num_steps"),
            self.names.constant(True, np.bool_),
            *carried,
            *goes_on,
            num_outputs=len(carried) + len(goes_on) + 2,
            body=self._body(freezes=freezes),
        )
        return [*outputs[: len(self.state_names) + 1], *outputs[-2:]]

    def _body(self, *, freezes: bool) -> onnx.GraphProto:
        g, names = Nodes(self.names), self.names
        k, ahead, logits_BV, present_VB, generated_VB, goes_on_B1 = (
            names.fresh() for _ in range(6)
        )
        states = [f"state.{name}" for name in self.state_names]
        inputs = [(k, INT64, 0), (ahead, BOOL, 0), *((state, FLOAT, 2) for state in states)]
        inputs += [(logits_BV, FLOAT, 2), (present_VB, BOOL, 2), (generated_VB, FLOAT, 2)]
        inputs += [(goes_on_B1, BOOL, 2)] if freezes and self.end_id is not None else []

        forced_B = g.op("Gather", names.of("forced_KB"), k, axis=0)
        sampled_B = g.op("Less", forced_B, self._int(0))
        sampler = SamplerGraph(
            {name: names.of(name) for name in (*OPTIONS, *RULES)},
            self._vocabulary_size,
            self.never_drawn,
        )

        def drawn(h: Nodes) -> str:
            uniform_B = h.op("Gather", names.of("uniform_KB"), k, axis=0)
            uniform_1B = h.op("Unsqueeze", uniform_B, names.constant([0], np.int64))
            token_1B = sampler.draw(h, logits_BV, present_VB, generated_VB, uniform_1B, k)
            token_B = h.op("Squeeze", token_1B, names.constant([0], np.int64))
            return h.op("Where", sampled_B, token_B, forced_B)

        collected = g.either(
            names.of("wants_logits"),
            lambda _: logits_BV,
            lambda h: h.names.constant(np.zeros((0, self._vocabulary_size)), np.float32),
        )
        token_B = g.either(self._now(g, "draws_K", k), drawn, lambda _: forced_B)
        token_B = g.op("Identity", token_B, output="token")
        core, head = _split(self.step.graph)
        self._append(g, core)

        def logits(h: Nodes) -> str:
            self._append(h, head)
            return "logits"

        next_logits_BV = g.either(self._now(g, "heads_K", k), logits, lambda _: logits_BV)
        next_present_VB, next_generated_VB = sampler.counted(
            g, token_B, sampled_B, present_VB, generated_VB
        )
        results = [f"next_state.{name}" for name in self.state_names] + [next_logits_BV]
        alive = []
        if freezes:
            active_B1 = g.op("Less", k, names.of("steps_B1"))
            if self.end_id is not None:
                active_B1 = g.op("And", active_B1, goes_on_B1)
                is_end_B = g.op("And", sampled_B, g.op("Equal", token_B, self._int(self.end_id)))
                is_end_B1 = g.op("Unsqueeze", is_end_B, names.constant([1], np.int64))
                alive = [g.op("And", goes_on_B1, g.op("Not", is_end_B1))]
            results = self._chosen(g, active_B1, results, [*states, logits_BV])
        else:
            # A loop's results must be made in it, but a step graph may hand a state through.
            made = {name for node in g.nodes for name in node.output}
            results = [name if name in made else g.op("Identity", name) for name in results]
        more = g.op("Identity", ahead)
        results = [more, *results, next_present_VB, next_generated_VB, *alive, token_B, collected]
        return g.graph(
            "body",
            [
                helper.make_tensor_value_info(name, kind, [None] * rank)
                for name, kind, rank in inputs
            ],
            results,
        )

    def _chosen(
        self, g: Nodes, active_B1: str, new: Sequence[str], old: Sequence[str]
    ) -> list[str]:
        """The rows of each `new` value that are active, and of each `old` one that are not.

        Not by `Where`: onnxruntime's makes 0.0 of -0.0, and then a frozen row differs in a bit.
        """
        active_B = g.op("Squeeze", active_B1, self.names.constant([1], np.int64))
        num_rows = g.op("Size", active_B)
        row_B = g.op("Range", self._int(0), num_rows, self._int(1))
        row_B = g.op("Where", active_B, row_B, g.op("Add", row_B, num_rows))
        return [
            g.op("Gather", g.op("Concat", *pair, axis=0), row_B, axis=0)
            for pair in zip(new, old, strict=True)
        ]

    def _append(self, g: Nodes, nodes: Sequence[onnx.NodeProto]) -> None:
        """Nodes of the step graph, with the weights they read.

        onnxruntime rearranges weights for its products at load, but only those of the same graph.
        """
        g.nodes.extend(nodes)
        read = {name for node in nodes for name in _read_by(node)}
        g.weights.extend(w for w in self.step.graph.initializer if w.name in read)

    def _now(self, g: Nodes, flags_K: str, k: str) -> str:
        return g.op("Gather", self.names.of(flags_K), k, axis=0)

    def _int(self, value: int) -> str:
        return self.names.constant(value, np.int64)

    @property
    def _vocabulary_size(self) -> int:
        logits = next(value for value in self.step.graph.output if value.name == "logits")
        return int(logits.type.tensor_type.shape.dim[1].dim_value)


def _split(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """The nodes that the next state needs, and those that only the logits need."""
    wanted = {value.name for value in graph.output if value.name != "logits"}
    core = _needed(graph, wanted)
    head = _needed(graph, {"logits"})
    return core, [node for node in head if node not in core]


def _needed(graph: onnx.GraphProto, wanted: set[str]) -> list[onnx.NodeProto]:
    """The nodes that the values `wanted` are computed from, in order."""
    wanted, nodes = set(wanted), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted |= _read_by(node)
    return nodes[::-1]


def _read_by(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, also from inside of its branches."""
    inner = [a.g for a in node.attribute if a.HasField("g")]
    return {*node.input, *(name for graph in inner for n in graph.node for name in _read_by(n))}


def _all_names(graph: onnx.GraphProto) -> set[str]:
    inner = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    found = {name for node in graph.node for name in (*node.input, *node.output)}
    found |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    return found.union(*(_all_names(graph) for graph in inner))
