"""How the tokens of a burst are handed on: all at once, or in parts, a few of which at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from service.engine.request import Chunk, TokenLogprobs
from service.rows.arrays import Int64

GROUP_S = 0.001
"""What a group of parts takes of the event loop, about."""
_AT_ONCE = 32
_MOST_WITH_FIGURES = 64
_WITH_FIGURES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Division:
    """How a text's chunks are divided.

    Attributes:
        most: Tokens of a part; None: a chunk is one part, and cheap enough to wait for no turn.
        at_once: Parts of a group, which is handed on in one go.
    """

    most: int | None
    at_once: int

    @classmethod
    def of(cls, stream_every: int | None, *, with_figures: bool) -> Self:
        """As asked for; a token's figures take 10 us of the event loop for each candidate."""
        if with_figures:
            most = min(stream_every or _MOST_WITH_FIGURES, _MOST_WITH_FIGURES)
            return cls(most, _WITH_FIGURES_AT_ONCE)
        return cls(stream_every, _AT_ONCE)

    def groups(self, chunk: Chunk) -> Iterator[list[tuple[Int64, TokenLogprobs | None]]]:
        """The parts of a chunk, group by group; none of a chunk without tokens."""
        if self.most is None:
            if len(chunk.token_N):
                yield [(chunk.token_N, chunk.logprobs)]
            return
        group = []
        for part in chunk.parts(self.most):
            group.append(part)
            if len(group) == self.at_once:
                yield group
                group = []
        if group:
            yield group


def line_of(client: str, *, begins: bool) -> str:
    """Where parts of a client's texts wait for their turns.

    Those of texts that go on have a line of their own: first words and new requests of the client
    do not wait behind its crowd.
    """
    return client if begins else f"{client} goes on"
