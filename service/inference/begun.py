"""Work that may be done before it has to wait for anything: then nobody needs to watch over it."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

_T = TypeVar("_T")


class Begun(Generic[_T]):
    """A coroutine that has been run up to the first thing that it has to wait for.

    Whoever bounds its time or looks after its client does that only if it `waits`: a timer, a task
    and a block that ends them cost more than most of what is done so. To be awaited in the task
    that has made it; as often as one likes once it is done.

    Args:
        work: The coroutine.

    Attributes:
        waits: Whether it is not done.

    Raises:
        Exception: What it has raised, before it had to wait.
    """

    def __init__(self, work: Coroutine[Any, Any, _T]) -> None:
        self._work = work
        self._result: _T | None = None
        self._waits_for: Any = None
        self.waits = False
        try:
            self._waits_for = work.send(None)
            self.waits = True
        except StopIteration as end:
            self._result = end.value

    def __await__(self) -> Generator[Any, Any, _T]:
        """The rest of it; returns what it returns."""
        try:
            while self.waits:
                try:
                    sent = yield self._waits_for
                except BaseException as error:  # noqa: BLE001 - it is the work's
                    self._waits_for = self._work.throw(error)
                else:
                    self._waits_for = self._work.send(sent)
        except StopIteration as end:
            self.waits, self._result = False, end.value
        return cast(_T, self._result)
