"""A session: the past of a text as one row, with a name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from service.rows.row import Row


@dataclass(frozen=True, slots=True)
class Session:
    """A text that can be continued; a value, replaced as a whole by every turn.

    Attributes:
        id: Unguessable: who knows it may use it.
        owner: Whose it is.
        model: `name@version` that its state belongs to.
        row: State, next logits and counts after the last committed token; None before the first.
        seed: What turns draw with unless they bring their own seed.
        version: Number of committed turns.
        created_s: Unix time.
        used_s: Unix time of the last commit.
    """

    id: str
    owner: str
    model: str
    row: Row | None
    seed: int
    version: int
    created_s: float
    used_s: float

    @property
    def num_tokens(self) -> int:
        """Length of the text in tokens."""
        return self.row.num_tokens if self.row else 0

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.row.num_bytes if self.row else 0


def new_session_id() -> str:
    """128 random bits, as text that is safe in a path."""
    return "s_" + secrets.token_urlsafe(16)
