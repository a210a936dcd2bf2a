"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as it matters below HTTP.

    Attributes:
        client: The server's slots are shared equally among clients.
        cache_salt: Only requests of the same salt share cached prompts: the time that a prompt
            takes tells nothing of what others have sent.
    """

    client: str = ""
    cache_salt: str = ""


ANYBODY = Identity()
