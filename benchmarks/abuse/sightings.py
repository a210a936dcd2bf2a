"""What answers looked like: by status, in the one shape of errors or not, with an id or without."""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_EXAMPLES = 5


@dataclass
class Sightings:
    """What one side has seen of all answers.

    Attributes:
        by_status: How many; those that never came are "closed" or "timeout".
        outside: How many errors were not of the one shape, in bodies or in events.
        without_id: How many answers had no X-Request-Id.
        examples: Some of these two.
    """

    by_status: collections.Counter[str] = field(default_factory=collections.Counter)
    outside: int = 0
    without_id: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
        """An answer; its headers' names are in small letters.

        Args:
            status: Whatever is not 2xx has to be an error of the one shape.
            headers: Of the answer.
            body: All of it; None if there is none to look at, as in answers to HEAD.
        """
        self.by_status[str(status)] += 1
        if "x-request-id" not in headers:
            self.without_id += 1
            self._keep(f"{status} without an id: {(body or b'')[:100]!r}")
        if not 200 <= status < 300 and body is not None and not has_the_shape(body):
            self.outside += 1
            self._keep(f"{status} outside of the shape: {body[:100]!r}")

    def note_event(self, event: bytes) -> None:
        """The data of an `event: error`."""
        self.by_status["error event"] += 1
        if not has_the_shape(event, may_have_more=True):
            self.outside += 1
            self._keep(f"an event outside of the shape: {event[:100]!r}")

    def note_end(self, how: str) -> None:
        """An answer that never came, or not whole."""
        self.by_status[how] += 1

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add what another side has seen: its `vars`, perhaps by way of JSON."""
        self.by_status.update(other["by_status"])
        self.outside += other["outside"]
        self.without_id += other["without_id"]
        for example in other["examples"]:
            self._keep(example)

    def _keep(self, example: str) -> None:
        if len(self.examples) < _MOST_EXAMPLES and example not in self.examples:
            self.examples.append(example)


def has_the_shape(body: bytes, *, may_have_more: bool = False) -> bool:
    """Is it `{"error": {"code", "message", "param"}}`? Events and health have more beside that."""
    try:
        content = json.loads(body)
    except ValueError:
        return False
    if not isinstance(content, dict):
        return False
    may_have_more = may_have_more or "models" in content
    if set(content) != {"error"} and not may_have_more:
        return False
    error = content.get("error")
    return (
        isinstance(error, dict)
        and set(error) == {"code", "message", "param"}
        and isinstance(error["code"], str)
        and isinstance(error["message"], str)
        and isinstance(error["param"], str | None)
    )
