"""What bounds an engine, and what it looks like from outside of its thread."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of one engine.

    Attributes:
        max_waiting_requests: Requests without a row that may wait.
        max_waiting_tokens: What they may add up to.
        max_unread_tokens: A reader further behind than this has its row parked.
        target_burst_s: Duration that a burst should have; 0 makes every burst one step.
        max_burst_steps: Most steps of one burst.
        event_s: With many rows a burst lasts so long for each; see `BurstLength`.
    """

    max_waiting_requests: int
    max_waiting_tokens: int
    max_unread_tokens: int
    target_burst_s: float
    max_burst_steps: int
    event_s: float


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What an engine is doing, as seen from outside of its thread; `num_rows` can run at once."""

    alive: bool
    heartbeat_age_s: float
    num_running: int
    num_waiting: int
    num_parked: int
    num_cached_prompts: int
    num_cache_bytes: int
    num_tokens_saved: int
    num_rows: int

    @property
    def num_requests(self) -> int:
        """Requests that have not ended."""
        return self.num_running + self.num_waiting + self.num_parked
