"""Drawing one token for every row: the reference, in numpy, that the burst graph's must match.

Each row's result depends on its own numbers only, bit for bit: every operation is elementwise or
runs along one row in a fixed order, and a step that only some rows ask for changes only those.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from service.rows.arrays import Bool, Float32, Int32, Int64
from service.runtime.sampling import SamplingTable


def draw(
    logits_BV: Float32,
    present_BV: Bool,
    generated_BV: Int32,
    table: SamplingTable,
    uniform_B: Float32,
    exp: Callable[[Float32], Float32] = np.exp,
) -> Int64:
    """One token id for every row, by inverting the cumulative distribution.

    In id order; for a row whose options leave ids out, in the order of probability.

    Args:
        logits_BV: The model's logits; -inf for an id that must not be drawn.
        present_BV: See `Row`.
        generated_BV: See `Row`.
        table: One row for every row of the logits.
        uniform_B: A uniform number in [0, 1) for each; see `randomness.uniforms`.
        exp: The exponential. Two libraries' differ in the last bit: to compare with what another
            one computes, pass its own.

    Returns:
        Token ids, int64[B].
    """
    logits_BV = _penalised(logits_BV, present_BV, generated_BV, table)
    temperature_B1 = table.divisor_B[:, None]
    # A tiny temperature sends the difference to -inf and its weight to 0, as it should.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        below_BV = (logits_BV - logits_BV.max(axis=1, keepdims=True)) / temperature_B1
        weight_BV = exp(below_BV)
    cumulative_BV = np.cumsum(weight_BV, axis=1, dtype=np.float32)
    token_B: Int64 = _pick(cumulative_BV, uniform_B * cumulative_BV[:, -1])
    rows = np.flatnonzero(table.truncates_B(logits_BV.shape[1]))
    if rows.size:
        token_B[rows] = _draw_truncated(
            logits_BV[rows],
            weight_BV[rows],
            cumulative_BV[rows, -1],
            table.take(rows),
            uniform_B[rows],
        )
    return np.where(table.greedy_B, logits_BV.argmax(axis=1), token_B)


def _pick(cumulative_BN: Float32, target_B: Float32) -> Int64:
    """The first place whose cumulative weight exceeds the target."""
    # Strictly below the total, since `uniforms` has 23 bits: there always is one.
    place_B: Int64 = (cumulative_BN <= target_B[:, None]).sum(axis=1)
    return place_B


def _penalised(
    logits_BV: Float32, present_BV: Bool, generated_BV: Int32, table: SamplingTable
) -> Float32:
    repetition_B = table["repetition_penalty"]
    presence_B, frequency_B = table["presence_penalty"], table["frequency_penalty"]
    if (repetition_B != 1).any():
        repetition_B1 = repetition_B[:, None]
        with np.errstate(over="ignore"):
            punished_BV = np.where(
                logits_BV > 0, logits_BV / repetition_B1, logits_BV * repetition_B1
            )
        logits_BV = np.where(present_BV & (repetition_B1 != 1), punished_BV, logits_BV)
    if presence_B.any() or frequency_B.any():
        generated_float_BV = generated_BV.astype(np.float32)
        logits_BV = (
            logits_BV
            - presence_B[:, None] * (generated_BV > 0)
            - frequency_B[:, None] * generated_float_BV
        )
    return logits_BV


def _draw_truncated(
    logits_BV: Float32,
    weight_BV: Float32,
    total_B: Float32,
    table: SamplingTable,
    uniform_B: Float32,
) -> Int64:
    """Draw among the most probable ids, in the order of probability.

    Every option keeps a number of the best; the smallest of these numbers counts.
    """
    rows, size = np.arange(len(logits_BV)), logits_BV.shape[1]
    # By the logits, not the weights: exp may round two different logits to one weight.
    order_BV = np.argsort(-logits_BV, axis=1, kind="stable")
    weight_BV = np.take_along_axis(weight_BV, order_BV, axis=1)
    cumulative_BV = np.cumsum(weight_BV, axis=1, dtype=np.float32)
    total_B = np.where(table["top_k"] < size, cumulative_BV[rows, table["top_k"] - 1], total_B)
    num_below_B = (cumulative_BV < (table["top_p"] * total_B)[:, None]).sum(axis=1)
    by_top_p_B = np.where(table["top_p"] < 1, num_below_B + 1, size)
    by_min_p_B = (weight_BV >= table["min_p"][:, None]).sum(axis=1)
    num_kept_B = np.minimum(np.minimum(table["top_k"], by_top_p_B), by_min_p_B)
    place_B = _pick(cumulative_BV, uniform_B * cumulative_BV[rows, num_kept_B - 1])
    token_B: Int64 = order_BV[rows, place_B]
    return token_B
