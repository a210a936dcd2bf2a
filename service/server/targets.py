"""What requests are for: the path of their target, and which paths are those of probes."""

from __future__ import annotations

import httptools

from service.api.access import OPEN


def path_of(target: bytes) -> bytes | None:
    """The path, without what follows it; None: there is none, or the target is no URL."""
    try:
        path: bytes | None = httptools.parse_url(target).path
    except httptools.HttpParserInvalidURLError:
        return None
    return path


def probes_below(root_path: str) -> frozenset[bytes]:
    """Paths of probes, with the server's prefix and, as a proxy may send them on, without it."""
    return frozenset((prefix + path).encode() for prefix in ("", root_path) for path in OPEN)
