"""The request that is being answered: its id in every line of the log, and where its time went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from structlog.contextvars import bind_contextvars, reset_contextvars

from service.inference.observer import TextObserver, TextStats

_TEXTS: ContextVar[list[TextStats] | None] = ContextVar("texts", default=None)


@contextmanager
def request_context(request_id: str) -> Iterator[Sequence[TextStats]]:
    """For as long as a request is answered; gives its texts, as they end."""
    texts: list[TextStats] = []
    token = _TEXTS.set(texts)
    try:
        # Not `bound_contextvars`: it looks through all variables first, for each request.
        bound = bind_contextvars(request=request_id)
        try:
            yield texts
        finally:
            reset_contextvars(**bound)
    finally:
        _TEXTS.reset(token)


class Tracer(Protocol):
    """Makes traces of requests."""

    def request(
        self,
        headers: Mapping[str, str],
        method: str,
        route: str,
        status: int,
        started_s: float,
        texts: Sequence[TextStats],
    ) -> None:
        """A request is over, now.

        Args:
            headers: Of the request: the trace that it belongs to is in `traceparent`.
            method: Of HTTP.
            route: The pattern that has matched it.
            status: Of the answer; 0: there was none.
            started_s: When it came, in seconds of `time.monotonic`.
            texts: Those that it has had.
        """

    def close(self) -> None:
        """Send what has not been sent, and end."""


class TextsOfRequest:
    """Remembers for each request what its texts were, and tells somebody else.

    Args:
        others: Who else hears of texts.
    """

    def __init__(self, *others: TextObserver) -> None:
        self._others = others

    def text(self, stats: TextStats) -> None:
        """A text is over."""
        if (texts := _TEXTS.get()) is not None:
            texts.append(stats)
        for other in self._others:
            other.text(stats)


def time_spent(texts: Sequence[TextStats]) -> dict[str, float]:
    """Where the time of a request's texts went, in seconds; of several, the longest of each.

    `queue_s`: waiting for a row. `read_s`: from the row to the first tokens. `first_event_s`: from
    the request for the text to its first event, both of these included. `write_s`: from the first
    tokens to the end. What has not happened is left out.
    """
    parts: dict[str, float] = {}
    for text in texts:
        timings = text.timings
        for name, time_s in (
            ("queue_s", timings.queue_s),
            ("read_s", timings.read_s),
            ("first_event_s", text.first_event_s),
            ("write_s", timings.write_s),
        ):
            if time_s is not None:
                parts[name] = max(parts.get(name, 0.0), round(time_s, 4))
    return parts
