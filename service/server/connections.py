"""All connections of the server: how many there may be, and who has been silent for too long."""

from __future__ import annotations

from typing import Protocol

RESERVE = 16
"""Connections beyond the most that there may be: probes get an answer on them, others a refusal."""


class Guarded(Protocol):
    """A connection, as far as it is guarded."""

    def overdue(self, now_s: float) -> bool:
        """Whether the other side has been silent, or has taken nothing, for too long."""

    def drop(self) -> None:
        """End it, whatever it is doing."""


class Connections:
    """Keeps the number of connections within bounds.

    A connection without a request costs nothing but a descriptor, so it is what goes when another
    one comes: the one that has been idle for longest.

    Args:
        most: Connections that there may be; `RESERVE` more are for probes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._all: set[Guarded] = set()
        # Those without a request, the longest idle first.
        self._idle: dict[Guarded, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def are_too_many(self) -> bool:
        """Whether only probes should be answered."""
        return len(self._all) > self.most

    def enter(self, connection: Guarded) -> None:
        """A new connection, idle until its first request; may drop another one, or this one."""
        self._all.add(connection)
        self._idle[connection] = None
        if len(self._all) > self.most:
            longest_idle = next(iter(self._idle))
            if longest_idle is not connection:
                longest_idle.drop()
        if len(self._all) > self.most + RESERVE:
            connection.drop()

    def leave(self, connection: Guarded) -> None:
        """A connection is closed, or will be; harmless when called again."""
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def set_idle(self, connection: Guarded, *, idle: bool) -> None:
        """A connection waits for a request, or has one."""
        self._idle.pop(connection, None)
        if idle and connection in self._all:
            self._idle[connection] = None

    def sweep(self, now_s: float) -> None:
        """Drop who is overdue. Takes a microsecond for each connection; call it every second."""
        for connection in [c for c in self._all if c.overdue(now_s)]:
            connection.drop()
