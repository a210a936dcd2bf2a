"""How long sessions live, and who makes room: rules for all stores, of numbers only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.sessions.tally import EndReason

MAX_TOMBSTONES = 65_536
"""Sessions that are over of which a store remembers why."""
MAX_TURNS = 1_000
"""Of one session, the latest, of which a store remembers what they were."""
MAX_COMMITS = 8
"""Of one session, the latest, whose answers a store can give again."""
_UNUSED = "it was not used for"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of a session store.

    Attributes:
        idle_ttl_s: A session is over when it was not used for this long.
        max_age_s: And when it is this old, however much it is used.
        max_sessions: More than these, and some are evicted.
        max_bytes: The same for their rows.
        max_owner_sessions: The same for those of one account.
        checkpoint_every: Tokens between rows that are kept to go back to, near the end.
    """

    idle_ttl_s: float
    max_age_s: float
    max_sessions: int
    max_bytes: int
    max_owner_sessions: int
    checkpoint_every: int = 256

    def expires_s(self, created_s: float, used_s: float) -> float:
        """Unix time at which a session is over if nobody uses it."""
        return min(used_s + self.idle_ttl_s, created_s + self.max_age_s)

    def why_over(self, created_s: float, used_s: float, now_s: float) -> str | None:
        """Why a session's time is over; None if it is not. It never is under a running turn."""
        if used_s + self.idle_ttl_s <= now_s:
            return self.why_idle
        if created_s + self.max_age_s <= now_s:
            return self.why_old
        return None

    @property
    def why_idle(self) -> str:
        """Why a session is over that nobody has used."""
        return f"{_UNUSED} {self.idle_ttl_s:g} s"

    @property
    def why_old(self) -> str:
        """Why a session is over that has its age."""
        return f"it was older than {self.max_age_s:g} s"


def kept_checkpoints(places: Iterable[int], end: int, every: int) -> list[int]:
    """Which of the places that have a row keep it, for a text that is now `end` tokens long.

    The last one always does: it is where the last turn began. Of the others, the first one in each
    stretch of `every` tokens near the end; farther back the stretches are longer, by powers of two
    up to half of the way to the end. So there are two or three for each doubling of the length, and
    what is read again to go back is about twice what is gone back, at most. Stretches begin at
    multiples of their lengths: what is kept now was kept before, however the text has grown.

    Args:
        places: Lengths of the text in tokens; those that are not before the end are left out.
        end: Length of the text now.
        every: The least distance.
    """
    before_end = sorted(place for place in set(places) if 0 < place < end)
    first_of: dict[tuple[int, int], int] = {}
    for place in before_end:
        num_doublings = max(0, ((end - place) // (2 * every)).bit_length() - 1)
        stretch = every << num_doublings
        first_of.setdefault((stretch, place // stretch), place)
    return sorted({*first_of.values(), *before_end[-1:]})


EVICTED = "it was evicted to make room, as the longest unused one of its account"
DELETED = "it was deleted"


def end_reason(why: str) -> EndReason:
    """The one word for what `SessionLimits.why_over`, EVICTED and DELETED say."""
    if why in (EVICTED, DELETED):
        return "evicted" if why == EVICTED else "deleted"
    return "idle" if why.startswith(_UNUSED) else "age"


@dataclass(frozen=True, slots=True)
class Holding:
    """What somebody has, or all together have."""

    num_sessions: int = 0
    num_bytes: int = 0


def excess(own: Holding, together: Holding, limits: SessionLimits) -> str | None:
    """What there is too much of: sessions of the `account`, `sessions` of all, or their `bytes`.

    For the first, the account's own longest unused session goes. For the others, one of whoever has
    the most of it: so nobody who has little loses it to somebody who hoards.
    """
    if own.num_sessions > limits.max_owner_sessions:
        return "account"
    if together.num_sessions > limits.max_sessions:
        return "sessions"
    if together.num_bytes > limits.max_bytes:
        return "bytes"
    return None


def may_use(asker: str, owner: str) -> bool:
    """Whether a session is there for whoever asks.

    Without a key, its unguessable id is all that protects a session: addresses change.
    """
    return protected(owner) in ("", asker)


def protected(owner: str) -> str:
    """Whom alone a session is there for; empty: for everybody who knows its id."""
    return owner if owner.startswith("key:") else ""
