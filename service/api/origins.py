"""What web pages of others may do: which hosts this server is, whose pages read its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import HostRefused, OriginRefused, error_response

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_EXPOSED = ("X-Request-Id", "ETag", "Retry-After", "WWW-Authenticate")
_SHOWN = 80
_LONGEST_NAME = 253
"""Of a host, in the DNS."""
_POLICY = "default-src 'none'; frame-ancestors 'none'"
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_PREFLIGHT = {b"origin", b"access-control-request-method"}
_NO_DIALECT: Scope = {"type": "http", "path": "/", "root_path": ""}

Admit = Callable[[Scope], Awaitable[None]]
"""Waits for the turn of a request that is answered here: crowds are work as well."""


class SafeHeaders:
    """Tells browsers to take answers for what they are, in no frame, and to tell nobody of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", _POLICY)
                headers.raw.extend(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_safely)


class Cors(CORSMiddleware):
    """Starlette's, for origins that are named; what it refuses has the one shape of errors.

    Cookies and the like are never let through: nothing here is proved by them.

    Args:
        app: What is behind the door.
        origins: Of pages that may ask; `*`: all.
        admit: For preflights.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], admit: Admit) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=("*",),  # libraries send their own; no cookie makes any of them dangerous
            expose_headers=_EXPOSED,
        )
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer a preflight."""
        if _is_preflight(scope):
            await self._admit(scope)
        await super().__call__(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Whether a page may send what it wants to."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        reason = bytes(response.body).decode()
        # In the server's own words: a preflight is read by browsers, whatever the dialect.
        refusal = error_response(OriginRefused(f"{reason}: see --cors-origins"), _NO_DIALECT)
        refusal.headers["Vary"] = response.headers["Vary"]
        return refusal


class HostCheck:
    """Refuses requests for other hosts: a page that has its own name lead here (DNS rebinding).

    Addresses and `localhost` are always this server: no page has such a name.

    Args:
        app: What is behind the door.
        hosts: Names; `*.example.org` is all below it. None: names without a dot, which nobody can
            have led here by the public DNS.
        admit: For those that are refused.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None, admit: Admit) -> None:
        self._app = app
        self._admit = admit
        self._names = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._endings = tuple(name[1:] for name in self._names or () if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"host"]
            if not all(self.is_here(value.decode("latin-1")) for value in given):
                shown = given[0][:_SHOWN].decode("latin-1").encode("ascii", "backslashreplace")
                error = HostRefused(
                    f"this server is not {shown.decode()}: see --allowed-hosts and --host"
                )
                await self._admit(scope)
                await error_response(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def is_here(self, host: str) -> bool:
        """Whether a `Host` header names this server."""
        name = _name(host)
        if len(name) > _LONGEST_NAME:  # nobody's, and what is kept of names is bounded by number
            return False
        if not name or name == "localhost" or name.endswith(".localhost") or _is_address(name):
            return True
        if self._names is None:
            return "." not in name
        return name in self._names or name.endswith(self._endings)


class Prefix:
    """Puts the server's prefix before the paths of requests from which a proxy has taken it off."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            path = scope["path"]
            if path != self._root_path and not path.startswith(self._root_path + "/"):
                path = self._root_path + path
            scope = {**scope, "root_path": self._root_path, "path": path}
        await self._app(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what a page may send."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    return {name for name, _ in scope["headers"]} >= _PREFLIGHT


def _name(host: str) -> str:
    """The name without its port, and without the dot that ends it."""
    host = host.strip()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".").lower()


@lru_cache(1 << 10)
def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
