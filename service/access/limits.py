"""How much may be asked for under one name, as it is written and as it is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from service.access.errors import LimitReached
from service.access.rate import Rate

_STREAMS_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one name; None: no bound.

    Attributes:
        requests_per_minute: Of any kind.
        tokens_per_minute: Read and written.
        streams: Texts that are read or written at the same time.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    streams: int | None = None


NO_LIMITS = Limits()


class Allowance:
    """What a name has asked for, and whether there is room for more.

    Args:
        limits: Its bounds.
        clock_ns: A monotonic clock.
    """

    def __init__(self, limits: Limits, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._num_streams = 0
        self._requests: Rate | None = None
        self._tokens: Rate | None = None
        self.limit(limits)

    def limit(self, limits: Limits) -> None:
        """Bound it anew; what was taken stays taken."""
        self.limits = limits
        self._requests = _rate(self._requests, limits.requests_per_minute)
        self._tokens = _rate(self._tokens, limits.tokens_per_minute)

    def take_request(self) -> None:
        """Count one more request.

        Raises:
            LimitReached: There is no room for it; it is not counted.
        """
        if self._requests is None:
            return
        now_ns = self._clock_ns()
        if wait_ns := self._requests.wait_ns(1, now_ns):
            raise _too_many("requests_per_minute", self._requests.per_minute, wait_ns)
        self._requests.take(1, now_ns)

    def begin(self, most_tokens: int) -> Spending:
        """Room for a text; `Spending.close` must follow.

        Args:
            most_tokens: That it may write: they are taken until it is known how many there were.

        Raises:
            LimitReached: There is no room for it.
        """
        most = self.limits.streams
        if most is not None and self._num_streams >= most:
            message = f"{self._num_streams} texts are under way with this key's name, and no more"
            raise LimitReached(f"streams: {message} may be", "streams", _STREAMS_RETRY_S)
        if self._tokens is not None:
            now_ns = self._clock_ns()
            most_tokens = min(most_tokens, self._tokens.per_minute)
            # At least one: who has nothing left may not even read.
            if wait_ns := self._tokens.wait_ns(max(1, most_tokens), now_ns):
                raise _too_many("tokens_per_minute", self._tokens.per_minute, wait_ns)
            self._tokens.take(most_tokens, now_ns)
        self._num_streams += 1
        return Spending(self, most_tokens if self._tokens is not None else 0)

    def end(self, num_reserved: int, num_tokens: int) -> None:
        """A text is over: what it took in place of what was taken for it."""
        self._num_streams -= 1
        if self._tokens is not None:
            self._tokens.take(num_tokens - num_reserved, self._clock_ns())


class Spending:
    """What one text takes of its name's allowance."""

    def __init__(self, allowance: Allowance, num_reserved: int) -> None:
        self._allowance = allowance
        self._num_reserved = num_reserved
        self._is_closed = False

    def close(self, num_tokens: int) -> None:
        """The text is over, after so many tokens; harmless when called again."""
        if not self._is_closed:
            self._is_closed = True
            self._allowance.end(self._num_reserved, num_tokens)


def _rate(rate: Rate | None, per_minute: int | None) -> Rate | None:
    if per_minute is None:
        return None
    if rate is None:
        return Rate(per_minute)
    rate.per_minute = per_minute
    return rate


def _too_many(limit: str, per_minute: int, wait_ns: int) -> LimitReached:
    amount = limit.removesuffix("_per_minute")
    return LimitReached(
        f"{limit}: no more than {per_minute} {amount} a minute with this key's name",
        limit,
        wait_ns / 1e9,
    )
