"""Sending calls over httpx, again where that is safe; and what both ways of it share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from .calls import Call
from .retrying import Attempts, Retries, no_answer
from .version import __version__


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and how it is spoken to.

    Attributes:
        url: Of the server; a path in it is put before every route.
        api_key: Sent as `Authorization: Bearer`.
        timeout_s: For whole answers.
        stream_timeout_s: Between two events or comments of a stream.
        connect_timeout_s: For a connection.
        headers: More of them, for every request.
    """

    url: str
    api_key: str | None
    timeout_s: float
    stream_timeout_s: float
    connect_timeout_s: float
    headers: dict[str, str]

    def of_client(self) -> dict[str, Any]:
        """Arguments of an httpx client."""
        headers = {"User-Agent": f"lstm-serve-client/{__version__}", **self.headers}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return {"base_url": self.url, "headers": headers}

    def of_request(self, call: Call) -> dict[str, Any]:
        """Arguments of an httpx request."""
        seconds = self.stream_timeout_s if call.is_stream else self.timeout_s
        arguments: dict[str, Any] = {
            "method": call.method,
            "url": call.path,
            "params": dict(call.params) or None,
            "headers": dict(call.headers),
            "timeout": httpx.Timeout(seconds, connect=self.connect_timeout_s),
        }
        if call.text is not None:
            arguments["content"] = call.text
            arguments["headers"]["Content-Type"] = "text/plain; charset=utf-8"
        elif call.body is not None:
            arguments["json"] = call.body
        return arguments


class Sender:
    """Sends calls, one after the other.

    Args:
        address: Where to.
        retries: What is tried again.
        http: Makes the requests.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        address: Address,
        retries: Retries,
        http: httpx.Client,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.retries = retries
        self.http = http
        self.sleep = sleep
        self._address = address

    def send(self, call: Call) -> httpx.Response:
        """The answer, read.

        Raises:
            ApiError: It is an error, and was one each time.
            ConnectionFailed: There is none.
        """
        attempts = Attempts(call, self.retries)
        while True:
            try:
                response = self._sent(attempts.call, stream=False)
            except httpx.TransportError as error:
                self.sleep(attempts.after_failure(error))
                continue
            if response.is_success or (attempts.are_many and is_gone(call, response)):
                return response
            self.sleep(attempts.after_refusal(response))

    def send_once(self, call: Call) -> httpx.Response:
        """The answer, read, whatever its status is.

        Raises:
            ConnectionFailed: There is none.
        """
        try:
            return self._sent(call, stream=False)
        except httpx.TransportError as error:
            raise no_answer(call, error) from error

    @contextmanager
    def opened(self, attempts: Attempts) -> Iterator[httpx.Response]:
        """The answer, which is a stream; closed in the end.

        Raises:
            ApiError: It is an error, and was one each time.
            ConnectionFailed: There is none.
        """
        while True:
            try:
                response = self._sent(attempts.call, stream=True)
                if not response.is_success:
                    response.read()
            except httpx.TransportError as error:
                self.sleep(attempts.after_failure(error))
                continue
            if response.is_success:
                break
            self.sleep(attempts.after_refusal(response))
        try:
            yield response
        finally:
            response.close()

    def _sent(self, call: Call, *, stream: bool) -> httpx.Response:
        request = self.http.build_request(**self._address.of_request(call))
        return self.http.send(request, stream=stream)


def is_gone(call: Call, response: httpx.Response) -> bool:
    """Whether what should be deleted was, by a request whose answer did not come."""
    return call.method == "DELETE" and response.status_code in (404, 410)
