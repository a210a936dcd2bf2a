"""The sampler as ONNX nodes: what `reference.sampler.draw` computes in numpy, bit for bit.

Running sums over the vocabulary lie with the batch along the last axis, [V, B] and [1, B]: they
then add whole rows of B numbers. Each kind of row (plain, truncated, greedy) has a branch of its
own, which computes its rows only; a burst of plain rows alone has none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.runtime import penalty_graph
from service.runtime.nodes import BOOL, FLOAT, INT64, Nodes
from service.runtime.penalty_graph import Counts
from service.runtime.rules import RulesOfRows
from service.runtime.sampling import COLUMNS, SamplingTable, options_that
from service.runtime.truncation_graph import TruncatedRows, count, draw_truncated, weights

_ROWS = {"plain": "plain_P", "truncated": "truncated_T", "greedy": "greedy_G"}
"""Kinds of rows, and the inputs that say which rows are of that kind."""

OPTIONS = {
    "only_plain": (BOOL, 0),
    **dict.fromkeys(_ROWS.values(), (INT64, 1)),
    **{
        name: (FLOAT if COLUMNS[name].dtype is np.float32 else INT64, 2)
        for name in (*options_that("scales"), *options_that("truncates"))
    },
}
"""The inputs of the graph that say how rows are sampled: element type and rank.

Options are as in `SamplingTable`; temperatures of all rows, [1, B], and 1 for greedy rows; what
truncates of the truncated rows, [1, T].
"""

RULES = {
    "any_ruled": (BOOL, 0),
    "ruled_N2": (INT64, 2),
    "bias_N": (FLOAT, 1),
    "held_KN": (BOOL, 2),
}
"""The inputs that are rules about single ids: N pairs of a row and an id that has one."""


def rule_values(rules: RulesOfRows | None, num_steps: int) -> dict[str, npt.NDArray[Any]]:
    """The values of RULES."""
    if rules is None:
        at_N2, bias_N = np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
        held_KN = np.zeros((num_steps, 0), np.bool_)
    else:
        at_N2 = np.argwhere((rules.bias_BV != 0) | rules.held_BV)
        row_N, id_N = at_N2.T
        bias_N = rules.bias_BV[row_N, id_N]
        held_KN = rules.held_KB[:, row_N] & rules.held_BV[row_N, id_N]
    return {
        "any_ruled": np.array(len(at_N2) > 0),
        "ruled_N2": at_N2,
        "bias_N": bias_N,
        "held_KN": held_KN,
    }


_PLAIN: Mapping[str, npt.NDArray[Any]] = {
    "only_plain": np.array(True),
    **{name: np.zeros(0, np.int64) for name in _ROWS.values()},
    **{name: np.zeros((1, 0), COLUMNS[name].dtype) for name in options_that("truncates")},
}
"""OPTIONS where all rows are plain, without their temperatures; who they are is not looked at."""


def option_values(table: SamplingTable, vocabulary_size: int) -> dict[str, npt.NDArray[Any]]:
    """The values of OPTIONS for the rows of `table`."""
    if table.plain_B.all():
        return {**_PLAIN, "temperature": table["temperature"][None]}
    greedy_B, truncated_B = table.greedy_B, table.truncates_B(vocabulary_size)
    plain_B = ~greedy_B & ~truncated_B
    row_T = np.flatnonzero(truncated_B)
    return {
        "only_plain": np.array(plain_B.all()),
        "plain_P": np.flatnonzero(plain_B),
        "truncated_T": row_T,
        "greedy_G": np.flatnonzero(greedy_B),
        "temperature": table.divisor_B[None],
        **{name: table[name][None, row_T] for name in options_that("truncates")},
    }


@dataclass(frozen=True)
class SamplerGraph:
    """Writes the nodes that draw one token for every row.

    Args:
        options: The names of the values listed in OPTIONS, RULES and `penalty_graph.INPUTS`.
        vocabulary_size: V.
        never_drawn: Ids that are not sampled, whatever their logit.
    """

    options: Mapping[str, str]
    vocabulary_size: int
    never_drawn: Sequence[int]

    def draw(self, g: Nodes, logits_BV: str, counts: Counts, uniform_B: str, k: str) -> str:
        """Token ids, int64[B]; counts are read if some row is penalised.

        `k` is the step, which is read if some row has rules.
        """
        o = self.options
        x_BV = self._scores(g, logits_BV, counts, k)
        uniform_1B = g.op("Unsqueeze", uniform_B, _axis(g))

        def of_kinds(h: Nodes) -> str:
            token_1B = h.op("Cast", uniform_1B, to=INT64)
            draws = {"plain": self._plain, "truncated": self._truncated, "greedy": self._greedy}
            for kind, draw in draws.items():
                row_R = o[_ROWS[kind]]

                def drawn(
                    i: Nodes, row_R: str = row_R, draw: Any = draw, old: str = token_1B
                ) -> str:
                    token_1R = draw(
                        i,
                        i.op("Gather", x_BV, row_R, axis=0),
                        i.op("Gather", uniform_1B, row_R, axis=1),
                        i.op("Gather", o["temperature"], row_R, axis=1),
                    )
                    row_1R = i.op("Unsqueeze", row_R, _axis(i))
                    return i.op("ScatterElements", old, row_1R, token_1R, axis=1)

                is_any = h.op("Cast", h.op("Size", row_R), to=BOOL)
                token_1B = h.either(is_any, drawn, lambda _, old=token_1B: old)  # type: ignore[misc]
            return token_1B

        token_1B = g.either(
            o["only_plain"],
            lambda h: self._plain(h, x_BV, uniform_1B, o["temperature"]),
            of_kinds,
        )
        return g.op("Squeeze", token_1B, _axis(g))

    def draw_plain(self, g: Nodes, logits_BV: str, uniform_B: str) -> str:
        """The same where all rows draw among all ids, and none has rules."""
        uniform_1B = g.op("Unsqueeze", uniform_B, _axis(g))
        x_BV, temperature_1B = self._drawable(g, logits_BV), self.options["temperature"]
        return g.op("Squeeze", self._plain(g, x_BV, uniform_1B, temperature_1B), _axis(g))

    def _scores(self, g: Nodes, logits_BV: str, counts: Counts, k: str) -> str:
        """The logits after rules and penalties, and -inf for what is never drawn."""
        o = self.options

        def ruled(h: Nodes) -> str:
            x_N = h.op("Add", h.op("GatherND", logits_BV, o["ruled_N2"]), o["bias_N"])
            never = h.names.constant(-np.inf, np.float32)
            x_N = h.op("Where", h.op("Gather", o["held_KN"], k, axis=0), never, x_N)
            return h.op("ScatterND", logits_BV, o["ruled_N2"], x_N)

        def changed(h: Nodes) -> str:
            x_BV = h.either(o["any_ruled"], ruled, lambda _: logits_BV)
            return h.either(
                o["any_penalised"],
                lambda i: penalty_graph.penalised(i, o, x_BV, counts, self.vocabulary_size),
                lambda _: x_BV,
            )

        # One branch around both: each copies its value, and most bursts have neither.
        is_changed = g.op("Or", o["any_ruled"], o["any_penalised"])
        return self._drawable(g, g.either(is_changed, changed, lambda _: logits_BV))

    def _drawable(self, g: Nodes, x_BV: str) -> str:
        """Scores, with -inf for what is never drawn."""
        if not self.never_drawn:
            return x_BV
        mask_1V = np.zeros((1, self.vocabulary_size), np.float32)
        mask_1V[0, list(self.never_drawn)] = -np.inf
        return g.op("Add", x_BV, g.names.constant(mask_1V, np.float32))

    def _plain(self, g: Nodes, x_RV: str, uniform_1R: str, temperature_1R: str) -> str:
        """By inverting the cumulative distribution in id order."""
        _, cumulative_VR = _cumulative(g, x_RV, temperature_1R)
        target_1R = g.op("Mul", uniform_1R, _last(g, cumulative_VR))
        return count(g, g.op("LessOrEqual", cumulative_VR, target_1R))

    def _truncated(self, g: Nodes, x_RV: str, uniform_1R: str, temperature_1R: str) -> str:
        """By inverting it in the order of probability, over what the options keep."""
        o = self.options
        highest_1R, cumulative_VR = _cumulative(g, x_RV, temperature_1R)
        rows = TruncatedRows(
            x_RV,
            highest_1R,
            _last(g, cumulative_VR),
            uniform_1R,
            temperature_1R,
            o["top_k"],
            o["top_p"],
            o["min_p"],
        )
        return draw_truncated(g, rows, self.vocabulary_size)

    def _greedy(self, g: Nodes, x_RV: str, _uniform_1R: str, _temperature_1R: str) -> str:
        token_R = g.op("ArgMax", x_RV, axis=1, keepdims=0)
        return g.op("Unsqueeze", token_R, _axis(g))


def _cumulative(g: Nodes, x_RV: str, temperature_1R: str) -> tuple[str, str]:
    """The largest of each row, [1, R], and the running sums of all weights, [V, R]."""
    x_VR = g.op("Transpose", x_RV, perm=[1, 0])
    highest_1R = g.op("ReduceMax", x_VR, _axis(g))
    weight_VR = weights(g, x_VR, highest_1R, temperature_1R)
    return highest_1R, g.op("CumSum", weight_VR, g.names.constant(0, np.int64))


def _axis(g: Nodes) -> str:
    return g.names.constant([0], np.int64)


def _last(g: Nodes, x_VR: str) -> str:
    """The last line, [1, R]."""
    return g.op("Gather", x_VR, g.names.constant([-1], np.int64), axis=0)
