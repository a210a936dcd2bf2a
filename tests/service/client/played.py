"""Servers that are played by a function: each answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from service.client import Client, Retries

AT_ONCE = Retries(most=3, first_pause_s=0, longest_pause_s=0)
USAGE = {"prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 3, "unknown_tokens": 0}
END = {"finish_reason": "length", "id": "g_1", "model": "m@1", "session": None, "seed": 7}
ANSWER = {"text": "abc", "usage": USAGE, **END}
SESSION = {
    "id": "s_1", "model": "m@1", "version": 3, "num_tokens": 5, "num_bytes": 9, "seed": 1,
    "created_at": 1, "used_at": 2.5, "expires_at": 3,
}  # fmt: skip
Answer = httpx.Response | httpx.TransportError


class Played:
    """A server that answers as it is told, one after the other; `asked` is what came."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = iter(answers)
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next answer."""
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, retries: Retries = AT_ONCE, **more) -> Client:
        """Of this server; its pauses are noted and not made."""
        client = Client(transport=httpx.MockTransport(self), retries=retries, **more)
        client._sender.sleep = self.slept.append
        return client

    def header(self, name: str) -> list[str | None]:
        """Of each request."""
        return [request.headers.get(name) for request in self.asked]


def refusal(status: int, code: str, retry_after: str | None = None, param: str | None = None):
    """An error of the server's one shape."""
    headers = {"X-Request-Id": "r_9"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    error = {"code": code, "message": "no", "param": param}
    return httpx.Response(status, json={"error": error}, headers=headers)


class Broken(httpx.SyncByteStream):
    """Bytes of a stream, and then a connection that breaks, or just ends."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self._parts = parts
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        if self._error is not None:
            raise self._error


def events(*given: dict, error: Exception | None = None, ids: bool = True) -> httpx.Response:
    """A stream of events, numbered by the characters up to them."""
    num, parts = 0, []
    for event in given:
        num += len(event.get("text", ""))
        kind = "event: error\n" if "error" in event else f"id: {num}-x\n" if ids else ""
        parts.append(f": waiting\n\ndata: {json.dumps(event)}\n{kind}\n".encode())
    return httpx.Response(200, stream=Broken(*parts, error=error))


BROKE = httpx.RemoteProtocolError("server disconnected")
