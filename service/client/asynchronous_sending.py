"""Sending calls over httpx, with `await`; see `sending`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from .calls import Call
from .retrying import Attempts, Retries, no_answer
from .sending import Address, is_gone


class AsyncSender:
    """`Sender` with `await`."""

    def __init__(
        self,
        address: Address,
        retries: Retries,
        http: httpx.AsyncClient,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.retries = retries
        self.http = http
        self.sleep = sleep
        self._address = address

    async def send(self, call: Call) -> httpx.Response:
        """The answer, read.

        Raises:
            ApiError: It is an error, and was one each time.
            ConnectionFailed: There is none.
        """
        attempts = Attempts(call, self.retries)
        while True:
            try:
                response = await self._sent(attempts.call, stream=False)
            except httpx.TransportError as error:
                await self.sleep(attempts.after_failure(error))
                continue
            if response.is_success or (attempts.are_many and is_gone(call, response)):
                return response
            await self.sleep(attempts.after_refusal(response))

    async def send_once(self, call: Call) -> httpx.Response:
        """The answer, read, whatever its status is.

        Raises:
            ConnectionFailed: There is none.
        """
        try:
            return await self._sent(call, stream=False)
        except httpx.TransportError as error:
            raise no_answer(call, error) from error

    @asynccontextmanager
    async def opened(self, attempts: Attempts) -> AsyncIterator[httpx.Response]:
        """The answer, which is a stream; closed in the end.

        Raises:
            ApiError: It is an error, and was one each time.
            ConnectionFailed: There is none.
        """
        while True:
            try:
                response = await self._sent(attempts.call, stream=True)
                if not response.is_success:
                    await response.aread()
            except httpx.TransportError as error:
                await self.sleep(attempts.after_failure(error))
                continue
            if response.is_success:
                break
            await self.sleep(attempts.after_refusal(response))
        try:
            yield response
        finally:
            await response.aclose()

    async def _sent(self, call: Call, *, stream: bool) -> httpx.Response:
        request = self.http.build_request(**self._address.of_request(call))
        return await self.http.send(request, stream=stream)
