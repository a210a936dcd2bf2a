"""So much a minute: a leaky bucket as a meter (Turner 1986), in integers and without a clock.

A minute's amount may be taken at once, and comes back evenly. More may be taken by whoever learns
only afterwards how much it was: then the next one waits until that is paid off.
"""

from __future__ import annotations

MINUTE_NS = 60_000_000_000


class Rate:
    """One amount, taken at most so fast.

    Args:
        per_minute: Of it, at least 1; may be set anew at any time.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        # In the bucket, at some moment; of which `per_minute` leave in each nanosecond.
        self._level = 0
        self._at_ns = 0

    def wait_ns(self, amount: int, now_ns: int) -> int:
        """How long until so much may be taken, 0: now. More than a minute's is as much as that."""
        self._leak(now_ns)
        needed = min(amount, self.per_minute) * MINUTE_NS
        excess = self._level + needed - self.per_minute * MINUTE_NS
        return max(0, -(-excess // self.per_minute))

    def take(self, amount: int, now_ns: int) -> None:
        """Take it, whether it may be or not; a negative amount is given back."""
        self._leak(now_ns)
        self._level = max(0, self._level + amount * MINUTE_NS)

    def _leak(self, now_ns: int) -> None:
        self._level = max(0, self._level - (now_ns - self._at_ns) * self.per_minute)
        self._at_ns = now_ns
