"""What a text took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a request took, and the pieces of its prompt that are unknown, if asked for."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    unknown_tokens: int
    unknown: tuple[str, ...] | None

    @property
    def num_tokens(self) -> int:
        """Read and written; those of the prompt count, cached or not."""
        return self.prompt_tokens + self.completion_tokens
