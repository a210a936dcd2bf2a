"""What clients saw."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measurements:
    """What all clients together saw in a window of time; times in seconds.

    Attributes:
        duration_s: Of the window.
        num_tokens: That came.
        num_events: That brought tokens; a whole answer is one.
        num_completed: Answers that came whole.
        client_cpu_s: Processor time that the clients themselves took.
        first_event_s: From each request to its first event.
        gap_s: From each event to the next one of its answer.
        send_delay_s: How much later than planned each request left; open loops only.
        errors: How often each one came, by status and code.
    """

    duration_s: float = 0.0
    num_tokens: int = 0
    num_events: int = 0
    num_completed: int = 0
    client_cpu_s: float = 0.0
    first_event_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)
    send_delay_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def tokens_per_s(self) -> float:
        """All clients together."""
        return self.num_tokens / self.duration_s

    @property
    def requests_per_s(self) -> float:
        """Answers that came whole."""
        return self.num_completed / self.duration_s

    @property
    def tokens_per_event(self) -> float | None:
        """On average; None if there was no event."""
        return self.num_tokens / self.num_events if self.num_events else None

    @property
    def num_refused(self) -> int:
        """Requests that were answered with 429."""
        return sum(num for code, num in self.errors.items() if code.startswith("429"))

    @property
    def refused_share(self) -> float:
        """Of all requests that ended, those that were answered with 429."""
        num_ended = self.num_completed + self.errors.total()
        return self.num_refused / num_ended if num_ended else 0.0

    def merge(self, other: Measurements) -> None:
        """Add another round of the same measurement."""
        self.duration_s += other.duration_s
        self.num_tokens += other.num_tokens
        self.num_events += other.num_events
        self.num_completed += other.num_completed
        self.client_cpu_s += other.client_cpu_s
        self.first_event_s += other.first_event_s
        self.gap_s += other.gap_s
        self.send_delay_s += other.send_delay_s
        self.errors += other.errors


def percentiles_ms(times_s: Sequence[float]) -> dict[str, float] | None:
    """`p50`, `p95` and `p99` in milliseconds; None of fewer than two times."""
    if len(times_s) < 2:
        return None
    cuts = statistics.quantiles(times_s, n=100, method="inclusive")
    return {f"p{p}": round(cuts[p - 1] * 1000, 2) for p in (50, 95, 99)}
