"""A row of the table: one load, and what its clients saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.load.measurements import Measurements, percentiles_ms

COLUMNS = (
    ("", "load"),
    ("", "tokens/s"),
    ("", "req./s"),
    ("first", "p50 ms"),
    ("event", "p99 ms"),
    ("gap", "p50 ms"),
    ("", "p99 ms"),
    ("tokens", "/event"),
    ("", "429"),
    ("other", "errors"),
)
"""Heads of two lines; all of them fit beside each other on an ordinary terminal."""
_NOTHING = "-"


@dataclass(frozen=True)
class Load:
    """How much is asked for: one of the two.

    Attributes:
        num_streams: Clients of a closed loop.
        rate: Planned requests a second of an open loop.
    """

    num_streams: int | None = None
    rate: float | None = None

    @property
    def label(self) -> str:
        """In words."""
        if self.rate is not None:
            return f"{self.rate:.3g} req./s"
        return f"{self.num_streams} stream{'s' * (self.num_streams != 1)}"


@dataclass(frozen=True)
class Row:
    """One load, and what came of it."""

    load: Load
    found: Measurements

    @property
    def client_cores(self) -> float:
        """Processor time of the clients, as a share of one core."""
        return self.found.client_cpu_s / self.found.duration_s

    def cells(self) -> tuple[str, ...]:
        """In the order of `COLUMNS`."""
        found = self.found
        first, gap = percentiles_ms(found.first_event_s), percentiles_ms(found.gap_s)
        per_event = found.tokens_per_event
        return (
            self.load.label,
            f"{found.tokens_per_s:,.0f}",
            f"{found.requests_per_s:,.1f}",
            *(f"{first[p]:,.1f}" if first else _NOTHING for p in ("p50", "p99")),
            *(f"{gap[p]:,.1f}" if gap else _NOTHING for p in ("p50", "p99")),
            f"{per_event:.1f}" if per_event is not None else _NOTHING,
            f"{found.refused_share:.0%}" if found.num_refused else "0",
            str(found.errors.total() - found.num_refused),
        )

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        found, per_event = self.found, self.found.tokens_per_event
        return {
            "loop": "closed" if self.load.rate is None else "open",
            "streams": self.load.num_streams,
            "planned_requests_per_s": self.load.rate,
            "duration_s": found.duration_s,
            "tokens_per_s": round(found.tokens_per_s, 1),
            "requests_per_s": round(found.requests_per_s, 3),
            "completed": found.num_completed,
            "first_event_ms": percentiles_ms(found.first_event_s),
            "gap_ms": percentiles_ms(found.gap_s),
            "send_delay_ms": percentiles_ms(found.send_delay_s),
            "tokens_per_event": None if per_event is None else round(per_event, 2),
            "refused_share": round(found.refused_share, 4),
            "errors": dict(found.errors),
            "client_cores": round(self.client_cores, 3),
        }
