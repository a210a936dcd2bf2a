"""A lane: a decoder with its slots and the bursts that it runs, at the same time as others do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from service.engine.errors import NotFinite
from service.engine.limits import EngineLimits
from service.engine.rows.bursts import Bursts, Plan, Ran
from service.rows.row import Row
from service.runtime.decoder import BurstResult, Decoder
from service.runtime.sampling import Sampling

_log = logging.getLogger(__name__)


class RowLost(Exception):
    """The decoder could not load, save or run a row: a fault of its request, not of the lane."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a plan, and of the first words that were to come then."""

    ran: Ran | RowLost
    then: Round | None = None

    def result_of(self, b: int) -> BurstResult:
        """What the burst did, for its row `b`.

        Raises:
            RowLost: It has failed.
            NotFinite: The row is unusable.
        """
        if isinstance(self.ran, RowLost):
            raise self.ran
        if not self.ran.result.finite_B[b]:
            raise NotFinite("the model gave no finite numbers here")
        return self.ran.result


class Lane:
    """A decoder and its bursts, for one thread; whatever the decoder raises concerns single rows.

    Attributes:
        capacity: How many slots it has.
        to_load: Requests whose rows are to be put into their slots at the lane's next turn.
        to_hand_over: Slots of requests that have left while others followed them, with the one that
            reads on from there.
    """

    def __init__(self, decoder: Decoder, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self.bursts = Bursts(decoder, limits, clock)
        self.capacity = decoder.capacity
        self.to_load: list[int] = []
        self.to_hand_over: list[tuple[int, int]] = []
        self._decoder = decoder
        self._read: dict[int, Row | None] = {}

    def run(self, plan: Plan) -> Round:
        """Run a burst, and what is to come then; a failure is one of all rows in it."""
        self._read = {}
        ran = self._run(plan)
        if plan.then is None or isinstance(ran, RowLost):
            return Round(ran)
        for share, job in zip(plan.then.shares, plan.then.jobs, strict=True):
            self._read[share.slot] = self.saved_or_none(share.slot) if job.hands_on else None
        return Round(ran, Round(self._run(plan.then)))

    def _run(self, plan: Plan) -> Ran | RowLost:
        try:
            return self.bursts.run(plan)
        except Exception as error:  # noqa: BLE001
            _log.exception("a burst of %d rows failed", len(plan.shares))
            return RowLost(f"the model could not be run: {error}")

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

    def read(self, slot: int) -> Row:
        """A copy of the row in a slot, before the first words that the last round went on to.

        Raises:
            RowLost: It could not be saved.
        """
        if slot not in self._read:
            return self.saved(slot)
        row = self._read[slot]
        if row is None:
            raise RowLost("the row at the end of the prompt could not be saved")
        return row

    def read_or_none(self, slot: int) -> Row | None:
        """The same, or None if it could not be saved."""
        try:
            return self.read(slot)
        except RowLost:
            return None

    def saved_or_none(self, slot: int) -> Row | None:
        """As `saved`, or None if it could not be saved."""
        try:
            return self.saved(slot)
        except RowLost:
            return None
