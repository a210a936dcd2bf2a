"""What both kinds of session objects share: their calls, and the version that they are at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from . import calls
from .calls import Call
from .errors import ApiError, SessionChanged
from .parsing import parsed
from .values import SessionInfo

_LONG_CHARACTERS = 200_000
"""A longer text is sent as it is, and read while it comes: a body of JSON has a bound."""


class SessionState:
    """A session, as far as is known.

    Attributes:
        info: What the server told of it last.
        version: At which it is; None: not known, after a request of which nobody knows whether it
            had an effect.
    """

    def __init__(self, info: SessionInfo) -> None:
        self.info = info
        self.version: int | None = info.version

    def turn(
        self, prompt: str, options: Mapping[str, Any], key: str | None, *, is_stream: bool = False
    ) -> Call:
        """Read and write."""
        body = {"session": self.info.id, "prompt": prompt, **options}
        return calls.turn("/generate", body, is_stream=is_stream, key=key)

    def again(
        self, options: Mapping[str, Any], key: str | None, *, is_stream: bool = False
    ) -> Call:
        """Write the last turn again."""
        path = calls.of_session(self.info.id, "/regenerate")
        return calls.turn(path, options, is_stream=is_stream, key=key)

    def append(self, text: str, logprobs: int | None, key: str | None) -> Call:
        """Read a text."""
        path = calls.of_session(self.info.id, "/append")
        if len(text) > _LONG_CHARACTERS and logprobs is None and key is None:
            return Call("POST", path, text=text.encode())
        return calls.turn(path, {"text": text, "logprobs": logprobs}, key=key)

    def rewind(self, to: int | None, turn: int | None, characters: int | None) -> Call:
        """Go back to a place."""
        body = {"to": to, "turn": turn, "characters": characters}
        return calls.post(calls.of_session(self.info.id, "/rewind"), body)

    def fork(self, n: int, seed: int | None, at: int | Mapping[str, int] | None) -> Call:
        """Copy it."""
        body = {"n": n, "seed": seed, "at": at}
        return calls.post(calls.of_session(self.info.id, "/fork"), body)

    def log(self, after: int | None) -> Call:
        """A page of its turns."""
        return calls.get(calls.of_session(self.info.id, "/log"), after=after)

    def diff(self, other: str) -> Call:
        """Where it and another one part."""
        return calls.get(calls.of_session(self.info.id, "/diff"), **{"with": other})

    def capsule(self) -> Call:
        """Its past."""
        return calls.get(calls.of_session(self.info.id, "/capsule"))

    def look(self) -> Call:
        """What it is now."""
        return calls.get(calls.of_session(self.info.id))

    def delete(self) -> Call:
        """End it; once it is over, that is so."""
        return Call("DELETE", calls.of_session(self.info.id), is_repeatable=True)

    def checked(self, call: Call) -> Call:
        """A call for the session as it is known to be; nobody else may have had a turn."""
        return call if self.version is None else call.of_version(self.version)

    def told(self, response: httpx.Response) -> None:
        """What it is, as an answer says."""
        self.learned(parsed(SessionInfo, response.content))

    def learned(self, info: SessionInfo) -> None:
        """What it is now."""
        self.info, self.version = info, info.version

    def ended(self, error: BaseException | None) -> None:
        """A turn has ended: well, or with an error after which it may or may not be as it was."""
        if error is None:
            self.version = None if self.version is None else self.version + 1
        elif not isinstance(error, ApiError) or (
            error.was_repeated and not isinstance(error, SessionChanged)
        ):
            self.version = None
