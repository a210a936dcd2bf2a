"""What has happened to sessions since the server started: counts, for whoever watches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

EndReason = Literal["idle", "age", "evicted", "deleted"]
"""Why a session is over: nobody used it, it was too old, it made room, its client has ended it."""
Conflict = Literal["busy", "changed"]
"""Why a turn could not begin or end: another one was running, or had changed the session."""


@dataclass(slots=True)
class SessionTally:
    """Counts of this server's own store; others that share its file or database have theirs.

    One thread writes them. A transaction that the store has to give up counts all the same.

    Attributes:
        ended: Sessions that are over, by the reason.
        conflicts: Turns that were refused, by the reason.
    """

    ended: Counter[EndReason] = field(default_factory=Counter)
    conflicts: Counter[Conflict] = field(default_factory=Counter)
