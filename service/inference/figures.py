"""Log-probabilities of a text's tokens, in arrays: a text of 16,384 tokens has 180,000 of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from service.engine.request import TokenLogprobs
from service.rows.arrays import Float32, Int64


@dataclass(frozen=True, slots=True)
class TokenFigures:
    """Of N tokens: their ids and log-probabilities, and the M best candidates at each place.

    Attributes:
        id_N: The tokens.
        chosen_N: Their log-probabilities.
        top_id_NM: The candidates, best first.
        top_NM: Their log-probabilities.
    """

    id_N: Int64
    chosen_N: Float32
    top_id_NM: Int64
    top_NM: Float32

    @classmethod
    def of(cls, id_N: Int64, logprobs: TokenLogprobs, num_top: int) -> Self:
        """The figures of the first of a chunk's tokens, with so many candidates each."""
        return cls(
            id_N,
            logprobs.chosen_N[: len(id_N)],
            logprobs.top_id_NM[: len(id_N), :num_top],
            logprobs.top_NM[: len(id_N), :num_top],
        )

    @classmethod
    def none(cls, num_top: int) -> Self:
        """Of no tokens."""
        empty = np.empty((0, num_top))
        return cls(
            np.empty(0, np.int64),
            np.empty(0, np.float32),
            empty.astype(np.int64),
            empty.astype(np.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All parts in a row; at least one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.id_N for part in parts]),
            np.concatenate([part.chosen_N for part in parts]),
            np.concatenate([part.top_id_NM for part in parts]),
            np.concatenate([part.top_NM for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.id_N)

    def cut(self, start: int, stop: int | None = None) -> TokenFigures:
        """Those from `start` to `stop`."""
        part = slice(start, stop)
        return TokenFigures(
            self.id_N[part], self.chosen_N[part], self.top_id_NM[part], self.top_NM[part]
        )
