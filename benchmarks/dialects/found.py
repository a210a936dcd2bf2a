"""What the crowd has seen."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Any

_MOST_EXAMPLES = 10


@dataclass
class Found:
    """Counts, and examples of what should not be.

    Attributes:
        outcomes: By dialect and outcome.
        outside: Errors that were not as their dialect has them, or had no `X-Request-Id`.
        differs: Texts, or beginnings of texts, that were not their references.
        lost: Turns that were told to be complete and were not there later.
        doubled: Turns that were there more than once.
        examples: Some of the last four.
        told: For each session that is looked at in the end, by its client's address and its id,
            how many turns were told to be complete.
    """

    outcomes: dict[str, collections.Counter[str]] = field(default_factory=dict)
    outside: int = 0
    differs: int = 0
    lost: int = 0
    doubled: int = 0
    examples: list[str] = field(default_factory=list)
    told: dict[tuple[str, str], int] = field(default_factory=dict)

    def count(self, dialect: str, outcome: str) -> None:
        """One more request has come to this."""
        self.outcomes.setdefault(dialect, collections.Counter())[outcome] += 1

    def note_error(self, dialect: str, body: bytes, *, has_shape: bool, has_id: bool) -> None:
        """An error; it should have both."""
        if not (has_shape and has_id):
            self.outside += 1
            self._keep(f"{dialect}: an error without its shape or an id: {body[:200]!r}")

    def note_difference(self, what: str) -> None:
        """A text is another one."""
        self.differs += 1
        self._keep(f"differs: {what[:400]}")

    def note_version(self, session: str, told: int, found: int) -> None:
        """A session has so many turns; as many as were told to be complete should be there."""
        self.lost += max(0, told - found)
        self.doubled += max(0, found - told)
        if told != found:
            self._keep(f"{session} has {found} turns, and {told} were told to be complete")

    def report(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {name: value for name, value in vars(self).items() if name != "told"}

    def _keep(self, example: str) -> None:
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(example)
