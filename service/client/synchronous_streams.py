"""A text that comes in events, as an iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

import httpx

from .calls import Call
from .errors import ShuttingDown
from .reading import Reading
from .retrying import Attempts
from .sending import Sender
from .values import Event, Generation


class Stream(Iterator[Event]):
    """Events of a text, as they come; if the connection breaks, it goes on where it was.

    Iterate over it, or use it as a context manager too, which closes the connection however the
    block ends: a text whose stream is closed is not written any further.

    Args:
        sender: Of the client.
        ask: Gives what is asked for, once the first event is.
        ended: Told how it ended: None after the last event; what was raised; or that it was closed.
    """

    def __init__(
        self,
        sender: Sender,
        ask: Callable[[], Call],
        ended: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        self._reading = Reading()
        self._ended = ended
        self._events = self._read(sender, ask)

    @property
    def text(self) -> str:
        """What has come of the text."""
        return self._reading.text

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the server stops the text, and a session is what it was before."""
        self._events.close()

    def answer(self) -> Generation:
        """The whole text; what has not come yet is waited for.

        Raises:
            ApiError, ConnectionFailed: As iterating does.
        """
        for _ in self._events:
            pass
        return self._reading.answer()

    def _read(self, sender: Sender, ask: Callable[[], Call]) -> Generator[Event, None, None]:
        attempts = Attempts(ask(), sender.retries)
        try:
            while self._reading.last is None:
                yield from self._read_connection(sender, attempts)
        except BaseException as error:
            self._tell(None if self._reading.last else error)
            raise
        self._tell(None)

    def _tell(self, error: BaseException | None) -> None:
        if self._ended is not None:
            self._ended(error)

    def _read_connection(self, sender: Sender, attempts: Attempts) -> Generator[Event, None, None]:
        """What comes over one connection; then a pause, if that was not all."""
        reading = self._reading
        if reading.last_event_id:
            attempts.call = attempts.call.after(reading.last_event_id)
        cause: Exception | None = None
        with sender.opened(attempts) as response:
            reading.reconnected()
            try:
                for content in response.iter_bytes():
                    for event in reading.feed(content):
                        attempts.made_progress()
                        yield event
                    if reading.has_ended:
                        break
            except httpx.TransportError as error:
                cause = error
        if reading.last is None:
            if reading.error is not None and not isinstance(reading.error, ShuttingDown):
                raise reading.error
            sender.sleep(attempts.after_break(reading.error or cause))
