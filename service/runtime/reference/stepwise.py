"""The stepwise decoder: one run of the step graph for every step, sampling in numpy between them.

The plainest thing that fulfils `Decoder`, and the reference that any faster one must match bit for
bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from service.rows.arrays import Bool, Float32, Int64
from service.rows.row import Row, RowShape
from service.runtime.automaton import Constraint, ConstraintsOfRows
from service.runtime.decoder import SAMPLED, Burst, BurstResult, Logprobs
from service.runtime.logprobs import logprobs as logprobs_of
from service.runtime.randomness import uniforms
from service.runtime.reference import sampler
from service.runtime.row_table import RowTable
from service.runtime.sampling import NO_LOGPROBS, Sampling, SamplingTable
from service.runtime.step import Step


class StepwiseDecoder:
    """Rows of one model, advanced step by step; see `Decoder`.

    Args:
        step: The model.
        capacity: Number of slots.
        end_id: Drawing it ends a row, if given.
        never_drawn: Ids that are not sampled, whatever their logit.
        exp: See `sampler.draw`.
    """

    def __init__(
        self,
        step: Step,
        *,
        capacity: int,
        end_id: int | None = None,
        never_drawn: Iterable[int] = (),
        exp: Callable[[Float32], Float32] = np.exp,
    ) -> None:
        self._step = step
        self._end_id = end_id
        self._never_drawn = list(never_drawn)
        self._exp = exp
        self.capacity = capacity
        self.row_shape = RowShape(sum(step.state_widths), step.vocabulary_size)
        self._rows = RowTable(capacity, step.state_widths, step.vocabulary_size)

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`.

        Raises:
            ValueError: It is to be clamped, which is done inside of a step.
        """
        sampling.require_free()
        self._rows.load(slot, row, sampling)

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`."""
        return self._rows.save(slot)

    def burst(self, burst: Burst) -> BurstResult:
        """Advance the rows of `burst` together, each for as many steps as it is given."""
        num_steps, num_rows = burst.forced_KB.shape
        rows = self._rows
        table = rows.sampling.take(burst.slot_B)
        positions_KB = rows.num_tokens[burst.slot_B] + np.arange(num_steps)[:, None]
        uniform_KB = uniforms(table.seed_B, positions_KB)
        rules = rows.rules.of(burst.slot_B, positions_KB, rows.vocabulary_size)
        token_KB = np.full((num_steps, num_rows), SAMPLED, np.int64)
        ended_B = np.zeros(num_rows, np.bool_)
        logprobs = _new_logprobs(num_steps, table)
        constraints = [*(burst.constraints or [None] * num_rows)]

        alive = np.arange(num_rows)
        slots = burst.slot_B
        state, logits = rows.gather(slots)
        for k in range(num_steps):
            staying = (burst.num_steps_B[alive] > k) & ~ended_B[alive]
            if not staying.all():
                rows.scatter(slots, state, logits)
                alive = alive[staying]
                slots = burst.slot_B[alive]
                state, logits = rows.gather(slots)
            if not alive.size:
                break
            token_B = burst.forced_KB[k, alive]
            told_B = token_B == SAMPLED
            if burst.scored_B is not None:
                told_B |= burst.scored_B[alive]
            drawing = np.flatnonzero(token_B == SAMPLED)
            if drawing.size:
                who = alive[drawing]
                drawn_from = logits[drawing]
                if rules is not None:
                    drawn_from = rules.ruled(drawn_from, k, who)
                drawn_from = _allowed(drawn_from, [constraints[b] for b in who])
                token_B[drawing] = self._draw(slots[drawing], drawn_from, uniform_KB[k, who])
                if self._end_id is not None:
                    ended_B[who] = token_B[drawing] == self._end_id
                ended_B[who] |= _read(constraints, who, token_B[drawing])
            if logprobs is not None and told_B.any():
                _record(logprobs, k, alive[told_B], logits[told_B], token_B[told_B])
            drawn_B = burst.forced_KB[k, alive] == SAMPLED
            rows.count(slots, token_B, drawn_B, np.ones_like(drawn_B))
            token_KB[k, alive] = token_B
            logits, state = self._step(token_B, state)
            if burst.interrupted is not None and burst.interrupted:
                token_KB = token_KB[: k + 1]
                logprobs = None if logprobs is None else logprobs.first(k + 1)
                break
        rows.scatter(slots, state, logits)

        num_steps_B = (token_KB != SAMPLED).sum(axis=0)
        rows.num_tokens[burst.slot_B] += num_steps_B
        return BurstResult(
            token_KB=token_KB,
            num_steps_B=num_steps_B,
            ended_B=ended_B,
            finite_B=rows.finite(burst.slot_B),
            logprobs=logprobs,
            constraints=None if burst.constraints is None else constraints,
        )

    def next_tokens(self, slot_B: Int64) -> Int64:
        """What some plain rows will draw next; SAMPLED where that ends the text."""
        rows = self._rows
        table, position_1B = rows.sampling.take(slot_B), rows.num_tokens[slot_B][None]
        [uniform_B] = uniforms(table.seed_B, position_1B)
        token_B = self._draw(slot_B, rows.logits[slot_B], uniform_B)
        return np.where(table.plain_B & (token_B != self._end_id), token_B, SAMPLED)

    def _draw(self, slots: Int64, logits_BV: Float32, uniform_B: Float32) -> Int64:
        logits_BV = logits_BV.copy()
        logits_BV[:, self._never_drawn] = -np.inf
        return sampler.draw(
            logits_BV,
            self._rows.present[slots],
            self._rows.generated[slots],
            self._rows.sampling.take(slots),
            uniform_B,
            self._exp,
        )


def _allowed(logits_BV: Float32, constraints: ConstraintsOfRows) -> Float32:
    """The logits, and -inf for what a row's constraint does not allow."""
    allowed_BV = logits_BV.copy()
    for b, constraint in enumerate(constraints):
        if constraint is not None:
            allowed_BV[b, ~constraint.allowed_V()] = -np.inf
    return allowed_BV


def _read(constraints: list[Constraint | None], rows: Int64, token_B: Int64) -> Bool:
    """Go on to what some rows have drawn; returns which of their texts are complete."""
    complete_B = np.zeros(len(rows), np.bool_)
    for n, b in enumerate(rows):
        constraint = constraints[b]
        if constraint is not None:
            constraint, _ = constraint.read(token_B[n : n + 1])
            constraints[b], complete_B[n] = constraint, constraint.is_complete
    return complete_B


def _new_logprobs(num_steps: int, table: SamplingTable) -> Logprobs | None:
    num_top = int(table.num_logprobs_B.max())
    if num_top == NO_LOGPROBS:
        return None
    shape = (num_steps, len(table.num_logprobs_B))
    return Logprobs(
        chosen_KB=np.zeros(shape, np.float32),
        top_id_KBN=np.zeros((*shape, num_top), np.int64),
        top_KBN=np.zeros((*shape, num_top), np.float32),
    )


def _record(logprobs: Logprobs, k: int, rows: Int64, logits_BV: Float32, token_B: Int64) -> None:
    """Write the log-probabilities of step `k` for `rows`."""
    num_top = logprobs.top_KBN.shape[2]
    logprobs.chosen_KB[k, rows], logprobs.top_id_KBN[k, rows], logprobs.top_KBN[k, rows] = (
        logprobs_of(logits_BV, token_B, num_top)
    )
