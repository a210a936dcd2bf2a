"""Bodies of requests: read whole before the application sees the request, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.body_memory import BodyMemory, Held
from service.api.errors import ClientGone, error_response
from service.api.identity import client_of
from service.api.media import is_plain_text, refuse_compressed
from service.engine.errors import Draining, Overloaded
from service.inference.begun import Begun
from service.inference.turnstile import Turnstile

_LONG_PART_BYTES = 16 << 10
_TELL_OF_BODY = {b"content-length", b"transfer-encoding", b"content-encoding"}
# What these take of the event loop, about: a request without a body, or one that is refused; a
# long part of a body, a request that has one, a byte of JSON, the end of a request whose client
# has left.
_LOOK_S = 0.0002
_LONG_PART_S = 0.0003
_REQUEST_S = 0.0005
_BYTE_S = 1e-8
_LEAVING_S = 0.0005


class Bodies:
    """All bodies that are here, from their first byte to the end of their requests.

    Args:
        max_bytes: Largest body.
        max_total_bytes: Most memory for all long ones: see `BodyMemory`.
        timeout_s: Time for one to come.
        turnstile: For every long part, and before the application sees a request.
    """

    def __init__(
        self, max_bytes: int, max_total_bytes: int, timeout_s: float, turnstile: Turnstile
    ) -> None:
        self._max_bytes = max_bytes
        self._memory = BodyMemory(max_total_bytes)
        self._timeout_s = timeout_s
        self._turnstile = turnstile
        self._looks = Turnstile()
        self._coming: set[asyncio.Timeout] = set()
        self._are_over = False

    @property
    def num_bytes(self) -> int:
        """What the long ones take."""
        return self._memory.num_bytes

    def holding(self, client: str) -> AbstractContextManager[Held]:
        """Account for one request's body, until the block ends."""
        return self._memory.holding(client)

    def end(self) -> None:
        """Wait for no more bytes: the server goes down."""
        self._are_over = True
        for timeout in self._coming:
            if not timeout.expired():  # then it ends by itself
                timeout.reschedule(asyncio.get_running_loop().time())

    async def read(self, scope: Scope, receive: Receive, held: Held) -> bytes:
        """The whole body of a request.

        Raises:
            HTTPException: It is too large (413), too slow (408), or compressed (415).
            Overloaded: There is no room for it.
            Draining: The server goes down before it has come.
            ClientGone: The client left.
        """
        headers = Headers(scope=scope)
        refuse_compressed(headers)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._max_bytes:
            raise self._too_large()
        coming: Begun[Message] = Begun(_of(receive))
        if coming.waits or (await coming).get("more_body", False):
            parts = await self._parts(coming, receive, held)
        else:  # most come with their heads
            parts = [self._part(await coming, held)]
        if held.num_bytes:
            await self.let_begin(held.client, held.num_bytes)
        else:  # there was none
            await self.admit(scope)
        return b"".join(parts)

    async def _parts(self, coming: Begun[Message], receive: Receive, held: Held) -> list[bytes]:
        """The parts of a body, from the one that is coming to the last."""
        async with self.in_time() as time_left:
            message = await coming
            parts = [self._part(message, held)]
            while message.get("more_body", False):
                await self.let_pass(parts[-1], time_left, held.client)
                message = await receive()
                parts.append(self._part(message, held))
            return parts

    def _part(self, message: Message, held: Held) -> bytes:
        part = part_of(message)
        held.become(held.num_bytes + len(part))
        if held.num_bytes > self._max_bytes:
            raise self._too_large()
        held.require_room()
        return part

    async def let_pass(self, part: bytes, time_left: asyncio.Timeout, client: str) -> None:
        """Wait for the turn of a part, if it is long; that is no time of the client's.

        In a line of their own: behind a crowd of the client's requests each part would wait for
        all of them.
        """
        if len(part) > _LONG_PART_BYTES:
            with self._stopped(time_left):
                await self._turnstile.enter(_LONG_PART_S, f"{client} uploads")

    async def let_begin(self, client: str, num_bytes: int = 0) -> None:
        """Wait for the turn of a request whose body is here, with so many bytes to be parsed."""
        await self._turnstile.enter(_REQUEST_S + num_bytes * _BYTE_S, client)

    async def admit(self, scope: Scope) -> None:
        """Wait for the turn of a request without a body, or of a refusal: crowds are work as well.

        They have a turnstile of their own: in turn with all texts that many clients ask for, a
        probe would be late.
        """
        await self._looks.enter(_LOOK_S, client_of(scope))

    async def let_leave(self, scope: Scope) -> None:
        """Wait for the turn of a client that has left: crowds do so in one moment."""
        await self._turnstile.enter(_LEAVING_S, f"{client_of(scope)} leaving")

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[asyncio.Timeout]:
        """Bound the time for what comes in the block.

        Raises:
            HTTPException: It did not come in time (408).
            Draining: The server goes down.
        """
        try:
            async with asyncio.timeout(0 if self._are_over else self._timeout_s) as timeout:
                self._coming.add(timeout)
                try:
                    yield timeout
                finally:
                    self._coming.discard(timeout)
        except TimeoutError as error:
            if self._are_over:
                raise Draining("the server is shutting down") from error
            raise HTTPException(408, "the body did not come in time") from error

    @contextmanager
    def _stopped(self, time_left: asyncio.Timeout) -> Iterator[None]:
        """Let a client's time stand still while the server lets it wait.

        Not while the server goes down: then there is no time left, and the wait is over as well.
        """
        due_s = None if self._are_over else time_left.when()
        if due_s is None:
            yield
            return
        loop = asyncio.get_running_loop()
        left_s = due_s - loop.time()
        time_left.reschedule(None)
        yield
        if not self._are_over:
            time_left.reschedule(loop.time() + left_s)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than {self._max_bytes} bytes")


class ReadBody:
    """Reads the body first: what goes wrong with it is answered here, in the one shape."""

    def __init__(self, app: ASGIApp, bodies: Bodies) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif is_plain_text(scope):  # which its route reads
            await self._bodies.admit(scope)
            await self._app(scope, self._giving([], scope, receive), send)
        elif _has_no_body(scope):
            await self._bodies.admit(scope)
            await self._app(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._bodies.holding(client_of(scope)) as held:
            try:
                body = await self._bodies.read(scope, receive, held)
            except (HTTPException, Overloaded, Draining, ClientGone) as error:
                held.become(0)  # nobody is refused for what is refused itself and waits to be told
                error.with_traceback(None)  # whose frames hold it
                if isinstance(error, ClientGone):
                    await self._bodies.let_leave(scope)
                else:
                    await self._bodies.admit(scope)
                await error_response(error, scope)(scope, receive, send)
                return
            await self._app(scope, self._giving([body], scope, receive), send)

    def _giving(self, parts: list[bytes], scope: Scope, receive: Receive) -> Receive:
        """A `receive` that gives what was read, and then whatever comes: the disconnect."""

        async def give() -> Message:
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": False}
            message = await receive()
            if message["type"] == "http.disconnect":
                await self._bodies.let_leave(scope)
            return message

        return give


def part_of(message: Message) -> bytes:
    """The bytes of a message.

    Raises:
        ClientGone: It says that the client has left.
    """
    if message["type"] == "http.disconnect":
        raise ClientGone("the client left before its request was complete")
    part: bytes = message.get("body", b"")
    return part


async def _of(receive: Receive) -> Message:
    return await receive()


def _has_no_body(scope: Scope) -> bool:
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    return not any(name in _TELL_OF_BODY for name, _ in scope["headers"])
