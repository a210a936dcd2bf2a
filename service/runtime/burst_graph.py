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
from functools import partial

import numpy as np
import onnx
from onnx import helper

from service.runtime import constraint_graph, logprob_graph, penalty_graph
from service.runtime.burst_values import IDS, INPUTS, OUTPUTS
from service.runtime.clamp_graph import clampable
from service.runtime.constraint_graph import ConstraintGraph
from service.runtime.graphs import all_names, core_and_head, weights_of
from service.runtime.nodes import BOOL, FLOAT, INT64, Names, Nodes
from service.runtime.penalty_graph import COUNTS, Counts
from service.runtime.sampler_graph import OPTIONS, RULES, SamplerGraph


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
    constrains: bool = False,
    clamps: bool = False,
) -> BurstGraph:
    """Put a step graph into a loop with the sampler.

    Args:
        step: A step graph that has passed `check_step_graph`.
        state_names: Order of the state tensors.
        end_id: Drawing it ends a row, if given.
        never_drawn: Ids that are not sampled.
        constrains: Whether rows are held to automata: such bursts have a graph of their own, since
            each loop has weights of its own, and they are most of a model.
        clamps: Rows may have clamps: then `clamped_at.<state>` and `clamped_to.<state>` are inputs
            as well, see `clamps`.
    """
    names = Names(all_names(step.graph))
    if clamps:
        step = clampable(step, state_names, names.of)
    builder = _Builder(step, state_names, names, end_id, never_drawn)
    g = Nodes(names)
    outputs = [*builder.loops(g, constrains=constrains), builder.next_tokens(g)]
    kinds = {**INPUTS, **(constraint_graph.INPUTS if constrains else {})}
    kinds |= {f"state.{name}": (FLOAT, 2) for name in state_names}
    if clamps:
        kinds |= {f"clamped_at.{name}": (INT64, 2) for name in state_names}
        kinds |= {f"clamped_to.{name}": (FLOAT, 1) for name in state_names}
    inputs = {name: names.of(name) for name in kinds}
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
    for n, name in enumerate(OUTPUTS, len(state_names)):
        if name in IDS:
            graph.output[n].type.tensor_type.elem_type = INT64
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

    def loops(self, g: Nodes, *, constrains: bool) -> list[str]:
        """A loop for each kind of burst, behind each other; returns what comes of it, in order.

        Only one of them takes steps; the other one hands on what it is given. Not branches, so that
        both read the same weights: onnxruntime rearranges weights for its products at load,
        but only those of the same graph or of the one around it.
        """
        of, none = self.names.of, self._int(0)
        core, head = core_and_head(self.step.graph)
        # The head stands in a branch of the loop's body: so the body has its weights.
        of_head = {weight.name for weight in weights_of(self.step.graph, head)}
        g.weights.extend(w for w in weights_of(self.step.graph, core) if w.name not in of_head)
        carried = [of(f"state.{name}") for name in self.state_names]
        carried += [of(name) for name in ("logits", *COUNTS)]
        num_states = len(carried) - len(COUNTS)
        if constrains:  # one for both kinds: whether rows are frozen is asked in it
            both = partial(self.loop, freezes=True, constrains=True)
            carried, collected = both(g, of("num_steps"), carried)
            return [*carried[:num_states], *collected]
        kinds = []
        for freezes, sizes in ((True, [of("num_steps"), none]), (False, [none, of("num_steps")])):
            num_steps = g.op("Where", of("freezes"), *sizes)
            carried, collected = self.loop(g, num_steps, carried, freezes=freezes)
            kinds.append(partial(Nodes.handed_on, values=collected))
        return [*carried[:num_states], *g.one_of(of("freezes"), *kinds)]

    def next_tokens(self, g: Nodes) -> str:
        """What plain rows will draw first, as a body draws it; nothing unless it is asked for."""
        uniform_KB, nothing = self.names.of("uniform_KB"), self.names.constant([], np.int64)

        def drawn(h: Nodes) -> str:
            uniform_B = h.op("Gather", uniform_KB, self._int(0), axis=0)
            return self._sampler.draw_plain(h, self.names.of("logits"), uniform_B)

        return g.either(self.names.of("draws_next"), drawn, lambda _: nothing)

    def loop(
        self,
        g: Nodes,
        num_steps: str,
        carried: list[str],
        *,
        freezes: bool,
        constrains: bool = False,
    ) -> tuple[list[str], list[str]]:
        """A loop of `num_steps`; returns what it carries, and what it collects."""
        of = self.names.of
        own = [of("place_M1")] if constrains else []
        if freezes and (constrains or self.end_id is not None):  # which rows' texts go on
            own.append(g.op("GreaterOrEqual", of("steps_B1"), self._int(0)))
        outputs = g.ops(
            "Loop",
            num_steps,
            self.names.constant(True, np.bool_),
            *carried,
            *own,
            num_outputs=len(carried) + len(own) + 3,
            body=self._body(freezes=freezes, constrains=constrains),
        )
        return outputs[: len(carried)], outputs[-3:]

    def _body(self, *, freezes: bool, constrains: bool) -> onnx.GraphProto:
        g, names = Nodes(self.names), self.names
        k, ahead, logits_BV, place_M1, goes_on_B1 = (names.fresh() for _ in range(5))
        counts = Counts(*(names.fresh() for _ in COUNTS))
        may_end = freezes and (constrains or self.end_id is not None)
        states = [f"state.{name}" for name in self.state_names]
        inputs = [(k, INT64, 0), (ahead, BOOL, 0), *((state, FLOAT, 2) for state in states)]
        inputs += [(logits_BV, FLOAT, 2)]
        inputs += [(name, *kind) for name, kind in zip(counts.names, COUNTS.values(), strict=True)]
        inputs += [(place_M1, INT64, 2)] if constrains else []
        inputs += [(goes_on_B1, BOOL, 2)] if may_end else []
        constraint = ConstraintGraph(g, place_M1) if constrains else None

        forced_B = g.op("Gather", names.of("forced_KB"), k, axis=0)
        sampled_B = g.op("Less", forced_B, self._int(0))
        sampler = self._sampler

        def drawn(h: Nodes) -> str:
            uniform_B = h.op("Gather", names.of("uniform_KB"), k, axis=0)
            drawn_from_BV = constraint.allowed(h, logits_BV) if constraint else logits_BV
            token_B = sampler.draw(h, drawn_from_BV, counts, uniform_B, k)
            return h.op("Where", sampled_B, token_B, forced_B)

        collected = logprob_graph.collected(g, logits_BV, self._vocabulary_size)
        token_B = g.either(self._now(g, "draws_K", k), drawn, lambda _: forced_B)
        token_B = g.op("Identity", token_B, output="token")
        core, head = core_and_head(self.step.graph)
        g.nodes.extend(core)
        g.weights.extend(weights_of(self.step.graph, head))

        def logits(h: Nodes) -> str:
            h.nodes.extend(head)
            return "logits"

        has_head = self._now(g, "heads_K", k)
        next_logits_BV = g.either(has_head, logits, lambda _: logits_BV)
        next_counts = penalty_graph.counted(
            g, sampler.options, token_B, sampled_B, counts, self._vocabulary_size
        )
        results = [f"next_state.{name}" for name in self.state_names] + [next_logits_BV]
        place = [constraint.after(g, token_B, sampled_B)] if constraint else []
        going_on = []
        if freezes:
            active_B1 = g.op("Less", k, names.of("steps_B1"))
            if may_end:
                active_B1 = g.op("And", active_B1, goes_on_B1)
                if constraint:
                    goes_on_B1 = constraint.going_on(g, goes_on_B1, *place)
                going_on = [self._not_at_end(g, goes_on_B1, token_B, sampled_B)]
            old = [*states, logits_BV]
            results = self._chosen(g, active_B1, results, old, is_asked=constrains)
        else:
            # A loop's results must be made in it, but a step graph may hand a state through.
            made = {name for node in g.nodes for name in node.output}
            results = [name if name in made else g.op("Identity", name) for name in results]
        # Its memory is the caller's: another thread may have written there since the run began.
        more = g.op("Not", g.op("And", names.of("interrupted"), has_head))
        results = [more, *results, *next_counts.names]
        results += [*place, *going_on, token_B, *collected]
        return g.graph(
            "body",
            [
                helper.make_tensor_value_info(name, kind, [None] * rank)
                for name, kind, rank in inputs
            ],
            results,
        )

    def _not_at_end(self, g: Nodes, goes_on_B1: str, token_B: str, sampled_B: str) -> str:
        """Of the rows that go on those that have not drawn the end id now."""
        if self.end_id is None:
            return goes_on_B1
        is_end_B = g.op("And", sampled_B, g.op("Equal", token_B, self._int(self.end_id)))
        is_end_B1 = g.op("Unsqueeze", is_end_B, self.names.constant([1], np.int64))
        return g.op("And", goes_on_B1, g.op("Not", is_end_B1))

    def _chosen(
        self, g: Nodes, active_B1: str, new: Sequence[str], old: Sequence[str], *, is_asked: bool
    ) -> list[str]:
        """The rows of each `new` value that are active, and of each `old` one that are not.

        Only if `freezes` says so, where that `is_asked`. Not by `Where`: onnxruntime's makes 0.0 of
        -0.0, and then a frozen row differs in a bit.
        """

        def chosen(h: Nodes) -> list[str]:
            active_B = h.op("Squeeze", active_B1, self.names.constant([1], np.int64))
            num_rows = h.op("Size", active_B)
            row_B = h.op("Range", self._int(0), num_rows, self._int(1))
            row_B = h.op("Where", active_B, row_B, h.op("Add", row_B, num_rows))
            return [
                h.op("Gather", h.op("Concat", *pair, axis=0), row_B, axis=0)
                for pair in zip(new, old, strict=True)
            ]

        if not is_asked:
            return chosen(g)
        freezes = self.names.of("freezes")
        return g.one_of(freezes, chosen, partial(Nodes.handed_on, values=new))

    def _now(self, g: Nodes, flags_K: str, k: str) -> str:
        return g.op("Gather", self.names.of(flags_K), k, axis=0)

    def _int(self, value: int) -> str:
        return self.names.constant(value, np.int64)

    @property
    def _sampler(self) -> SamplerGraph:
        given = (*OPTIONS, *RULES, *penalty_graph.INPUTS)
        options = {name: self.names.of(name) for name in given}
        return SamplerGraph(options, self._vocabulary_size, self.never_drawn)

    @property
    def _vocabulary_size(self) -> int:
        logits = next(value for value in self.step.graph.output if value.name == "logits")
        return int(logits.type.tensor_type.shape.dim[1].dim_value)
