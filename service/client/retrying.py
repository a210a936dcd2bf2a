"""What is tried again, when, and how often.

What the server has refused before any work (429, 503 with `Retry-After`), and what never reached
it, is always safe to send again. After a connection that broke only what has no effect beside its
answer is, or what has an idempotency key.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

from .calls import Call
from .errors import ApiError, ClientError, ConnectionFailed, StreamBroken, api_error

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_RIGHT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_KEY = "Idempotency-Key"
_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Retries:
    """Bounds of what is tried again.

    Attributes:
        most: Times that a request is sent again; of a stream, without anything new in between.
            0: never.
        first_pause_s: Before the first of them; each later one is twice as long, with jitter.
        longest_pause_s: The longest pause. What the server asks for by `Retry-After` is kept, but
            longer than `longest_wait_s` nobody waits: then its error is raised.
        longest_wait_s: As above.
    """

    most: int = 4
    first_pause_s: float = 0.25
    longest_pause_s: float = 8.0
    longest_wait_s: float = 60.0

    def pause_s(self, num_failures: int) -> float:
        """How long to wait after so many failures in a row."""
        grown_s = self.first_pause_s * 2.0 ** min(num_failures - 1, _MOST_DOUBLINGS)
        # With jitter: clients that failed together should not come back together.
        return min(self.longest_pause_s, grown_s) * random.uniform(0.5, 1)


class Attempts:
    """How often one call was tried, and what comes next; neither sends nor sleeps.

    Each method that is told of a failure gives how long to wait before the call is sent again, or
    raises what is final.

    Attributes:
        call: What is sent.
        are_many: Whether this is not the first time.
    """

    def __init__(self, call: Call, retries: Retries) -> None:
        self.call = call
        self.are_many = False
        self._retries = retries
        self._num_failures = 0

    def made_progress(self) -> None:
        """Something new came: failures from now on are other ones."""
        self._num_failures = 0

    def after_failure(self, error: httpx.TransportError) -> float:
        """No answer came.

        Raises:
            ConnectionFailed: It is not sent again.
        """
        is_safe = isinstance(error, _NEVER_SENT) or self.call.is_repeatable
        if isinstance(error, _NEVER_RIGHT):
            is_safe = False  # it would fail again
        if isinstance(error, httpx.ReadTimeout) and not self.call.is_stream:
            is_safe = False  # it was waited for long enough
        return self._again(no_answer(self.call, error), is_safe=is_safe, cause=error)

    def after_refusal(self, response: httpx.Response) -> float:
        """An error came; its body has been read.

        Raises:
            ApiError: It is not sent again.
        """
        error = api_error(response.status_code, response.content, response.headers)
        if self._is_about_our_key(error):
            self.call = self.call.without_key()
            return 0.0
        is_refused = error.status == 429 or (
            error.status == 503 and error.retry_after_s is not None
        )
        return self._again(error, is_safe=is_refused)

    def after_break(self, cause: Exception | None) -> float:
        """A stream ended before its last event.

        Raises:
            StreamBroken: It cannot go on.
            ApiError: The server has ended it, and said why.
        """
        if isinstance(cause, ApiError):
            return self._again(cause, is_safe=self.call.is_repeatable)
        why = "it was cut off" if cause is None else _reason(cause)
        return self._again(
            StreamBroken(f"{self.call}: {why}"), is_safe=self.call.is_repeatable, cause=cause
        )

    def _again(self, error: ClientError, *, is_safe: bool, cause: Exception | None = None) -> float:
        self._num_failures += 1
        wait_s = error.retry_after_s if isinstance(error, ApiError) else None
        waits_too_long = wait_s is not None and wait_s > self._retries.longest_wait_s
        if not is_safe or waits_too_long or self._num_failures > self._retries.most:
            error.was_repeated = self.are_many
            raise error from cause
        self.are_many = True
        return self._retries.pause_s(self._num_failures) if wait_s is None else wait_s

    def _is_about_our_key(self, error: ApiError) -> bool:
        """Whether a server that keeps no texts refuses a key that nobody but this client made."""
        is_ours = self.call.has_own_key and error.param == _KEY
        return is_ours and error.code == "invalid_request"


def no_answer(call: Call, error: httpx.TransportError) -> ConnectionFailed:
    """What is told of it."""
    return ConnectionFailed(f"{call}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
