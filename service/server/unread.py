"""What was sent to the other side of a connection, and not taken."""

from __future__ import annotations


class Unread:
    """For how long the other side has taken nothing of what waits for it.

    Args:
        now_s: When the connection begins.
    """

    def __init__(self, now_s: float) -> None:
        self._num_bytes = 0
        self._since_s = now_s

    def seconds(self, num_bytes: int, now_s: float) -> float:
        """So long, now that `num_bytes` wait; the time begins anew when it is another number."""
        if num_bytes == 0 or num_bytes != self._num_bytes:
            self._num_bytes, self._since_s = num_bytes, now_s
        return now_s - self._since_s
