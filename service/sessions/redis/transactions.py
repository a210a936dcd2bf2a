"""Scripts under a store's bounds: what they refuse is an error, what they do is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.sessions import policy
from service.sessions.errors import (
    KeyTaken,
    SessionBusy,
    SessionChanged,
    SessionGone,
    SessionUnknown,
)
from service.sessions.policy import SessionLimits
from service.sessions.redis.scripts import Scripts
from service.sessions.tally import SessionTally

_SWEEPERS = ("begin", "create", "fork")


class Transactions:
    """Runs scripts for one store.

    Args:
        scripts: That run in Redis.
        limits: Bounds.
        clock: Unix time; None: that of Redis.

    Attributes:
        tally: What the scripts have done, as their answers say it.
    """

    def __init__(
        self, scripts: Scripts, limits: SessionLimits, clock: Callable[[], float] | None
    ) -> None:
        self._scripts = scripts
        self._limits = limits
        self._clock = clock
        self.tally = SessionTally()

    async def run(self, name: str, asked: dict[str, Any], *content: bytes) -> list[Any]:
        """Run a script; returns what goes with its answer if that is no refusal.

        Raises:
            SessionError: It refuses, or Redis does not answer.
        """
        if name == "delete":
            asked = asked | {"reason": policy.DELETED}
        word, *rest = await self._scripts.run(name, self._with_rules(asked), *content)
        if word in ("ok", "recorded"):
            return self._counted(name, rest)
        if word in ("busy", "changed"):
            self.tally.conflicts["busy" if word == "busy" else "changed"] += 1
        raise self._refusal(name, word, asked, rest)

    async def evict(self, asked: dict[str, Any]) -> list[bytes] | None:
        """Evict a session; returns what is held then, or None if there is none to evict."""
        asked = asked | {"reason": policy.EVICTED}
        word, holdings = await self._scripts.run("evict", self._with_rules(asked))
        if word == "none":
            return None
        self.tally.ended["evicted"] += 1
        return list(holdings)

    def _counted(self, name: str, answer: list[Any]) -> list[Any]:
        """An answer, without what is only there to be counted."""
        if name == "delete":
            self.tally.ended["deleted"] += 1
        if name not in _SWEEPERS:
            return answer
        *answer, (num_idle, num_old) = answer
        if num_idle:
            self.tally.ended["idle"] += num_idle
        if num_old:
            self.tally.ended["age"] += num_old
        return answer

    def _refusal(self, name: str, word: str, asked: dict[str, Any], rest: list[Any]) -> Exception:
        session = asked.get("id", "")
        match word:
            case "unknown":
                return SessionUnknown(f"there is no session {session}")
            case "gone":
                return SessionGone(f"session {session} is over: {rest[0].decode()}")
            case "over":
                reason = self._limits.why_over(*map(float, rest))
                return SessionGone(f"session {session} is over: {reason}")
            case "busy" if name == "commit":
                return SessionBusy(f"another turn has begun on session {session} meanwhile")
            case "busy":
                return SessionBusy(f"another turn is running on session {session}")
            case "changed":
                return SessionChanged(
                    f"session {session} is of version {int(rest[0])}, not {asked['version']}"
                )
            case "taken":
                return KeyTaken("a turn that asked for something else had this key")
            case _:
                return AssertionError(f"{name} answers {word}")

    def _with_rules(self, asked: dict[str, Any]) -> dict[str, Any]:
        rules = {
            "idle_ttl_s": self._limits.idle_ttl_s,
            "max_age_s": self._limits.max_age_s,
            "why_idle": self._limits.why_idle,
            "why_old": self._limits.why_old,
            "max_tombstones": policy.MAX_TOMBSTONES,
            "max_turns": policy.MAX_TURNS,
            "max_commits": policy.MAX_COMMITS,
        }
        if self._clock is not None:
            rules["now_s"] = self._clock()
        return asked | rules
