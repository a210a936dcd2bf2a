"""Offers to upgrade, which nobody has to take up (RFC 9110, 7.8)."""

from __future__ import annotations

from collections.abc import Sequence

import httptools


def head_without_offer(
    parser: httptools.HttpRequestParser, target: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """The head that `parser` has read, as a client would send it that offers nothing."""
    version = parser.get_http_version().encode()
    head = [parser.get_method(), b" ", target, b" HTTP/", version, b"\r\n"]
    for name, value in headers:
        if name not in (b"upgrade", b"http2-settings", b"connection"):
            head += [name, b": ", value, b"\r\n"]
        elif name == b"connection" and b"close" in value.lower():
            head.append(b"connection: close\r\n")
    return b"".join([*head, b"\r\n"])
