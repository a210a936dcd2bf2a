"""Penalties as ONNX nodes, over the ids that each text holds and not over the whole vocabulary.

A text holds some hundred ids, a vocabulary has thousands. So a penalised row brings a list of the
ids that it holds, and each step adds the one that was read. An id may be in the list more than
once: all its entries say the same, so it does not matter which of them is written last.

Shapes: B rows, M of them penalised, N entries for each of these, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.rows.arrays import Bool, Int32, Int64
from service.runtime.nodes import BOOL, FLOAT, INT64, Nodes
from service.runtime.sampling import SamplingTable, options_that

COUNTS = {"seen_MN": (INT64, 2), "present_MN": (BOOL, 2), "generated_MN": (FLOAT, 2)}
"""What a burst carries from step to step: element type and rank.

seen_MN: ids as places in all rows' logits, row times V plus id. present_MN, generated_MN: as in
`Row`, of these ids. Of shape [0, 0] unless some row is penalised.
"""

INPUTS: Mapping[str, tuple[int, int]] = {
    "any_penalised": (BOOL, 0),
    "penalised_M": (INT64, 1),
    **dict.fromkeys(options_that("penalises"), (FLOAT, 2)),
    **COUNTS,
}
"""Inputs of the graph; the options are those of the penalised rows, [M, 1]."""


NO_PENALTIES: Mapping[str, npt.NDArray[Any]] = {
    "any_penalised": np.array(False),
    "penalised_M": np.zeros(0, np.int64),
    **{name: np.zeros((0, 1), np.float32) for name in options_that("penalises")},
    "seen_MN": np.zeros((0, 0), np.int64),
    "present_MN": np.zeros((0, 0), np.bool_),
    "generated_MN": np.zeros((0, 0), np.float32),
}
"""The values of INPUTS where no row is penalised."""


def penalty_values(
    table: SamplingTable, present_BV: Bool, generated_BV: Int32
) -> Mapping[str, npt.NDArray[Any]]:
    """The values of INPUTS.

    Args:
        table: How the rows are sampled.
        present_BV: See `Row`; only penalised rows are read.
        generated_BV: See `Row`.
    """
    row_M = np.flatnonzero(table.penalised_B)
    if not row_M.size:
        return NO_PENALTIES
    id_MN = _held(present_BV[row_M])
    row_M1 = row_M[:, None]
    return {
        "any_penalised": np.array(True),
        "penalised_M": row_M,
        **{name: table[name][row_M, None] for name in options_that("penalises")},
        "seen_MN": id_MN + row_M1 * present_BV.shape[1],
        "present_MN": present_BV[row_M1, id_MN],
        "generated_MN": generated_BV[row_M1, id_MN].astype(np.float32),
    }


def _held(present_MV: Bool) -> Int64:
    """The ids that each text holds, filled up with id 0 to the longest list: int64[M, N], N > 0."""
    m, token_id = np.nonzero(present_MV)
    number_M = np.bincount(m, minlength=len(present_MV))
    id_MN = np.zeros((len(present_MV), max(1, int(number_M.max()))), np.int64)
    id_MN[m, np.arange(len(m)) - (np.cumsum(number_M) - number_M)[m]] = token_id
    return id_MN


@dataclass(frozen=True)
class Counts:
    """The names of the values listed in COUNTS, in one step."""

    seen_MN: str
    present_MN: str
    generated_MN: str

    @property
    def names(self) -> list[str]:
        """In the order of COUNTS."""
        return [self.seen_MN, self.present_MN, self.generated_MN]


def penalised(
    g: Nodes, options: Mapping[str, str], logits_BV: str, counts: Counts, vocabulary_size: int
) -> str:
    """The logits after penalties, float32[B, V].

    Args:
        g: The nodes of the step.
        options: The names of INPUTS.
        logits_BV: Before them.
        counts: Of the texts before this step.
        vocabulary_size: V.
    """
    zero, all_of = g.names.constant(0, np.float32), g.names.constant([-1], np.int64)
    flat_N = g.op("Reshape", logits_BV, all_of)
    logits_MN = g.op("Gather", flat_N, counts.seen_MN)
    punished_MN = g.op(
        "Where",
        g.op("Greater", logits_MN, zero),
        g.op("Div", logits_MN, options["repetition_penalty"]),
        g.op("Mul", logits_MN, options["repetition_penalty"]),
    )
    x_MN = g.op("Where", counts.present_MN, punished_MN, logits_MN)
    was_generated_MN = g.op("Cast", g.op("Greater", counts.generated_MN, zero), to=FLOAT)
    x_MN = g.op("Sub", x_MN, g.op("Mul", options["presence_penalty"], was_generated_MN))
    x_MN = g.op("Sub", x_MN, g.op("Mul", options["frequency_penalty"], counts.generated_MN))
    place_N, x_N = (g.op("Reshape", name, all_of) for name in (counts.seen_MN, x_MN))
    flat_N = g.op("ScatterElements", flat_N, place_N, x_N, axis=0)
    return g.op("Reshape", flat_N, g.names.constant([-1, vocabulary_size], np.int64))


def counted(
    g: Nodes,
    options: Mapping[str, str],
    token_B: str,
    sampled_B: str,
    counts: Counts,
    vocabulary_size: int,
) -> Counts:
    """The counts after `token_B` was read; unchanged unless some row is penalised."""

    def with_token(h: Nodes) -> list[str]:
        row_M, axis = options["penalised_M"], h.names.constant([1], np.int64)
        start_M = h.op("Mul", row_M, h.names.constant(vocabulary_size, np.int64))
        place_M = h.op("Add", start_M, h.op("Gather", token_B, row_M))
        place_M1 = h.op("Unsqueeze", place_M, axis)
        drawn_M1 = h.op("Unsqueeze", h.op("Gather", sampled_B, row_M), axis)
        drawn_M1 = h.op("Cast", drawn_M1, to=FLOAT)
        is_it_MN = h.op("Equal", counts.seen_MN, place_M1)
        more_MN = h.op("Mul", h.op("Cast", is_it_MN, to=FLOAT), drawn_M1)
        generated_MN = h.op("Add", counts.generated_MN, more_MN)
        # The new entry says what the others of its id say, if there are any.
        number_M1 = h.op("ReduceMax", h.op("Where", is_it_MN, generated_MN, drawn_M1), axis)
        always_M1 = h.op("Equal", place_M1, place_M1)
        present_MN = h.op("Or", counts.present_MN, is_it_MN)
        return [
            h.op("Concat", counts.seen_MN, place_M1, axis=1),
            h.op("Concat", present_MN, always_M1, axis=1),
            h.op("Concat", generated_MN, number_M1, axis=1),
        ]

    def unchanged(h: Nodes) -> list[str]:
        return [h.op("Identity", name) for name in counts.names]

    return Counts(*g.one_of(options["any_penalised"], with_token, unchanged))
