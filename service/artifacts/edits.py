"""Edits of a text that comes in parts: what is given of it is never taken back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol


class Edit(Protocol):
    """Changes a text that comes in parts.

    Attributes:
        whole: Whether nothing is held back.
    """

    whole: bool

    def feed(self, text: str) -> str:
        """What is certain now."""

    def finish(self) -> str:
        """What is held back."""


class Replacing:
    """The edit `str.replace(old, new)`."""

    def __init__(self, old: str, new: str) -> None:
        self.whole = True
        self._old = old
        self._new = new
        # What may be the beginning of `old`, and how much of that `new` begins with too: so much
        # is certain.
        self._held = ""
        self._num_given = 0

    def feed(self, text: str) -> str:
        """What is certain now."""
        if not self._held and self._old[0] not in text:
            return text
        *parts, last = (self._held + text).split(self._old)
        begun = min(len(self._old) - 1, len(last))
        while begun and not last.endswith(self._old[:begun]):
            begun -= 1
        decided = self._new.join([*parts, last[: len(last) - begun]])
        self._held = self._old[:begun]
        certain = _beginning(self._held, self._new)
        given = (decided + certain)[self._num_given :]
        self._num_given = len(certain)
        self.whole = certain == self._held
        return given

    def finish(self) -> str:
        """What is held back."""
        self.whole = True
        return self._held[self._num_given :]


class Stripping:
    """Takes `content` away from the beginning, `num` times at most."""

    whole = True

    def __init__(self, content: str, num: int) -> None:
        self._content = content
        self._num_left = num

    def feed(self, text: str) -> str:
        """What is certain now."""
        while self._num_left and text:
            if not text.startswith(self._content):
                self._num_left = 0
                break
            text = text[len(self._content) :]
            self._num_left -= 1
        return text

    def finish(self) -> str:
        """Nothing."""
        return ""


def read_edit(step: dict[str, Any]) -> Callable[[], Edit] | None:
    """What makes the edit that a decoder's step is; None if it needs the whole text at once."""
    match step:
        case {"type": "Replace", "pattern": {"String": str(old)}, "content": new} if old:
            return partial(Replacing, old, new)
        case {"type": "Strip", "content": content, "start": num, "stop": 0}:
            return partial(Stripping, content, num)
    return None


def _beginning(one: str, other: str) -> str:
    """The beginning that both have."""
    for n, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:n]
    return one[: len(other)]
