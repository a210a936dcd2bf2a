"""A lane: a decoder with its slots and the bursts that it runs, at the same time as others do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from service.engine.limits import EngineLimits
from service.engine.request import Chunk
from service.engine.rows.bursts import Bursts, Plan, Ran
from service.engine.rows.job import Job
from service.engine.rows.scheduler import Scheduler
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Decoder
from service.runtime.sampling import Sampling

_log = logging.getLogger(__name__)


class RowLost(Exception):
    """The decoder could not load, save or run a row: a fault of its request, not of the lane."""


class Lane:
    """A decoder and its bursts, for one thread; whatever the decoder raises concerns single rows.

    Attributes:
        capacity: How many slots it has.
        to_load: Requests whose rows are to be put into their slots at the lane's next turn.
        to_hand_over: Slots of requests that have left while others followed them, with the one that
            reads on from there.
        to_begin: Requests that have read their prompts, and whose first tokens can be sent; within
            one turn.
    """

    def __init__(self, decoder: Decoder, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self.bursts = Bursts(decoder, limits, clock)
        self.capacity = decoder.capacity
        self.to_load: list[int] = []
        self.to_hand_over: list[tuple[int, int]] = []
        self.to_begin: list[int] = []
        self._decoder = decoder

    def plan(self, scheduler: Scheduler, jobs: Mapping[int, Job], number: int) -> Plan | None:
        """The next burst, or None if there is nobody to run.

        Args:
            scheduler: Who has the slots.
            jobs: The requests that are here.
            number: The scheduler's, of this lane.
        """
        plan = self.bursts.plan(scheduler, jobs, number)
        if plan is None:
            return None
        takers = zip(plan.shares, plan.jobs, strict=True)
        rows_before = [self._row_before(share.slot, job) for share, job in takers]
        return replace(plan, rows_before=rows_before)

    def run(self, plan: Plan) -> Ran | RowLost:
        """Run a burst; a failure is one of all rows in it."""
        try:
            return self.bursts.run(plan)
        except Exception as error:  # noqa: BLE001
            _log.exception("a burst of %d rows failed", len(plan.shares))
            return RowLost(f"the model could not be run: {error}")

    def first_tokens(self, slots: Mapping[int, int]) -> list[tuple[int, Chunk]]:
        """What requests will draw first, by their slots; without those of whom it is not known.

        Nothing fails if it cannot be known: it comes with the next burst.
        """
        if not slots:
            return []
        try:
            token_B = self._decoder.next_tokens(np.array([*slots.values()]))
        except Exception:  # noqa: BLE001
            _log.exception("the first tokens of %d rows could not be drawn", len(slots))
            return []
        return [
            (request_id, Chunk(token_B[b : b + 1], None))
            for b, request_id in enumerate(slots)
            if token_B[b] != SAMPLED
        ]

    def load(self, slot: int, row: Row | None, sampling: Sampling) -> None:
        """Put a row into a slot, or the start of a text.

        Raises:
            RowLost: It could not be loaded.
        """
        try:
            self._decoder.load(slot, row or Row.start(self._decoder.row_shape), sampling)
        except Exception as error:
            _log.exception("a row could not be loaded")
            raise RowLost(f"the row could not be loaded: {error}") from error

    def saved(self, slot: int) -> Row:
        """A copy of the row in a slot.

        Raises:
            RowLost: It could not be saved.
        """
        try:
            return self._decoder.save(slot)
        except Exception as error:
            _log.exception("a row could not be saved")
            raise RowLost(f"the row could not be saved: {error}") from error

    def saved_or_none(self, slot: int) -> Row | None:
        """The same, or None if it could not be saved."""
        try:
            return self.saved(slot)
        except RowLost:
            return None

    def _row_before(self, slot: int, job: Job) -> Row | None:
        """The row before a burst, if the text may have to go back to it."""
        every = job.request.rows_every
        if not every or job.progress.num_taken < job.row_at:
            return None
        row = self.saved_or_none(slot)  # without it an earlier one has to do
        if row is not None:
            job.row_at = job.progress.num_taken + every
        return row
