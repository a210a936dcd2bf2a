"""What the routes of sessions take and give."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from service.api.errors import field_error
from service.api.native.schemas import (
    Body,
    Capsule,
    Lenient,
    Name,
    ReportUnknown,
    Seed,
    Text,
    TokenLogprob,
)
from service.inference.session_work import Place

Position = Annotated[
    int, Field(ge=0, le=2**53, description="Length of the session's text there, in tokens.")
]


class CreateSessionRequest(Lenient):
    """A new session; all fields may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "ROMEO:\n", "seed": 7}]})

    prompt: Text = Field("", description="Text to read first.")
    model: Name | None = Field(
        None, description="`name` or `name@version`; the default model by default."
    )
    seed: Seed | None = Field(
        None, description="What its turns draw with; by default drawn at random."
    )
    report_unknown: ReportUnknown = False


class SessionResponse(Body):
    """A session; times are Unix seconds."""

    id: str
    parent: str | None = Field(None, description="The session that it is a fork of.")
    model: str
    version: int
    num_tokens: int
    num_bytes: int
    seed: int
    created_at: float
    used_at: float
    expires_at: float


class CreatedSession(SessionResponse):
    """A new session, and what of its prompt the model has never seen: as in `Usage`."""

    unknown_tokens: int
    unknown: tuple[str, ...] | None = None


class CapsuleResponse(Body):
    """The past of a session, sealed: base64url without padding."""

    capsule: str


class ImportRequest(Body):
    """A capsule that becomes a session."""

    capsule: Capsule = Field(description="As `GET /sessions/{session_id}/capsule` gave it.")


class RewindRequest(Lenient):
    """An earlier place of a session; one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "maxProperties": 1,
            "examples": [{"to": 120}, {"turn": 2}, {"characters": -15}],
        }
    )

    to: Position | None = None
    turn: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        None, description="After this turn: its `version` in the session's log."
    )
    characters: Annotated[int, Field(ge=-(2**53), le=-1)] | None = Field(
        None, description="So many characters before the end: -15 is before the last 15."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in ("to", "turn", "characters") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            raise field_error("to", f"say one of to, turn and characters; there is {found}")
        return self

    @property
    def place(self) -> Place:
        """What it means."""
        before_end = None if self.characters is None else -self.characters
        return Place(self.to, self.turn, before_end)


class ForkRequest(Lenient):
    """Copies of a session; all fields may be left out."""

    at: Position | RewindRequest | None = Field(
        None,
        description="Where the copies begin: a position, or a place as in `/rewind`; by default "
        "where the session is now.",
    )
    n: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many.")
    seed: Seed | None = Field(
        None,
        description="What the turns of the first copy draw with; the others have the seeds after "
        "it. By default each has one of its own, drawn at random.",
    )


class AppendRequest(Lenient):
    """A text to read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "O, what a day!\n"}]})

    text: Annotated[Text, StringConstraints(min_length=1)] = Field(description="What to read.")
    logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="Report each token's log-probability, and this many of the best."
    )


class Appended(Body):
    """What a session has read, and how probable it was to the model.

    Log-probabilities are natural, and of the model's own distribution: before temperature and
    penalties. The first token of a session's whole text has none.
    """

    session: SessionResponse
    generation: str = Field(description="Id of the turn; of the last one, if there were several.")
    num_turns: int
    num_tokens: int
    num_scored: int = Field(description="Tokens that have a log-probability.")
    num_characters: int
    unknown_tokens: int
    logprob: float = Field(description="The sum over all tokens.")
    logprob_per_token: float | None
    surprisal_bits: float = Field(description="The sum over all tokens of their surprisal.")
    bits_per_token: float | None
    bits_per_character: float | None
    logprobs: list[TokenLogprob] | None = None


class Branch(Body):
    """What a session has after the place where another one parts from it."""

    id: str
    turn: int | None = Field(description="In which that is; null if there is nothing more.")
    num_tokens: int = Field(description="Tokens after that place.")
    text: str = Field(description="What that turn holds after it: the first 1,000 characters.")


class Diff(Body):
    """Where two sessions part."""

    position: int = Field(description="Length of what they share, in tokens.")
    branches: list[Branch]


class DiffQuery(Body):
    """With which session to compare."""

    model_config = ConfigDict(strict=False)  # a query is text

    other: Name = Field(alias="with", description="Id of the other session.")


class Forks(Body):
    """New sessions."""

    sessions: list[SessionResponse]


class TurnResponse(Body):
    """A turn of a session that was committed."""

    version: int = Field(description="Of the session after it; 0: what it was created with.")
    at: float
    generation: str
    num_tokens: int = Field(description="Length of the session's text after it.")
    num_read: int
    num_written: int
    seed: int
    options: dict[str, Any]
    finish_reason: str
    prompt: str | None
    text: str | None


class TurnPage(Body):
    """Which turns to list."""

    model_config = ConfigDict(strict=False)  # a query is text

    limit: Annotated[int, Field(ge=1, le=100)] = Field(100, description="At most so many.")
    after: Annotated[int, Field(ge=-1, le=2**53)] = Field(
        -1, description="Go on from a page: its `next`."
    )


class TurnList(Body):
    """Turns of a session, the oldest first."""

    turns: list[TurnResponse]
    next: int | None = Field(None, description="`after` of the next page; null on the last one.")


class SessionPage(Body):
    """Which sessions to list."""

    model_config = ConfigDict(strict=False)  # a query is text

    limit: Annotated[int, Field(ge=1, le=100)] = Field(100, description="At most so many.")
    after: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        None, description="Go on from a page: its `next`."
    )


class SessionList(Body):
    """Live sessions of one owner, the newest first."""

    sessions: list[SessionResponse]
    next: str | None = Field(None, description="`after` of the next page; null on the last one.")
