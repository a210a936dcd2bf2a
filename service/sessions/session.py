"""A session: the past of a text as one row, with a name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Which session, and who asks for it.

    Attributes:
        owner: Who asks. A session that was made with an API key is there for that key only; one
            that was made without is there for everybody who knows its id.
        id: Of the session.
    """

    owner: str
    id: str


@dataclass(frozen=True, slots=True)
class Session:
    """A text that can be continued; a value, replaced as a whole by every turn.

    Attributes:
        id: Unguessable.
        owner: Whose it is.
        parent: Id of the session that it is a fork of.
        model: `name@version` that its row belongs to.
        seed: What turns draw with unless they bring their own seed.
        version: Number of committed turns.
        num_tokens: Length of the text in tokens.
        num_bytes: Of what is kept of it: its row, and the texts of its turns.
        created_s: Unix time.
        used_s: Unix time of the last commit.
    """

    id: str
    owner: str
    parent: str | None
    model: str
    seed: int
    version: int
    num_tokens: int
    num_bytes: int
    created_s: float
    used_s: float


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A session's row as it is kept.

    Attributes:
        content: Of `encode_row`.
        num_tokens: Length of the text in tokens.
    """

    content: bytes
    num_tokens: int


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """What a turn was.

    Attributes:
        generation: Its id, as answers and log lines have it.
        num_read: Tokens of its prompt.
        num_written: Tokens of its text.
        seed: What those were drawn with.
        options: How they were drawn, and stop strings: an object in JSON.
        finish_reason: Why it ended.
        usage: What its answer said that it took: an object in JSON.
        prompt: What was read; None if texts are not kept.
        text: What was written; likewise.
    """

    generation: str
    num_read: int
    num_written: int
    seed: int
    options: str
    finish_reason: str
    usage: str
    prompt: str | None
    text: str | None

    @property
    def num_bytes(self) -> int:
        """Of its texts."""
        texts = (self.prompt, self.text, self.options, self.usage)
        return sum(len(text.encode()) for text in texts if text)


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn that was committed.

    Attributes:
        version: Of the session after it; 0 for the prompt that it was created with.
        at_s: Unix time of the commit.
        num_tokens: Length of the session's text after it.
        record: What it was.
    """

    version: int
    at_s: float
    num_tokens: int
    record: TurnRecord


@dataclass(frozen=True, slots=True)
class Idempotency:
    """How a client names a turn, so that it can ask for it again without a second one.

    Attributes:
        key: Its own, of one session.
        digest: Of all that it asks for.
    """

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """A session that is reserved for one turn.

    Attributes:
        session: As it was when the turn began.
        row: What the turn goes on from; None before the first token.
        fence: Of this reservation. A later one has a higher number, and this one is void then.
        idempotency: Of the turn.
    """

    session: Session
    row: bytes | None
    fence: int
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A turn that was asked for again, and was committed the first time.

    Attributes:
        session: As it is now.
        record: Of the turn.
    """

    session: Session
    record: TurnRecord


def new_session_id() -> str:
    """128 random bits, as text that is safe in a path."""
    return "s_" + secrets.token_urlsafe(16)
