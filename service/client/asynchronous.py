"""The client, with `await`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from . import calls, clients, inside
from .asynchronous_sending import AsyncSender
from .asynchronous_sessions import AsyncSession
from .asynchronous_streams import AsyncStream
from .inside import Inspection, ReactingUnits
from .parsing import json_of, parsed
from .reports import Capacity, Reload
from .retrying import Retries
from .sending import Address
from .values import Generation, Health, Models, SessionInfo, Several

if TYPE_CHECKING:
    from .options import TextKeywords


class AsyncClient:
    """`Client` with `await`; its arguments are the same, but for an asynchronous `transport`."""

    def __init__(
        self,
        url: str = clients.DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 330,
        stream_timeout_s: float = 60,
        connect_timeout_s: float = 5,
        retries: Retries = Retries(),  # noqa: B008 - a frozen value
        headers: Mapping[str, str] | None = None,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        address = Address(
            url, api_key, timeout_s, stream_timeout_s, connect_timeout_s, dict(headers or {})
        )
        self._http = httpx.AsyncClient(
            transport=transport, trust_env=trust_env, **address.of_client()
        )
        self._sender = AsyncSender(address, retries, self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def generate(self, prompt: str = "", **options: Unpack[TextKeywords]) -> Generation:
        """A text that goes on from `prompt`, once it is complete.

        Raises:
            ApiError: The server has refused or failed.
            ConnectionFailed: There is no answer.
        """
        call = calls.text(prompt, options, is_stream=False)
        return parsed(Generation, (await self._sender.send(call)).content)

    async def several(
        self,
        prompt: str = "",
        *,
        n: int,
        best_of: int | None = None,
        **options: Unpack[TextKeywords],
    ) -> Several:
        """Several texts that go on from `prompt`, which is read once.

        Args:
            prompt: Of all of them.
            n: How many; at least 2.
            best_of: So many are written, and the `n` most probable ones are given, the best first.
            options: Of each.

        Raises:
            ApiError: The server has refused or failed.
            ConnectionFailed: There is no answer.
        """
        asked = {"n": n, "best_of": best_of, **options}
        call = calls.text(prompt, asked, is_stream=False)
        return parsed(Several, (await self._sender.send(call)).content)

    def stream(self, prompt: str = "", **options: Unpack[TextKeywords]) -> AsyncStream:
        """The same, as it is written; nothing is sent before the first event is asked for."""
        call = calls.text(prompt, options, is_stream=True)

        async def ask() -> calls.Call:
            return call

        return AsyncStream(self._sender, ask)

    async def inspect(
        self,
        text: str,
        activations: Mapping[str, Sequence[int] | None] | None = None,
        *,
        model: str | None = None,
        logprobs: int | None = None,
        timeout_s: float | None = None,
    ) -> Inspection:
        """What a model computes while it reads `text`.

        Args:
            text: Read from the start state.
            activations: Units by activation, as `{"layer1.c": [24]}`; None: all of it.
            model: `name` or `name@version`.
            logprobs: So many of the best candidates at each token's place.
            timeout_s: The server's time for it.

        Raises:
            ApiError: The server has refused or failed.
            ConnectionFailed: There is no answer.
        """
        call = inside.inspection(text, activations or {}, model, logprobs, timeout_s)
        return parsed(Inspection, (await self._sender.send(call)).content)

    async def reacting_units(
        self,
        text: str,
        mark: inside.Detector | Sequence[tuple[int, int]],
        *,
        activations: Sequence[str] | None = None,
        score: inside.Score = "correlation",
        top: int = 20,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> ReactingUnits:
        """The units that tell most of a mark.

        Args:
            text: Read from the start state.
            mark: A detector, or spans of characters: start and end, end excluded.
            activations: Whose units; by default those of all.
            score: How reactions are measured.
            top: So many units are told.
            model: `name` or `name@version`.
            timeout_s: The server's time for it.

        Raises:
            ApiError: The server has refused or failed.
            ConnectionFailed: There is no answer.
        """
        call = inside.search(text, mark, activations, score, top, model, timeout_s)
        return parsed(ReactingUnits, (await self._sender.send(call)).content)

    async def create_session(
        self,
        prompt: str = "",
        *,
        model: str | None = None,
        seed: int | None = None,
        report_unknown: bool = False,
    ) -> AsyncSession:
        """A new session that has read `prompt`."""
        return await self._session(clients.create_session(prompt, model, seed, report_unknown))

    async def import_capsule(self, capsule: str) -> AsyncSession:
        """A new session that goes on from a capsule."""
        return await self._session(clients.import_capsule(capsule))

    async def session(self, session_id: str) -> AsyncSession:
        """A session that is there.

        Raises:
            SessionNotFound, SessionGone: It is not.
        """
        return await self._session(calls.get(calls.of_session(session_id)))

    async def sessions(self) -> AsyncIterator[AsyncSession]:
        """One's own live sessions, the newest first."""
        after: str | None = None
        while True:
            page = json_of((await self._sender.send(clients.page_of_sessions(after))).content)
            for each in page["sessions"]:
                yield AsyncSession(self._sender, parsed(SessionInfo, each))
            after = page["next"]
            if after is None:
                return

    async def models(self) -> Models:
        """What is served."""
        return parsed(Models, (await self._sender.send(clients.MODELS)).content)

    async def model(self, name: str) -> Mapping[str, Any]:
        """The whole manifest of a model."""
        manifest: Mapping[str, Any] = json_of(
            (await self._sender.send(clients.model(name))).content
        )
        return manifest

    async def capacity(self) -> Capacity:
        """How much more fits into the server."""
        return parsed(Capacity, (await self._sender.send(clients.CAPACITY)).content)

    async def reload(self) -> Reload:
        """Let the server serve what its store has now; needs a key with the scope `admin`."""
        return parsed(Reload, (await self._sender.send(clients.RELOAD)).content)

    async def health(self) -> Health:
        """Whether the server takes requests, and what its engines do; asked once.

        Raises:
            ConnectionFailed: There is no answer.
        """
        return clients.health_of(await self._sender.send_once(clients.READINESS))

    async def _session(self, call: calls.Call) -> AsyncSession:
        return AsyncSession(
            self._sender, parsed(SessionInfo, (await self._sender.send(call)).content)
        )
