"""Rows of a text that is being written, to go back to: at its end, or in a later turn."""

from __future__ import annotations

from collections import deque

from service.rows.row import Row

_MOST_CHECKPOINTS = 32


class Trail:
    """Rows that the engine has handed out, oldest first.

    Args:
        past: What the text goes on from; None: the start.
        every: Tokens from one checkpoint to the next.
    """

    def __init__(self, past: Row | None, every: int) -> None:
        self._past = past
        self._every = every
        # From the last one that is not beyond what was shown.
        self._rows: deque[Row | None] = deque([past])
        self._checkpoints: list[Row] = []

    def add(self, row: Row) -> None:
        """A row of a later place."""
        self._rows.append(row)

    def shown(self, num_tokens: int) -> Row | None:
        """So much of this text is shown; returns the last row that is not beyond that.

        Nobody will have to go back at once to those before it, so they are forgotten, but for
        checkpoints.
        """
        while len(self._rows) > 1 and self.num_tokens_at(self._rows[1]) <= num_tokens:
            self._rows.popleft()
            if (row := self._rows[0]) is not None:
                self._check(row)
        return self._rows[0]

    def num_tokens_at(self, row: Row | None) -> int:
        """Length of this text at a row of it."""
        return (row.num_tokens if row else 0) - (self._past.num_tokens if self._past else 0)

    @property
    def checkpoints(self) -> list[Row]:
        """Some of the rows, none of them beyond what was shown."""
        return self._checkpoints

    def _check(self, row: Row) -> None:
        """Keep a row if it is far enough from the one before it."""
        before = self._checkpoints[-1] if self._checkpoints else self._past
        if self._every and row.num_tokens - (before.num_tokens if before else 0) >= self._every:
            self._checkpoints.append(row)
        if len(self._checkpoints) > _MOST_CHECKPOINTS:  # a long text: every other one
            self._checkpoints = self._checkpoints[1::2]
            self._every *= 2
