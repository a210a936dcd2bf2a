"""A session as an object, with `await`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Unpack

import httpx

from .asynchronous_streams import AsyncStream
from .calls import Call
from .parsing import json_of, parsed
from .sessions import SessionState
from .values import Appended, Diff, Generation, SessionInfo, Turn

if TYPE_CHECKING:
    from .asynchronous_sending import AsyncSender
    from .options import TurnKeywords, WritingKeywords


class AsyncSession:
    """`Session` with `await`; made by an `AsyncClient`."""

    def __init__(self, sender: AsyncSender, info: SessionInfo) -> None:
        self._sender = sender
        self._state = SessionState(info)

    @property
    def info(self) -> SessionInfo:
        """What the server told of it last."""
        return self._state.info

    @property
    def id(self) -> str:
        """Of the session; whoever knows it may use the session."""
        return self.info.id

    @property
    def version(self) -> int | None:
        """How many turns it had; None: to be asked for before the next one."""
        return self._state.version

    def __repr__(self) -> str:
        return f"<AsyncSession {self.id} of {self.info.model}, version {self.version}>"

    async def refresh(self) -> SessionInfo:
        """Ask what it is now.

        Raises:
            SessionNotFound, SessionGone: It is no more.
        """
        self._state.told(await self._sender.send(self._state.look()))
        return self.info

    async def generate(
        self,
        prompt: str = "",
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TurnKeywords],
    ) -> Generation:
        """A turn: read `prompt`, write, commit.

        Raises:
            ApiError: The session is what it was before.
            ConnectionFailed: Nobody knows whether the turn was had.
        """
        return parsed(
            Generation, await self._turn(self._state.turn(prompt, options, idempotency_key))
        )

    def stream(
        self,
        prompt: str = "",
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TurnKeywords],
    ) -> AsyncStream:
        """A turn, whose text comes while it is written."""
        return self._streamed(self._state.turn(prompt, options, idempotency_key, is_stream=True))

    async def regenerate(
        self, *, idempotency_key: str | None = None, **options: Unpack[WritingKeywords]
    ) -> Generation:
        """Write the last turn again, in its place; what is not said is as it was, but the seed."""
        return parsed(Generation, await self._turn(self._state.again(options, idempotency_key)))

    def stream_again(
        self, *, idempotency_key: str | None = None, **options: Unpack[WritingKeywords]
    ) -> AsyncStream:
        """The same, whose text comes while it is written."""
        return self._streamed(self._state.again(options, idempotency_key, is_stream=True))

    async def append(
        self, text: str, *, logprobs: int | None = None, idempotency_key: str | None = None
    ) -> Appended:
        """Read a text without writing, and tell how probable it was.

        More than 200,000 characters are read in several turns, if there are no `logprobs`.
        """
        content = await self._turn(self._state.append(text, logprobs, idempotency_key))
        appended = parsed(Appended, content)
        self._state.learned(appended.session)
        return appended

    async def rewind(
        self, *, to: int | None = None, turn: int | None = None, characters: int | None = None
    ) -> SessionInfo:
        """Go on from an earlier place; what came after it is forgotten.

        Args:
            to: Length of the text there, in tokens;
            turn: or after that turn;
            characters: or so many before the end, as -15.
        """
        content = await self._turn(self._state.rewind(to, turn, characters))
        self._state.learned(parsed(SessionInfo, content))
        return self.info

    async def fork(
        self,
        n: int = 1,
        *,
        seed: int | None = None,
        at: int | Mapping[str, int] | None = None,
    ) -> list[AsyncSession]:
        """Copies, which go on each in their own way.

        Args:
            n: How many.
            seed: Of the first one; the others have those after it.
            at: Where they begin: a position, or a place as `{"turn": 2}`; else where it is now.
        """
        found = json_of((await self._sender.send(self._state.fork(n, seed, at))).content)
        return [AsyncSession(self._sender, parsed(SessionInfo, each)) for each in found["sessions"]]

    async def log(self) -> AsyncIterator[Turn]:
        """Its turns, the oldest that is remembered first."""
        after: int | None = None
        while True:
            page = json_of((await self._sender.send(self._state.log(after))).content)
            for each in page["turns"]:
                yield parsed(Turn, each)
            after = page["next"]
            if after is None:
                return

    async def diff(self, other: AsyncSession | str) -> Diff:
        """Where its text and that of another session of the same model part."""
        name = other if isinstance(other, str) else other.id
        return parsed(Diff, (await self._sender.send(self._state.diff(name))).content)

    async def capsule(self) -> str:
        """Its past, sealed, to go on from elsewhere."""
        capsule: str = json_of((await self._sender.send(self._state.capsule())).content)["capsule"]
        return capsule

    async def delete(self) -> None:
        """End it."""
        await self._sender.send(self._state.delete())

    async def _turn(self, call: Call) -> bytes:
        return (await self._sent(call)).content

    async def _sent(self, call: Call) -> httpx.Response:
        await self._know_version()
        try:
            response = await self._sender.send(self._state.checked(call))
        except BaseException as error:
            self._state.ended(error)
            raise
        self._state.ended(None)
        return response

    def _streamed(self, call: Call) -> AsyncStream:
        async def ask() -> Call:
            await self._know_version()
            return self._state.checked(call)

        return AsyncStream(self._sender, ask, self._state.ended)

    async def _know_version(self) -> None:
        if self._state.version is None:
            await self.refresh()
