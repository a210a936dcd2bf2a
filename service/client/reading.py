"""A text that comes in events, over one connection or several."""

from __future__ import annotations

from dataclasses import replace

from .errors import ApiError, StreamBroken, UnexpectedAnswer, api_error
from .parsing import json_of, parsed
from .sse import EventParser, ServerEvent
from .values import Event, Generation, TokenLogprob


class Reading:
    """What has come of a text; neither sends nor waits.

    Attributes:
        last: The last event, once it has come.
        error: With which the server has ended the stream in its place.
        last_event_id: What the stream goes on after; empty before the first event.
    """

    def __init__(self) -> None:
        self.last: Event | None = None
        self.error: ApiError | None = None
        self._parser = EventParser()
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._are_logprobs = False

    @property
    def last_event_id(self) -> str:
        """As above."""
        return self._parser.last_event_id

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come over this connection."""
        return self.last is not None or self.error is not None

    @property
    def text(self) -> str:
        """All that has come."""
        return "".join(self._texts)

    def reconnected(self) -> None:
        """What comes now is of another connection."""
        self.error = None
        self._parser = EventParser(self._parser.last_event_id)

    def feed(self, content: bytes) -> list[Event]:
        """The events that are complete now, up to the last one of the text.

        Raises:
            UnexpectedAnswer: These are no events of a text.
        """
        found = []
        for event in self._parser.feed(content):
            if self.has_ended:
                break
            if event.event == "error":
                self.error = api_error(200, event.data)
            else:
                found.append(self.take(_event_of(event)))
        return found

    def take(self, event: Event) -> Event:
        """One more event, wherever it comes from."""
        self._texts.append(event.text)
        if event.logprobs is not None:
            self._are_logprobs = True
            self._logprobs += event.logprobs
        if event.finish_reason is not None:
            self.last = event
        return event

    def answer(self) -> Generation:
        """The whole text.

        Raises:
            StreamBroken: It has not ended.
        """
        last = self.last
        if last is None or last.finish_reason is None:
            raise StreamBroken("the stream has not ended")
        if last.id is None or last.model is None or last.usage is None or last.seed is None:
            raise UnexpectedAnswer("the last event says too little")
        return Generation(
            id=last.id,
            model=last.model,
            session=last.session,
            text=self.text,
            finish_reason=last.finish_reason,
            seed=last.seed,
            usage=last.usage,
            logprobs=tuple(self._logprobs) if self._are_logprobs else None,
            capsule=last.capsule,
            receipt=last.receipt,
            choice_probabilities=last.choice_probabilities,
        )


def _event_of(event: ServerEvent) -> Event:
    return replace(parsed(Event, json_of(event.data)), event_id=event.id or None)
