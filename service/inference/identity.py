"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.access.limits import NO_LIMITS, Allowance, Limits


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as it matters below HTTP.

    Attributes:
        client: The server's slots are shared equally among clients.
        owner: Whose the sessions are. Only requests of the same owner share cached prompts: neither
            the time that a prompt takes nor `cached_tokens` tells what others have sent.
        name: Of the API key, if keys are checked.
        scopes: What the API key is for; of nobody's, nothing.
        allowance: What may be asked for; None: no bound of one's own.
    """

    client: str = ""
    owner: str = ""
    name: str | None = None
    scopes: frozenset[str] = frozenset()
    allowance: Allowance | None = field(default=None, compare=False, repr=False)

    @property
    def account(self) -> str:
        """Whose room sessions take: not the owner's, since keys that nobody checks are many."""
        return self.client

    @property
    def limits(self) -> Limits:
        """Bounds of the API key's name."""
        return NO_LIMITS if self.allowance is None else self.allowance.limits


ANYBODY = Identity()
