"""Memory of the bodies that are here: bounded for all of them, and shared by their clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.engine.errors import Overloaded

_SHORT_BYTES = 16 << 10
_RETRY_AFTER_S = 2.0


class BodyMemory:
    """Room for long bodies.

    Short ones are always let in and do not count, so that nobody's are refused for the long ones
    of others, and no long ones for them: together they take connections times 16 KB at most. A
    long one is let in as long as there is room, and as long as its client's other ones take no
    more than what is left free: one client has about half of the room, the next one half of the
    rest.

    Args:
        max_bytes: Most that long bodies may take.

    Attributes:
        num_bytes: What they take.
    """

    def __init__(self, max_bytes: int) -> None:
        self.num_bytes = 0
        self._max_bytes = max_bytes
        self._by_client: dict[str, int] = {}

    @contextmanager
    def holding(self, client: str) -> Iterator[Held]:
        """Account for one request's body, until the block ends."""
        held = Held(self, client)
        try:
            yield held
        finally:
            held.become(0)

    def grow(self, num_bytes: int, client: str) -> None:
        """A client's long bodies take so many more bytes."""
        self.num_bytes += num_bytes
        of_client = self._by_client.get(client, 0) + num_bytes
        if of_client:
            self._by_client[client] = of_client
        else:
            self._by_client.pop(client, None)

    def require_room(self, held: Held) -> None:
        """Refuse a long body for which there is no room.

        Raises:
            Overloaded: There is none, or its client has had its share.
        """
        if held.num_long_bytes == 0:
            return
        if self.num_bytes > self._max_bytes:
            raise Overloaded(f"{self.num_bytes} bytes of requests are here already", _RETRY_AFTER_S)
        others = self._by_client[held.client] - held.num_long_bytes
        if others > self._max_bytes - self.num_bytes:
            raise Overloaded(
                f"{others} bytes of this client's other requests are here already", _RETRY_AFTER_S
            )


class Held:
    """What one request's body takes.

    Attributes:
        client: Whose it is.
        num_bytes: What it takes.
        num_long_bytes: The same if it is long; a short one does not count.
    """

    def __init__(self, memory: BodyMemory, client: str) -> None:
        self.client = client
        self.num_bytes = self.num_long_bytes = 0
        self._memory = memory

    def become(self, num_bytes: int) -> None:
        """It takes so many bytes now."""
        self.num_bytes = num_bytes
        num_long_bytes = num_bytes if num_bytes > _SHORT_BYTES else 0
        if num_long_bytes != self.num_long_bytes:
            self._memory.grow(num_long_bytes - self.num_long_bytes, self.client)
            self.num_long_bytes = num_long_bytes

    def require_room(self) -> None:
        """Raise Overloaded if there is no room for what it takes."""
        self._memory.require_room(self)
