"""Server-sent events out of bytes, however these are cut.

After https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its kind, its data, and the id that a stream goes on after."""

    event: str
    data: str
    id: str


class EventParser:
    """Takes the bytes of one connection; what it ends with in mid-event is no event.

    Args:
        last_event_id: Of the connection before: an event without an id has it.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line = ""
        self._after_return = False
        self._event = ""
        self._data: list[str] = []
        self._id = last_event_id

    def feed(self, content: bytes) -> list[ServerEvent]:
        """The events that are complete now."""
        text = self._decoder.decode(content)
        if self._after_return and text:
            text = text.removeprefix("\n")  # of a line end that was cut in two
            self._after_return = False
        if not text:
            return []
        self._after_return = text.endswith("\r")
        # Not `splitlines`, which knows line ends that are none here.
        lines = (self._line + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line = lines.pop()
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> ServerEvent | None:
        data, event = self._data, self._event
        self._data, self._event = [], ""
        self.last_event_id = self._id
        if not data:
            return None
        return ServerEvent(event or "message", "\n".join(data), self._id)
