"""Draws in the order of probability as ONNX nodes, for rows whose options leave ids out.

Sorting a vocabulary takes longer than the model. So the best 64 ids are sorted, and only the rows
whose draw these do not decide go on to the best 512, and so on. What decides a draw is often known
before all that the options keep is: the weight of all that is kept lies between two bounds, and if
the random number finds the same id with both, it is that one. The bounds hold for the very sums
that `reference.sampler` makes, in the same order and rounded as there, so the draw is the same bit
for bit.

Shapes: R rows, C of the best ids, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.runtime.nodes import BOOL, FLOAT, INT64, Nodes

CANDIDATES = (64, 512, 2048)
"""How many of the most probable ids are sorted before the whole vocabulary is."""


@dataclass(frozen=True)
class TruncatedRows:
    """The names of the values that a draw needs.

    Attributes:
        x_RV: Logits after rules and penalties.
        highest: The largest of each row, like all of the following [1, R].
        total: The weight of all ids, added in their order.
        uniform: The random number.
        temperature: As in `SamplingTable`.
        top_k: As in `SamplingTable`.
        top_p: As in `SamplingTable`.
        min_p: As in `SamplingTable`.
    """

    x_RV: str
    highest: str
    total: str
    uniform: str
    temperature: str
    top_k: str
    top_p: str
    min_p: str

    def some(self, g: Nodes, row_O: str) -> TruncatedRows:
        """Some of the rows."""
        _, *lines = self.__dict__.values()
        return TruncatedRows(
            g.op("Gather", self.x_RV, row_O, axis=0),
            *(g.op("Gather", line, row_O, axis=1) for line in lines),
        )


@dataclass(frozen=True)
class _Best:
    """The best C ids of each row, what they weigh, and the running sums of that; all [C, R]."""

    id_CR: str
    weight_CR: str
    cumulative_CR: str


def draw_truncated(g: Nodes, rows: TruncatedRows, vocabulary_size: int) -> str:
    """One id for each row, int64[1, R]."""
    sizes = [size for size in CANDIDATES if size < vocabulary_size]
    return _among_best(g, rows, [*sizes, vocabulary_size], vocabulary_size)


def _among_best(g: Nodes, rows: TruncatedRows, sizes: Sequence[int], vocabulary_size: int) -> str:
    """Draw among the best sizes[0] ids; where those do not decide it, among more."""
    size, *more = sizes
    best = _sorted(g, rows, size)
    if not more:
        kept_1R, _ = _kept(g, rows, best, size, vocabulary_size)
        place_1R = _place(g, best, g.op("Mul", rows.uniform, _after(g, best, kept_1R, size)))
        return g.op("GatherElements", best.id_CR, place_1R, axis=0)
    least_1R, most_1R = _bounds(g, rows, best, size, vocabulary_size)
    place_1R = _place(g, best, g.op("Mul", rows.uniform, least_1R))
    is_decided_1R = g.op(
        "And",
        g.op("Equal", place_1R, _place(g, best, g.op("Mul", rows.uniform, most_1R))),
        g.op("Less", place_1R, g.names.constant(size, np.int64)),
    )
    inside_1R = g.op("Min", place_1R, g.names.constant(size - 1, np.int64))
    token_1R = g.op("GatherElements", best.id_CR, inside_1R, axis=0)
    is_open_1R = g.op("Not", is_decided_1R)
    num_open = g.op("ReduceSum", g.op("Cast", is_open_1R, to=INT64), keepdims=0)

    def further(h: Nodes) -> str:
        open_R = h.op("Squeeze", is_open_1R, h.names.constant([0], np.int64))
        row_1O = h.op("NonZero", open_R)
        row_O = h.op("Squeeze", row_1O, h.names.constant([0], np.int64))
        found_1O = _among_best(h, rows.some(h, row_O), more, vocabulary_size)
        return h.op("ScatterElements", token_1R, row_1O, found_1O, axis=1)

    return g.either(g.op("Cast", num_open, to=BOOL), further, lambda _: token_1R)


def _sorted(g: Nodes, rows: TruncatedRows, size: int) -> _Best:
    best_RC, id_RC = g.ops(
        "TopK", rows.x_RV, g.names.constant([size], np.int64), num_outputs=2, axis=1
    )
    best_CR = g.op("Transpose", best_RC, perm=[1, 0])
    weight_CR = weights(g, best_CR, rows.highest, rows.temperature)
    return _Best(
        g.op("Transpose", id_RC, perm=[1, 0]),
        weight_CR,
        g.op("CumSum", weight_CR, g.names.constant(0, np.int64)),
    )


def _kept(
    g: Nodes, rows: TruncatedRows, best: _Best, size: int, vocabulary_size: int
) -> tuple[str, Mapping[str, str]]:
    """How many ids the options keep, and what that was made of.

    A number above `size` says only that it is above `size`.
    """
    constant = g.names.constant
    all_ids, at_most = constant(vocabulary_size, np.int64), constant(size, np.int64)
    has_top_k_1R = g.op("Less", rows.top_k, all_ids)
    has_top_p_1R = g.op("Less", rows.top_p, constant(1, np.float32))
    total_1R = g.op("Where", has_top_k_1R, _after(g, best, rows.top_k, size), rows.total)
    limit_1R = g.op("Mul", rows.top_p, total_1R)
    num_below_1R = count(g, g.op("Less", best.cumulative_CR, limit_1R))
    by_top_p_1R = g.op(
        "Where", has_top_p_1R, g.op("Add", num_below_1R, constant(1, np.int64)), all_ids
    )
    by_min_p_1R = count(g, g.op("GreaterOrEqual", best.weight_CR, rows.min_p))
    if size < vocabulary_size:  # if all of them pass, the next one may pass as well
        may_go_on_1R = g.op("Equal", by_min_p_1R, at_most)
        by_min_p_1R = g.op("Where", may_go_on_1R, all_ids, by_min_p_1R)
    kept_1R = g.op("Min", rows.top_k, by_top_p_1R, by_min_p_1R)
    return kept_1R, {
        "has_top_k": has_top_k_1R,
        "has_top_p": has_top_p_1R,
        "limit": limit_1R,
        "by_min_p": by_min_p_1R,
    }


def _bounds(
    g: Nodes, rows: TruncatedRows, best: _Best, size: int, vocabulary_size: int
) -> tuple[str, str]:
    """Between what the weight of all that the options keep lies, [1, R] each; equal if it is known.

    Sums of the same V numbers in two orders differ by less than 2^-22 V of them: so far apart are
    the total in the order of ids and that in the order of probability.
    """
    constant = g.names.constant
    kept_1R, of = _kept(g, rows, best, size, vocabulary_size)
    at_most, last = constant(size, np.int64), constant([-1], np.int64)
    error = vocabulary_size * 2.0**-22
    is_more_1R = g.op("Greater", kept_1R, at_most)
    # top_p is a part of what top_k keeps, which is not known yet if that is more than C ids.
    is_whole_1R = g.op("Not", of["has_top_k"])
    is_top_k_far_1R = g.op("And", of["has_top_k"], g.op("Greater", rows.top_k, at_most))
    is_vague_1R = g.op("And", is_top_k_far_1R, of["has_top_p"])
    is_open_1R = g.op("Or", is_more_1R, is_vague_1R)

    # Where only top_p ends a row, it ends with the first sum that is not below the limit, or with
    # the total, which may be a little less. That sum is by no more than one small weight too large.
    is_by_top_p_1R = g.op("And", of["has_top_p"], is_whole_1R)
    is_only_top_p_1R = g.op(
        "And", is_by_top_p_1R, g.op("LessOrEqual", rows.min_p, constant(0, np.float32))
    )
    reached_1R = g.op("Gather", best.cumulative_CR, last, axis=0)
    smallest_1R = g.op("Gather", best.weight_CR, last, axis=0)
    total_or_less_1R = g.op("Mul", rows.total, constant(1 - error, np.float32))
    least_1R = g.op("Min", of["limit"], total_or_less_1R)
    # Nobody knows how little is kept of rows whose top_p may be below what is reached.
    nothing_1R = g.op("Where", is_vague_1R, constant(0, np.float32), reached_1R)
    least_1R = g.op("Where", is_only_top_p_1R, least_1R, nothing_1R)
    most_1R = g.op(
        "Where",
        is_by_top_p_1R,
        g.op("Add", of["limit"], smallest_1R),
        g.op("Mul", rows.total, constant(1 + error, np.float32)),
    )
    known_1R = _after(g, best, kept_1R, size)
    return (
        g.op("Where", is_open_1R, least_1R, known_1R),
        g.op("Where", is_open_1R, most_1R, known_1R),
    )


def _after(g: Nodes, best: _Best, number_1R: str, size: int) -> str:
    """The weight of the best so many, or of all C."""
    inside_1R = g.op("Min", number_1R, g.names.constant(size, np.int64))
    place_1R = g.op("Sub", inside_1R, g.names.constant(1, np.int64))
    return g.op("GatherElements", best.cumulative_CR, place_1R, axis=0)


def _place(g: Nodes, best: _Best, target_1R: str) -> str:
    return count(g, g.op("LessOrEqual", best.cumulative_CR, target_1R))


def weights(g: Nodes, x_NR: str, highest_1R: str, temperature_1R: str) -> str:
    """What the ids weigh: e to the power of their distance to the best one."""
    return g.op("Exp", g.op("Div", g.op("Sub", x_NR, highest_1R), temperature_1R))


def count(g: Nodes, is_so_NR: str) -> str:
    """How many of each column are true, int64[1, R]."""
    # In float32: exact up to 2^24, and summed several at a time.
    axis = g.names.constant([0], np.int64)
    return g.op("Cast", g.op("ReduceSum", g.op("Cast", is_so_NR, to=FLOAT), axis), to=INT64)
