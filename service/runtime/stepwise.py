"""The stepwise decoder: one run of the step graph for every step, sampling in numpy between them.

The plainest thing that fulfils `Decoder`, and the reference that any faster one must match bit for
bit. Rows lie in arrays made once; a burst gathers the rows that take part and scatters them back.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from service.runtime import sampler
from service.runtime.decoder import (
    SAMPLED,
    Bool,
    Burst,
    BurstResult,
    Float32,
    Int64,
    Logprobs,
    Row,
    Sampling,
)
from service.runtime.randomness import uniforms
from service.runtime.step import Step


class StepwiseDecoder:
    """Rows of one model, advanced step by step; see `Decoder`.

    Args:
        step: The model.
        capacity: Number of slots.
        end_id: Drawing it ends a row, if given.
        never_drawn: Ids that are not sampled, whatever their logit.
    """

    def __init__(
        self,
        step: Step,
        *,
        capacity: int,
        end_id: int | None = None,
        never_drawn: Iterable[int] = (),
    ) -> None:
        self._step = step
        self._end_id = end_id
        self._never_drawn = list(never_drawn)
        self.capacity = capacity
        self.state_width = sum(step.state_widths)
        self.vocabulary_size = vocabulary_size = step.vocabulary_size
        self._state = tuple(np.zeros((capacity, w), np.float32) for w in step.state_widths)
        self._logits = np.zeros((capacity, vocabulary_size), np.float32)
        self._present = np.zeros((capacity, vocabulary_size), np.bool_)
        self._generated = np.zeros((capacity, vocabulary_size), np.int32)
        self._num_tokens = np.zeros(capacity, np.int64)
        self._sampling = sampler.SamplingTable.neutral(capacity, vocabulary_size)
        self._splits = np.cumsum(step.state_widths)[:-1]

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`."""
        for tensor, part in zip(self._state, np.split(row.state_W, self._splits), strict=True):
            tensor[slot] = part
        self._logits[slot] = row.logits_V
        self._present[slot] = row.present_V
        self._generated[slot] = row.generated_V
        self._num_tokens[slot] = row.num_tokens
        self._sampling.put(slot, sampling, self.vocabulary_size)

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`."""
        return Row(
            state_W=np.concatenate([tensor[slot] for tensor in self._state]),
            logits_V=self._logits[slot].copy(),
            present_V=self._present[slot].copy(),
            generated_V=self._generated[slot].copy(),
            num_tokens=int(self._num_tokens[slot]),
        )

    def burst(self, burst: Burst) -> BurstResult:
        """Advance the rows of `burst` together, each for as many steps as it is given."""
        num_steps, num_rows = burst.forced_KB.shape
        table = self._sampling.take(burst.slot_B)
        positions_KB = self._num_tokens[burst.slot_B] + np.arange(num_steps)[:, None]
        uniform_KB = uniforms(table.seed_B, positions_KB)
        token_KB = np.full((num_steps, num_rows), SAMPLED, np.int64)
        ended_B = np.zeros(num_rows, np.bool_)
        logprobs = _new_logprobs(num_steps, table)

        alive = np.arange(num_rows)
        slots = burst.slot_B
        state, logits = self._gather(slots)
        for k in range(num_steps):
            staying = (burst.num_steps_B[alive] > k) & ~ended_B[alive]
            if not staying.all():
                self._scatter(slots, state, logits)
                alive = alive[staying]
                slots = burst.slot_B[alive]
                state, logits = self._gather(slots)
            if not alive.size:
                break
            token_B = burst.forced_KB[k, alive]
            drawing = np.flatnonzero(token_B == SAMPLED)
            if drawing.size:
                rows = alive[drawing]
                token_B[drawing] = self._draw(slots[drawing], logits[drawing], uniform_KB[k, rows])
                if self._end_id is not None:
                    ended_B[rows] = token_B[drawing] == self._end_id
                self._generated[slots[drawing], token_B[drawing]] += 1
                if logprobs is not None:
                    _record(logprobs, k, rows, logits[drawing], token_B[drawing])
            self._present[slots, token_B] = True
            token_KB[k, alive] = token_B
            logits, state = self._step(token_B, state)
        self._scatter(slots, state, logits)

        num_steps_B = (token_KB != SAMPLED).sum(axis=0)
        self._num_tokens[burst.slot_B] += num_steps_B
        return BurstResult(
            token_KB=token_KB,
            num_steps_B=num_steps_B,
            ended_B=ended_B,
            finite_B=self._finite(burst.slot_B),
            logprobs=logprobs,
        )

    def _draw(self, slots: Int64, logits_BV: Float32, uniform_B: Float32) -> Int64:
        logits_BV = logits_BV.copy()
        logits_BV[:, self._never_drawn] = -np.inf
        return sampler.draw(
            logits_BV,
            self._present[slots],
            self._generated[slots],
            self._sampling.take(slots),
            uniform_B,
        )

    def _gather(self, slots: Int64) -> tuple[tuple[Float32, ...], Float32]:
        return tuple(tensor[slots] for tensor in self._state), self._logits[slots]

    def _scatter(self, slots: Int64, state: tuple[Float32, ...], logits: Float32) -> None:
        for tensor, rows in zip(self._state, state, strict=True):
            tensor[slots] = rows
        self._logits[slots] = logits

    def _finite(self, slots: Int64) -> Bool:
        finite_B = np.ones(len(slots), np.bool_)
        for tensor in (self._logits, *self._state):
            finite_B &= np.isfinite(tensor[slots]).all(axis=1)
        return finite_B


def _new_logprobs(num_steps: int, table: sampler.SamplingTable) -> Logprobs | None:
    num_top = int(table.num_logprobs_B.max())
    if num_top == sampler.NO_LOGPROBS:
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
        sampler.logprobs(logits_BV, token_B, num_top)
    )
