"""The client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from . import calls, clients, inside
from .inside import Inspection, ReactingUnits
from .parsing import json_of, parsed
from .reports import Capacity, Reload
from .retrying import Retries
from .sending import Address, Sender
from .synchronous_sessions import Session
from .synchronous_streams import Stream
from .values import Generation, Health, Models, SessionInfo, Several

if TYPE_CHECKING:
    from .options import TextKeywords


class Client:
    """Asks a server for texts; one of them is for any number of threads.

    Args:
        url: Of the server; with the path that it is behind, if any.
        api_key: Sent as `Authorization: Bearer`; it also says whose sessions they are.
        timeout_s: For answers that are not streamed.
        stream_timeout_s: A stream in which nothing came for this long is broken.
        connect_timeout_s: For connections.
        retries: What is tried again; `Retries(most=0)`: nothing.
        headers: More of them, for every request.
        trust_env: Whether proxies and certificates of the environment count.
        transport: In place of the network: for tests, proxies and certificates of one's own.
    """

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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        address = Address(
            url, api_key, timeout_s, stream_timeout_s, connect_timeout_s, dict(headers or {})
        )
        self._http = httpx.Client(transport=transport, trust_env=trust_env, **address.of_client())
        self._sender = Sender(address, retries, self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def generate(self, prompt: str = "", **options: Unpack[TextKeywords]) -> Generation:
        """A text that goes on from `prompt`, once it is complete.

        Raises:
            ApiError: The server has refused or failed.
            ConnectionFailed: There is no answer.
        """
        call = calls.text(prompt, options, is_stream=False)
        return parsed(Generation, self._sender.send(call).content)

    def several(
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
        return parsed(Several, self._sender.send(call).content)

    def stream(self, prompt: str = "", **options: Unpack[TextKeywords]) -> Stream:
        """The same, as it is written; nothing is sent before the first event is asked for."""
        call = calls.text(prompt, options, is_stream=True)

        def ask() -> calls.Call:
            return call

        return Stream(self._sender, ask)

    def inspect(
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
        return parsed(Inspection, self._sender.send(call).content)

    def reacting_units(
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
        return parsed(ReactingUnits, self._sender.send(call).content)

    def create_session(
        self,
        prompt: str = "",
        *,
        model: str | None = None,
        seed: int | None = None,
        report_unknown: bool = False,
    ) -> Session:
        """A new session that has read `prompt`."""
        return self._session(clients.create_session(prompt, model, seed, report_unknown))

    def import_capsule(self, capsule: str) -> Session:
        """A new session that goes on from a capsule."""
        return self._session(clients.import_capsule(capsule))

    def session(self, session_id: str) -> Session:
        """A session that is there.

        Raises:
            SessionNotFound, SessionGone: It is not.
        """
        return self._session(calls.get(calls.of_session(session_id)))

    def sessions(self) -> Iterator[Session]:
        """One's own live sessions, the newest first."""
        after: str | None = None
        while True:
            page = json_of(self._sender.send(clients.page_of_sessions(after)).content)
            for each in page["sessions"]:
                yield Session(self._sender, parsed(SessionInfo, each))
            after = page["next"]
            if after is None:
                return

    def models(self) -> Models:
        """What is served."""
        return parsed(Models, self._sender.send(clients.MODELS).content)

    def model(self, name: str) -> Mapping[str, Any]:
        """The whole manifest of a model."""
        manifest: Mapping[str, Any] = json_of(self._sender.send(clients.model(name)).content)
        return manifest

    def capacity(self) -> Capacity:
        """How much more fits into the server."""
        return parsed(Capacity, self._sender.send(clients.CAPACITY).content)

    def reload(self) -> Reload:
        """Let the server serve what its store has now; needs a key with the scope `admin`."""
        return parsed(Reload, self._sender.send(clients.RELOAD).content)

    def health(self) -> Health:
        """Whether the server takes requests, and what its engines do; asked once.

        Raises:
            ConnectionFailed: There is no answer.
        """
        return clients.health_of(self._sender.send_once(clients.READINESS))

    def _session(self, call: calls.Call) -> Session:
        return Session(self._sender, parsed(SessionInfo, self._sender.send(call).content))
