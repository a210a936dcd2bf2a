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
        read: Ids of the tokens that were read, of `pack_ids`; likewise.
        written: Of those that were written; likewise.
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
    read: bytes | None = None
    written: bytes | None = None

    @property
    def num_tokens(self) -> int:
        """Of both."""
        return self.num_read + self.num_written

    @property
    def num_bytes(self) -> int:
        """Of its texts."""
        texts = (self.prompt, self.text, self.options, self.usage)
        ids = len(self.read or b"") + len(self.written or b"")
        return sum(len(text.encode()) for text in texts if text) + ids


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

    @property
    def start(self) -> int:
        """Length of the session's text before it."""
        return self.num_tokens - self.record.num_tokens


@dataclass(frozen=True, slots=True)
class Past:
    """How to get to an earlier place of a session: from a row before it, along turns.

    Attributes:
        row: The last one that is kept of a place that is not after it; None: the start.
        num_tokens: Where that is.
        turns: Those that go on after `num_tokens` and begin before the place, the oldest first.
        places: All places of which rows are kept, without the start, the first one first.
    """

    row: bytes | None
    num_tokens: int
    turns: list[KeptTurn]
    places: list[int]


@dataclass(frozen=True, slots=True)
class Back:
    """An earlier place of a session, to go on from; what came after it is forgotten there.

    Attributes:
        position: Length of the text there, in tokens.
        since: Its tokens from here on are forgotten. Before the position if that is inside of a
            token, a part of which stays as tokens of its own.
        row: The row there; None: the start.
        cut: What is left of the turn that the place is inside of, if it is inside of one.
    """

    position: int
    since: int
    row: KeptRow | None
    cut: TurnRecord | None


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
