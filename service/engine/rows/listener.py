"""Who hears what happens to requests."""

from __future__ import annotations

from typing import Protocol

from service.engine.request import Chunk, Failed, Finished


class Listener(Protocol):
    """Who hears what happens to requests."""

    def started(self, request_id: int) -> None:
        """A request has got a slot."""

    def wrote(self, request_id: int, chunk: Chunk) -> None:
        """A request has written tokens."""

    def ended(self, request_id: int, event: Finished | Failed) -> None:
        """A request is over; whoever hears it calls `Rows.remove`."""

    def lanes_have_work(self) -> None:
        """Another lane than the one whose turn it is has something to do."""
