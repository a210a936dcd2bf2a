"""Drawing one token for every row: the reference, in numpy, that the burst graph's must match.

Each row's result depends on its own numbers only, bit for bit: every operation is elementwise or
runs along one row in a fixed order, and a step that only some rows ask for changes only those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from service.runtime.decoder import Bool, Float32, Int32, Int64, Sampling

NO_LOGPROBS = -1


@dataclass(frozen=True, slots=True)
class SamplingTable:
    """The `Sampling` of many rows as columns; a neutral number stands for an option that is off."""

    seed_B: npt.NDArray[np.uint64]
    temperature_B: Float32
    top_k_B: Int64
    top_p_B: Float32
    min_p_B: Float32
    repetition_B: Float32
    presence_B: Float32
    frequency_B: Float32
    num_logprobs_B: Int64

    @classmethod
    def neutral(cls, num_rows: int, vocabulary_size: int) -> SamplingTable:
        """A table of rows that draw from the model's own distribution."""
        return cls(
            seed_B=np.zeros(num_rows, np.uint64),
            temperature_B=np.ones(num_rows, np.float32),
            top_k_B=np.full(num_rows, vocabulary_size, np.int64),
            top_p_B=np.ones(num_rows, np.float32),
            min_p_B=np.zeros(num_rows, np.float32),
            repetition_B=np.ones(num_rows, np.float32),
            presence_B=np.zeros(num_rows, np.float32),
            frequency_B=np.zeros(num_rows, np.float32),
            num_logprobs_B=np.full(num_rows, NO_LOGPROBS, np.int64),
        )

    def put(self, row: int, sampling: Sampling, vocabulary_size: int) -> None:
        """Write one request's options into `row`."""

        def given(value: float | None, neutral: float) -> float:
            return neutral if value is None else value

        # The extremes of a float64 would be 0 or infinite as a float32.
        tiny, huge = 1e-30, 1e30
        self.seed_B[row] = sampling.seed
        self.temperature_B[row] = sampling.temperature
        self.top_k_B[row] = min(given(sampling.top_k, vocabulary_size), vocabulary_size)
        self.top_p_B[row] = max(given(sampling.top_p, 1), tiny)
        self.min_p_B[row] = given(sampling.min_p, 0)
        self.repetition_B[row] = min(max(given(sampling.repetition_penalty, 1), tiny), huge)
        self.presence_B[row] = given(sampling.presence_penalty, 0)
        self.frequency_B[row] = given(sampling.frequency_penalty, 0)
        self.num_logprobs_B[row] = given(sampling.num_logprobs, NO_LOGPROBS)

    def take(self, rows: Int64 | Bool | slice) -> SamplingTable:
        """A copy with `rows` only."""
        return SamplingTable(*(getattr(self, field.name)[rows] for field in fields(self)))

    def truncates_B(self, vocabulary_size: int) -> Bool:  # noqa: N802
        """Rows that leave out improbable ids; greedy rows need not, their best id always stays."""
        truncates_B = (self.top_k_B < vocabulary_size) | (self.top_p_B < 1) | (self.min_p_B > 0)
        return truncates_B & (self.temperature_B > 0)

    @property
    def penalises(self) -> bool:
        """Whether some row's draws depend on what its text holds."""
        off = self.repetition_B == 1, self.presence_B == 0, self.frequency_B == 0
        return not all(column_B.all() for column_B in off)


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
    greedy_B = table.temperature_B == 0
    temperature_B1 = np.where(greedy_B, np.float32(1), table.temperature_B)[:, None]
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
    return np.where(greedy_B, logits_BV.argmax(axis=1), token_B)


def _pick(cumulative_BN: Float32, target_B: Float32) -> Int64:
    """The first place whose cumulative weight exceeds the target."""
    # Strictly below the total, since `uniforms` has 23 bits: there always is one.
    place_B: Int64 = (cumulative_BN <= target_B[:, None]).sum(axis=1)
    return place_B


def logprobs(logits_BV: Float32, token_B: Int64, num_top: int) -> tuple[Float32, Int64, Float32]:
    """Log-probabilities under the model's own distribution.

    Returns:
        Those of `token_B`, float32[B]; the `num_top` best ids, int64[B, N], ties by lower id; and
        theirs, float32[B, N].
    """
    shifted_BV = logits_BV - logits_BV.max(axis=1, keepdims=True)
    # cumsum and not sum: its order of additions does not depend on the shape.
    total_B = np.cumsum(np.exp(shifted_BV), axis=1, dtype=np.float32)[:, -1]
    logprob_BV = shifted_BV - np.log(total_B)[:, None]
    top_id_BN = np.argsort(-logits_BV, axis=1, kind="stable")[:, :num_top]
    return (
        np.take_along_axis(logprob_BV, token_B[:, None], axis=1)[:, 0],
        top_id_BN,
        np.take_along_axis(logprob_BV, top_id_BN, axis=1),
    )


def _penalised(
    logits_BV: Float32, present_BV: Bool, generated_BV: Int32, table: SamplingTable
) -> Float32:
    repetition_B, presence_B, frequency_B = (
        table.repetition_B,
        table.presence_B,
        table.frequency_B,
    )
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
    total_B = np.where(table.top_k_B < size, cumulative_BV[rows, table.top_k_B - 1], total_B)
    num_below_B = (cumulative_BV < (table.top_p_B * total_B)[:, None]).sum(axis=1)
    by_top_p_B = np.where(table.top_p_B < 1, num_below_B + 1, size)
    by_min_p_B = (weight_BV >= table.min_p_B[:, None]).sum(axis=1)
    num_kept_B = np.minimum(np.minimum(table.top_k_B, by_top_p_B), by_min_p_B)
    place_B = _pick(cumulative_BV, uniform_B * cumulative_BV[rows, num_kept_B - 1])
    token_B: Int64 = order_BV[rows, place_B]
    return token_B
