"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as it matters below HTTP.

    Attributes:
        client: The server's slots are shared equally among clients.
        owner: Whose the sessions are. Only requests of the same owner share cached prompts: neither
            the time that a prompt takes nor `cached_tokens` tells what others have sent.
    """

    client: str = ""
    owner: str = ""

    @property
    def account(self) -> str:
        """Whose room sessions take: not the owner's, since keys that nobody checks are many."""
        return self.client


ANYBODY = Identity()
