"""Single flight: of equal prompts that are there at the same time, one is read."""

from __future__ import annotations

from collections.abc import Hashable


class Flights:
    """Who reads which prompt, and who waits for that. Keys and request ids only."""

    def __init__(self) -> None:
        # By key: the one that reads, and then those that follow it.
        self._members: dict[Hashable, list[int]] = {}
        self._keys: dict[int, Hashable] = {}

    def join(self, key: Hashable, request_id: int) -> bool:
        """Take part in reading `key`; returns whether the request must read it itself."""
        members = self._members.setdefault(key, [])
        members.append(request_id)
        self._keys[request_id] = key
        return len(members) == 1

    def follows(self, request_id: int) -> bool:
        """Whether it waits for another one."""
        key = self._keys.get(request_id)
        return key is not None and self._members[key][0] != request_id

    def land(self, request_id: int) -> list[int]:
        """The one that reads is done: the flight is over. Returns those who have followed it."""
        members = self._members.pop(self._keys[request_id]) if request_id in self._keys else []
        for member in members:
            del self._keys[member]
        return members[1:]

    def leave(self, request_id: int) -> int | None:
        """A request leaves before the end; returns who has to read on now, if that is somebody."""
        key = self._keys.pop(request_id, None)
        if key is None:
            return None
        members = self._members[key]
        has_led = members[0] == request_id
        members.remove(request_id)
        if not members:
            del self._members[key]
        return members[0] if has_led and members else None
