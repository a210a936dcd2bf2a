"""Two clocks: Unix time, which somebody may set, and one that only goes on."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.sessions.sqlite.holder import Holder

_log = logging.getLogger(__name__)
_MOST_APART_S = 5.0
"""By which Unix time may have moved against the steady clock before it counts as set."""


def steady_s() -> float:
    """Seconds since the machine was started: the same for all of its processes and containers.

    Where there is such a clock (Linux) it goes on while the machine sleeps, as Unix time does.
    """
    boot_clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by both clocks.

    Attributes:
        unix_s: What sessions' times are in: it goes on over restarts of the machine.
        steady_s: What leases end by: nobody can set it.
    """

    unix_s: float
    steady_s: float


@dataclass(frozen=True, slots=True)
class Clocks:
    """Tells the time.

    Attributes:
        unix: Unix time.
        steady: See `steady_s`.
    """

    unix: Callable[[], float] = time.time
    steady: Callable[[], float] = steady_s

    def now(self) -> Moment:
        """By both."""
        return Moment(self.unix(), self.steady())

    def follow(self, connection: sqlite3.Connection, holder: Holder) -> None:
        """When Unix time was set, set the times of all sessions likewise: none is older for it.

        How far the two clocks are apart is kept for each run that lives; it is the same for all of
        them. Whoever first sees that it is not as before moves the sessions, in one transaction
        with that, and so nobody does it again. What an earlier start of the machine has left says
        nothing: the steady clock began anew.
        """
        now = self.now()
        apart_s = now.unix_s - now.steady_s
        known = connection.execute("SELECT name, apart_s FROM runs").fetchall()
        if holder.name not in (name for name, _ in known):
            known = _join(connection, holder, [name for name, _ in known], apart_s)
        jump_s = apart_s - known[0][1]
        if abs(jump_s) <= _MOST_APART_S:
            return
        _log.warning(
            "the clock was set by %+.0f s: the times of sessions are moved with it", jump_s
        )
        connection.execute(
            "UPDATE sessions SET created_s = created_s + ?, used_s = used_s + ?", (jump_s, jump_s)
        )
        connection.execute("UPDATE runs SET apart_s = ?", (apart_s,))


def _join(
    connection: sqlite3.Connection, holder: Holder, names: list[str], apart_s: float
) -> list[tuple[str, float]]:
    """Be one of the runs; those that are over go, with their leases. Returns those that live."""
    for name in filter(holder.knows_dead, names):
        connection.execute("DELETE FROM runs WHERE name = ?", (name,))
    holder.sweep()
    connection.execute(
        "UPDATE sessions SET leased_until_s = 0 "
        "WHERE leased_until_s > 0 AND holder NOT IN (SELECT name FROM runs)"
    )
    living = connection.execute("SELECT name, apart_s FROM runs").fetchall()
    connection.execute("INSERT INTO runs VALUES (?, ?)", (holder.name, apart_s))
    return [*living, (holder.name, apart_s)]
