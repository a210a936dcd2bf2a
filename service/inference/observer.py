"""What is told of every text that is over: numbers, to whoever counts, measures or traces."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from service.engine.observer import Timings
from service.engine.request import Request
from service.inference.usage import Usage
from service.runtime.sampling import Sampling


@dataclass(frozen=True, slots=True)
class TextStats:
    """A text that is over, without any of its words.

    Times are in seconds of `time.monotonic`.

    Attributes:
        id: Of the text.
        model: `name@version`.
        outcome: Its finish reason; `failed`, or `left` if its reader did.
        asked_s: When it was asked for.
        timings: When the engine did what.
        first_s: When the first event was handed on; None if there was none.
        ended_s: When it was over.
        usage: What it took.
        max_tokens: How many tokens it might have had.
        sampling: How they were drawn.
    """

    id: str
    model: str
    outcome: str
    asked_s: float
    timings: Timings
    first_s: float | None
    ended_s: float
    usage: Usage
    max_tokens: int
    sampling: Sampling

    @property
    def first_event_s(self) -> float | None:
        """From asking to the first event."""
        return None if self.first_s is None else self.first_s - self.asked_s

    @property
    def duration_s(self) -> float:
        """From asking to the end."""
        return self.ended_s - self.asked_s


class TextObserver(Protocol):
    """Hears of texts, on the event loop: it must be quick, and must not fail."""

    def text(self, stats: TextStats) -> None:
        """A text is over, however it ended."""


class Witness:
    """Sees one text from its asking to its end.

    Args:
        observer: Who is told in the end; None: nobody.
    """

    def __init__(self, observer: TextObserver | None) -> None:
        self._observer = observer
        self._asked_s = time.monotonic()
        self._first_s: float | None = None
        self._has_told = False

    def delta(self) -> None:
        """An event is handed on."""
        if self._first_s is None:
            self._first_s = time.monotonic()

    def ended(
        self,
        text_id: str,
        model: str,
        outcome: str,
        timings: Timings,
        usage: Usage,
        request: Request,
    ) -> None:
        """The text is over; only the first word of it counts."""
        if self._has_told or self._observer is None:
            return
        self._has_told = True
        now_s = time.monotonic()
        if timings.ended_s is None:  # the engine hears of it later
            timings = replace(timings, ended_s=now_s)
        self._observer.text(
            TextStats(
                id=text_id,
                model=model,
                outcome=outcome,
                asked_s=self._asked_s,
                timings=timings,
                first_s=self._first_s,
                ended_s=now_s,
                usage=usage,
                max_tokens=request.max_tokens,
                sampling=request.sampling,
            )
        )
