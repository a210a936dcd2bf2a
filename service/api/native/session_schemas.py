"""What the routes of sessions take and give."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from service.api.native.schemas import Body, Name, ReportUnknown, Seed, Text


class CreateSessionRequest(Body):
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


class ForkRequest(Body):
    """Copies of a session; all fields may be left out."""

    n: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many.")
    seed: Seed | None = Field(
        None,
        description="What the turns of the first copy draw with; the others have the seeds after "
        "it. By default each has one of its own, drawn at random.",
    )


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
