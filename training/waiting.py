"""What a person sees while the text is worked on and there are no steps to look at yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.text import Text

_LINE_INTERVAL_S = 3.0
"""Into a file or a pipe; less than the 5 s after which people begin to wonder."""
_FIRST_LINE_S = 1.0
"""Sooner, for the work before may have ended just before its next line."""
_REDRAW_INTERVAL_S = 0.5
Unit = Literal["characters", "bytes"]


class Work:
    """How far one piece of work is.

    Args:
        what: In words.
        total: How much there is to go through; None: nobody knows how far it is.
        unit: Of what.
    """

    def __init__(self, what: str, total: int | None = None, unit: Unit = "characters") -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._done = 0
        self._since_s = time.monotonic()

    def over(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts, counted as they are taken."""
        for text in texts:
            yield text
            self.add(len(text))

    def add(self, amount: int) -> None:
        """So much more is done."""
        self._done += amount

    def __str__(self) -> str:
        """What is done, how far it is, and since when."""
        took = f"{time.monotonic() - self._since_s:.0f} s"
        if self._total:
            share = min(self._done / self._total, 1.0)
            return f"{self._what}: {share:.0%} of {self._total:,} {self._unit}, {took}"
        if self._done:
            return f"{self._what}: {self._done:,} {self._unit}, {took}"
        return f"{self._what}: {took}"


class Waiting:
    """Shows work: a line that changes in a terminal; in a file or pipe one after 1 s, then every 3.

    Args:
        console: Where; None: nowhere.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """A line of its own, as it is."""
        if self._console is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def during(
        self, what: str, total: int | None = None, unit: Unit = "characters"
    ) -> Iterator[Work]:
        """Show how far the work is, until the block is left."""
        work = Work(what, total, unit)
        if self._console is None:
            yield work
            return
        is_over = threading.Event()
        # A thread: the libraries that do the work do not call back.
        shows = threading.Thread(target=self._show, args=(work, is_over), daemon=True)
        shows.start()
        try:
            yield work
        finally:
            is_over.set()
            shows.join()

    def _show(self, work: Work, is_over: threading.Event) -> None:
        assert self._console is not None
        if not self._console.is_terminal:
            pause_s = min(_FIRST_LINE_S, _LINE_INTERVAL_S)
            while not is_over.wait(pause_s):
                self.say(str(work))
                pause_s = _LINE_INTERVAL_S
        # Work that is done at once leaves no flicker.
        elif not is_over.wait(_REDRAW_INTERVAL_S):
            with self._console.status(Text(str(work))) as status:
                while not is_over.wait(_REDRAW_INTERVAL_S):
                    status.update(Text(str(work)))


SILENT = Waiting()
"""Shows nothing."""
