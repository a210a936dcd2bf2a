"""What the log has been told of a store: each thing once, until it changes."""

from __future__ import annotations

import logging
from pathlib import Path

from service.artifacts.snapshot import Snapshot

_log = logging.getLogger(__name__)


class Told:
    """Remembers from one look at the store to the next what has been said.

    A reload finds the same bad version again and again; it is news when its files have changed, or
    when it was gone in between.
    """

    def __init__(self) -> None:
        self._before: frozenset[tuple[str, Snapshot]] = frozenset()
        self._now: set[tuple[str, Snapshot]] = set()
        self._seen: Snapshot = frozenset()

    def begin(self, seen: Snapshot) -> None:
        """Another look at the store; what is not said again until the next one is forgotten.

        Args:
            seen: What it looks like.
        """
        self._before, self._now, self._seen = frozenset(self._now), set(), seen

    def error(self, text: str, folder: Path) -> bool:
        """Log an error about the files of `folder`; returns whether it was news."""
        return self._say(logging.ERROR, text, folder)

    def warning(self, text: str, folder: Path) -> bool:
        """Log a warning about the files of `folder`; returns whether it was news."""
        return self._say(logging.WARNING, text, folder)

    def _say(self, level: int, text: str, folder: Path) -> bool:
        files = frozenset(each for each in self._seen if Path(each[0]).is_relative_to(folder))
        is_news = (text, files) not in self._before | self._now
        self._now.add((text, files))
        if is_news:
            _log.log(level, "%s", text)
        return is_news
