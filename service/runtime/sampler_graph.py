"""The sampler as ONNX nodes: what `reference.sampler.draw` computes in numpy, bit for bit.

Values lie with the batch along the last axis, [V, B] and [1, B]: a running sum over the vocabulary
then adds whole rows of B numbers. Each kind of row (plain, truncated, greedy) has a branch of its
own, which is computed only if the burst has such a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.runtime.nodes import BOOL, FLOAT, INT64, Nodes
from service.runtime.rules import RulesOfRows
from service.runtime.sampling import COLUMNS, SamplingTable

CANDIDATES = (64, 512)
"""How many of the most probable ids are sorted before the whole vocabulary is."""

PLAIN, TRUNCATED, GREEDY = 0, 1, 2
"""Kinds of rows."""

OPTIONS = {
    "any_plain": (BOOL, 0),
    "any_truncated": (BOOL, 0),
    "any_greedy": (BOOL, 0),
    "any_penalised": (BOOL, 0),
    "kind": (INT64, 2),
    **{
        name: (FLOAT if column.dtype is np.float32 else INT64, 2)
        for name, column in COLUMNS.items()
    },
}
"""The inputs of the graph that say how rows are sampled: element type and rank, [] or [1, B].

Temperatures are positive, 1 for greedy rows; the others are as in `SamplingTable`.
"""

RULES = {
    "any_ruled": (BOOL, 0),
    "bias_VB": (FLOAT, 2),
    "held_VB": (BOOL, 2),
    "held_KB": (BOOL, 2),
}
"""The inputs that are rules about single ids, of no rows unless some row of the burst has any."""


def rule_values(
    rules: RulesOfRows | None, num_steps: int, vocabulary_size: int
) -> dict[str, npt.NDArray[Any]]:
    """The values of RULES."""
    of_rows = rules or RulesOfRows.none(num_steps, vocabulary_size)
    return {
        "any_ruled": np.array(rules is not None),
        "bias_VB": np.ascontiguousarray(of_rows.bias_BV.T),
        "held_VB": np.ascontiguousarray(of_rows.held_BV.T),
        "held_KB": of_rows.held_KB,
    }


def option_values(table: SamplingTable, vocabulary_size: int) -> dict[str, npt.NDArray[Any]]:
    """The values of OPTIONS for the rows of `table`."""
    greedy_B, truncated_B = table.greedy_B, table.truncates_B(vocabulary_size)
    kind_B = np.where(greedy_B, GREEDY, np.where(truncated_B, TRUNCATED, PLAIN))
    return {
        "any_plain": np.array((kind_B == PLAIN).any()),
        "any_truncated": np.array(truncated_B.any()),
        "any_greedy": np.array(greedy_B.any()),
        "any_penalised": np.array(table.penalises),
        "kind": kind_B[None],
        **{name: column_B[None] for name, column_B in table.option_B.items()},
        "temperature": table.divisor_B[None],
    }


@dataclass(frozen=True)
class SamplerGraph:
    """Writes the nodes that draw one token for every row.

    Args:
        options: The names of the values listed in OPTIONS and RULES.
        vocabulary_size: V.
        never_drawn: Ids that are not sampled, whatever their logit.
    """

    options: dict[str, str]
    vocabulary_size: int
    never_drawn: Sequence[int]

    def draw(
        self,
        g: Nodes,
        logits_BV: str,
        present_VB: str,
        generated_VB: str,
        uniform_1B: str,
        k: str,
    ) -> str:
        """Token ids, int64[1, B]; present (bool) and generated (float32) are read if penalised.

        `k` is the step, which is read if some row has rules.
        """
        o = self.options
        x_VB = self._scores(g, logits_BV, present_VB, generated_VB, k)
        token_1B = g.either(
            o["any_plain"], lambda h: self._plain(h, x_VB, uniform_1B), lambda _: o["kind"]
        )
        for flag, kind, draw in (
            ("any_truncated", TRUNCATED, lambda h: self._truncated(h, x_VB, uniform_1B)),
            ("any_greedy", GREEDY, lambda h: h.op("ArgMax", x_VB, axis=0)),
        ):
            is_kind_1B = g.op("Equal", o["kind"], g.names.constant(kind, np.int64))
            before_1B = token_1B
            token_1B = g.either(
                o[flag],
                lambda h, draw=draw, is_kind=is_kind_1B, before=before_1B: h.op(  # type: ignore[misc]
                    "Where", is_kind, draw(h), before
                ),
                lambda _, before=before_1B: before,  # type: ignore[misc]
            )
        return token_1B

    def counted(
        self, g: Nodes, token_B: str, sampled_B: str, present_VB: str, generated_VB: str
    ) -> tuple[str, str]:
        """The counts after `token_B` was read; unchanged unless some row is penalised."""
        is_penalised = self.options["any_penalised"]
        ids_V1 = g.names.constant(np.arange(self.vocabulary_size)[:, None], np.int64)

        def present(h: Nodes) -> str:
            return h.op("Or", present_VB, h.op("Equal", ids_V1, token_B))

        def generated(h: Nodes) -> str:
            drawn_VB = h.op("And", h.op("Equal", ids_V1, token_B), sampled_B)
            return h.op("Add", generated_VB, h.op("Cast", drawn_VB, to=FLOAT))

        return (
            g.either(is_penalised, present, lambda _: present_VB),
            g.either(is_penalised, generated, lambda _: generated_VB),
        )

    def _scores(self, g: Nodes, logits_BV: str, present_VB: str, generated_VB: str, k: str) -> str:
        """The logits after rules and penalties, and -inf for what is never drawn."""
        o = self.options
        given_VB = g.op("Transpose", logits_BV, perm=[1, 0])

        def ruled(h: Nodes) -> str:
            biased_VB = h.op("Add", given_VB, o["bias_VB"])
            held_VB = h.op("And", o["held_VB"], h.op("Gather", o["held_KB"], k, axis=0))
            return h.op("Where", held_VB, h.names.constant(-np.inf, np.float32), biased_VB)

        def penalised(h: Nodes, logits_VB: str) -> str:
            is_positive_VB = h.op("Greater", logits_VB, h.names.constant(0, np.float32))
            punished_VB = h.op(
                "Where",
                is_positive_VB,
                h.op("Div", logits_VB, o["repetition_penalty"]),
                h.op("Mul", logits_VB, o["repetition_penalty"]),
            )
            x_VB = h.op("Where", present_VB, punished_VB, logits_VB)
            was_generated_VB = h.op("Greater", generated_VB, h.names.constant(0, np.float32))
            presence_VB = h.op(
                "Mul", o["presence_penalty"], h.op("Cast", was_generated_VB, to=FLOAT)
            )
            x_VB = h.op("Sub", x_VB, presence_VB)
            return h.op("Sub", x_VB, h.op("Mul", o["frequency_penalty"], generated_VB))

        def changed(h: Nodes) -> str:
            logits_VB = h.either(o["any_ruled"], ruled, lambda _: given_VB)
            return h.either(
                o["any_penalised"], lambda i: penalised(i, logits_VB), lambda _: logits_VB
            )

        # One branch around both: each copies its value, and most bursts have neither.
        is_changed = g.op("Or", o["any_ruled"], o["any_penalised"])
        x_VB = g.either(is_changed, changed, lambda _: given_VB)
        if not self.never_drawn:
            return x_VB
        mask_V1 = np.zeros((self.vocabulary_size, 1), np.float32)
        mask_V1[list(self.never_drawn)] = -np.inf
        return g.op("Add", x_VB, g.names.constant(mask_V1, np.float32))

    def _plain(self, g: Nodes, x_VB: str, uniform_1B: str) -> str:
        """By inverting the cumulative distribution in id order."""
        cumulative_VB = self._cumulative(g, x_VB, g.op("ReduceMax", x_VB, _axis(g)))
        target_1B = g.op("Mul", uniform_1B, _last(g, cumulative_VB))
        return _count(g, g.op("LessOrEqual", cumulative_VB, target_1B))

    def _truncated(self, g: Nodes, x_VB: str, uniform_1B: str) -> str:
        """By inverting it in the order of probability, over what the options keep."""
        x_BV = g.op("Transpose", x_VB, perm=[1, 0])
        highest_1B = g.op("ReduceMax", x_VB, _axis(g))
        total_1B = _last(g, self._cumulative(g, x_VB, highest_1B))
        sizes = [size for size in CANDIDATES if size < self.vocabulary_size]
        return self._among_best(
            g, x_BV, highest_1B, total_1B, uniform_1B, [*sizes, self.vocabulary_size]
        )

    def _among_best(
        self,
        g: Nodes,
        x_BV: str,
        highest_1B: str,
        total_1B: str,
        uniform_1B: str,
        sizes: Sequence[int],
    ) -> str:
        """Draw among the best sizes[0] ids; if those may not be all that some row keeps, of more.

        The options keep a number of the best ids; which number, is known from the C best alone
        unless that is more than C.
        """
        o, constant = self.options, g.names.constant
        size, *more = sizes
        one, all_ids = constant(1, np.int64), constant(self.vocabulary_size, np.int64)
        best_BC, id_BC = g.ops("TopK", x_BV, constant([size], np.int64), num_outputs=2, axis=1)
        id_CB = g.op("Transpose", id_BC, perm=[1, 0])
        best_CB = g.op("Transpose", best_BC, perm=[1, 0])
        weight_CB = self._weights(g, best_CB, highest_1B)
        cumulative_CB = g.op("CumSum", weight_CB, constant(0, np.int64))

        def after(number_1B: str) -> str:
            """The weight of the best so many."""
            inside_1B = g.op("Min", number_1B, constant(size, np.int64))
            return g.op("GatherElements", cumulative_CB, g.op("Sub", inside_1B, one), axis=0)

        has_top_k_1B = g.op("Less", o["top_k"], all_ids)
        total_1B = g.op("Where", has_top_k_1B, after(o["top_k"]), total_1B)
        below_CB = g.op("Less", cumulative_CB, g.op("Mul", o["top_p"], total_1B))
        by_top_p_1B = g.op(
            "Where",
            g.op("Less", o["top_p"], constant(1, np.float32)),
            g.op("Add", _count(g, below_CB), one),
            all_ids,
        )
        by_min_p_1B = _count(g, g.op("GreaterOrEqual", weight_CB, o["min_p"]))
        if more:  # if all of them pass, the next one may pass as well
            may_go_on_1B = g.op("Equal", by_min_p_1B, constant(size, np.int64))
            by_min_p_1B = g.op("Where", may_go_on_1B, all_ids, by_min_p_1B)
        num_kept_1B = g.op("Min", o["top_k"], by_top_p_1B, by_min_p_1B)
        target_1B = g.op("Mul", uniform_1B, after(num_kept_1B))
        place_1B = _count(g, g.op("LessOrEqual", cumulative_CB, target_1B))
        place_1B = g.op("Min", place_1B, constant(size - 1, np.int64))
        token_1B = g.op("GatherElements", id_CB, place_1B, axis=0)
        if not more:
            return token_1B
        is_truncated_1B = g.op("Equal", o["kind"], constant(TRUNCATED, np.int64))
        is_open_1B = g.op(
            "And", is_truncated_1B, g.op("Greater", num_kept_1B, constant(size, np.int64))
        )
        num_open = g.op("ReduceSum", g.op("Cast", is_open_1B, to=INT64), keepdims=0)
        return g.either(
            g.op("Cast", num_open, to=BOOL),
            lambda h: self._among_best(h, x_BV, highest_1B, total_1B, uniform_1B, more),
            lambda _: token_1B,
        )

    def _cumulative(self, g: Nodes, x_VB: str, highest_1B: str) -> str:
        return g.op("CumSum", self._weights(g, x_VB, highest_1B), g.names.constant(0, np.int64))

    def _weights(self, g: Nodes, x_NB: str, highest_1B: str) -> str:
        below_NB = g.op("Sub", x_NB, highest_1B)
        return g.op("Exp", g.op("Div", below_NB, self.options["temperature"]))


def _axis(g: Nodes) -> str:
    return g.names.constant([0], np.int64)


def _last(g: Nodes, x_VB: str) -> str:
    """The last line, [1, B]."""
    return g.op("Gather", x_VB, g.names.constant([-1], np.int64), axis=0)


def _count(g: Nodes, is_so_NB: str) -> str:
    """How many of each column are true, int64[1, B]."""
    # In float32: exact up to 2^24, and summed several at a time.
    number_1B = g.op("ReduceSum", g.op("Cast", is_so_NB, to=FLOAT), _axis(g))
    return g.op("Cast", number_1B, to=INT64)
