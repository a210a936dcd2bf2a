"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as it matters below HTTP.

    Attributes:
        client: The server's slots are shared equally among clients.
        cache_salt: How fast a prompt is read tells what others of the same salt have sent, and
            nothing of those of another salt.
    """

    client: str = ""
    cache_salt: str = ""


ANYBODY = Identity()
