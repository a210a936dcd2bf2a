"""Where two sessions part: their tokens compared, a turn of each at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from service.inference.places import ids_of
from service.rows.arrays import Int64
from service.sessions.session import KeptTurn


class Rest:
    """What is left of a session's turns.

    Attributes:
        turn: Number of the turn that comes next, or goes on; None at the end.
        id_T: What is left of it.
    """

    def __init__(self, turns: AsyncIterator[KeptTurn]) -> None:
        self.turn: int | None = None
        self.id_T: Int64 = np.zeros(0, np.int64)
        self._turns = turns

    async def fill(self) -> None:
        """Begin the next turn that holds something, if this one is over."""
        while not len(self.id_T):
            turn = await anext(self._turns, None)
            if turn is None:
                self.turn = None
                return
            self.turn, self.id_T = turn.version, ids_of(turn)

    def skip(self, number: int) -> None:
        """Leave out so many of its tokens."""
        self.id_T = self.id_T[number:]


async def part(
    one: AsyncIterator[KeptTurn], other: AsyncIterator[KeptTurn]
) -> tuple[int, tuple[Rest, Rest]]:
    """How many tokens the turns of two sessions share, and what follows in each.

    Raises:
        TextsNotKept: The tokens of a turn are not kept.
    """
    rests = Rest(one), Rest(other)
    num_shared = 0
    while True:
        for rest in rests:
            await rest.fill()
        length = min(len(rest.id_T) for rest in rests)
        if not length:
            return num_shared, rests
        differs = np.flatnonzero(rests[0].id_T[:length] != rests[1].id_T[:length])
        number = int(differs[0]) if len(differs) else length
        num_shared += number
        for rest in rests:
            rest.skip(number)
        if len(differs):
            return num_shared, rests
