"""Requests as values: what is asked of the server, before anything is sent."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

_SEED_BITS = 53  # survives readers of JSON that know doubles only
_UNRECORDED = ("return_capsule", "receipt", "logprobs", "choice_probabilities")
"""Fields with which the server takes no idempotency key."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        method: Of HTTP.
        path: Of the route.
        body: As JSON; None: without one.
        text: A body of plain text, in its place.
        params: Of the query.
        headers: Beside those that every request has.
        is_repeatable: Whether it may have reached the server, and be sent again all the same.
        is_stream: Whether it is answered with events.
        has_own_key: Whether its idempotency key was made here.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    text: bytes | None = None
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = False
    is_stream: bool = False
    has_own_key: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def after(self, event_id: str) -> Call:
        """The same, to go on after an event."""
        return replace(self, headers={**self.headers, "Last-Event-ID": event_id})

    def without_key(self) -> Call:
        """The same, which from now on is not safe to send twice."""
        headers = {k: v for k, v in self.headers.items() if k != "Idempotency-Key"}
        return replace(self, headers=headers, is_repeatable=False, has_own_key=False)

    def of_version(self, version: int) -> Call:
        """The same, for a session of that version only."""
        return replace(self, headers={**self.headers, "If-Match": f'"{version}"'})


def get(path: str, **params: str | int | float | None) -> Call:
    """A question, which changes nothing."""
    given = {name: value for name, value in params.items() if value is not None}
    return Call("GET", path, params=given, is_repeatable=True)


def post(path: str, body: Mapping[str, Any]) -> Call:
    """Something that has an effect."""
    return Call("POST", path, body=_given(body))


def question(path: str, body: Mapping[str, Any]) -> Call:
    """The same of something that changes nothing."""
    return replace(post(path, body), is_repeatable=True)


def text(prompt: str, options: Mapping[str, Any], *, is_stream: bool) -> Call:
    """A text that belongs to no session: with a seed, so that it is the same each time."""
    body = _given({"prompt": prompt, **options})
    if "seed" not in body and "capsule" not in body:  # a capsule has its own
        body["seed"] = secrets.randbits(_SEED_BITS)
    return _streamed(replace(post("/generate", body), is_repeatable=True), is_stream=is_stream)


def turn(
    path: str, body: Mapping[str, Any], *, is_stream: bool = False, key: str | None = None
) -> Call:
    """A turn of a session, with a key, so that it is not had twice.

    Args:
        path: Of the route.
        body: What is asked for.
        is_stream: Whether it is answered with events.
        key: Of whoever calls; without it one is made, where the server takes one.
    """
    call = _streamed(post(path, body), is_stream=is_stream)
    asked = (body.get(name) for name in _UNRECORDED)
    is_own = key is None and all(value is None or value is False for value in asked)
    if is_own:
        key = uuid.uuid4().hex
    if key is None:
        return call
    headers = {**call.headers, "Idempotency-Key": key}
    return replace(call, headers=headers, is_repeatable=True, has_own_key=is_own)


def of_session(session_id: str, rest: str = "") -> str:
    """The path of a session's route."""
    return f"/sessions/{quoted(session_id)}{rest}"


def quoted(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="@")


def _streamed(call: Call, *, is_stream: bool) -> Call:
    if not is_stream:
        return call
    body = {**(call.body or {}), "stream": True}
    return replace(call, body=body, headers={"Accept": "text/event-stream"}, is_stream=True)


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
