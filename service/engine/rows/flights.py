"""Single flight: of equal prompts that are there at the same time, one is read."""

from __future__ import annotations


class Flights:
    """Who reads which prompt, and who waits for that. Keys and request ids only."""

    def __init__(self) -> None:
        self._followers: dict[bytes, list[int]] = {}
        self._key_led: dict[int, bytes] = {}
        self._key_followed: dict[int, bytes] = {}

    def join(self, key: bytes, request_id: int) -> bool:
        """Take part in reading `key`; returns whether the request must read it itself."""
        if key in self._followers:
            self._followers[key].append(request_id)
            self._key_followed[request_id] = key
            return False
        self._followers[key] = []
        self._key_led[request_id] = key
        return True

    def leave(self, request_id: int) -> list[int]:
        """A request is done with reading, or gone; returns those who have waited for it."""
        if (key := self._key_followed.pop(request_id, None)) is not None:
            self._followers[key].remove(request_id)
            return []
        key = self._key_led.pop(request_id, None)
        followers = [] if key is None else self._followers.pop(key)
        for follower in followers:
            del self._key_followed[follower]
        return followers
