"""The server that is measured, as sockets and requests need it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """Where requests go, and what each of them begins with.

    Attributes:
        host: Name or address.
        port: TCP port.
        path: Of POST /generate there.
        tls: For https; None is http.
        api_key: Sent as `Authorization: Bearer`.
    """

    host: str
    port: int
    path: str = "/generate"
    tls: ssl.SSLContext | None = None
    api_key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, api_key: str | None = None) -> Target:
        """The server at `url`.

        Raises:
            ValueError: It is no http or https URL; the message says why.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("say it as http://HOST:PORT or https://HOST:PORT")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("it has more than a host, a port and a path")
        is_https = parts.scheme == "https"
        port = parts.port if parts.port is not None else (443 if is_https else 80)
        path = f"{parts.path.rstrip('/')}/generate"
        if not f"{parts.hostname}{path}".isascii() or any(c <= " " for c in url):
            raise ValueError("it has characters that no URL has")
        tls = ssl.create_default_context() if is_https else None
        return cls(parts.hostname, port, path, tls, api_key)

    def request(self, body: bytes) -> bytes:
        """A whole POST /generate."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if self.api_key is not None:
            lines.append(f"Authorization: Bearer {self.api_key}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body
