"""What the tokens of a held-out text are: how many of them for a character, how many unknown."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.batches.token_files import NOTE, Ids

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Shares:
    """Without these, a loss per token says little.

    Attributes:
        unknown: The share of tokens that are the sign for everything unknown, which is easy to
            guess; None if the tokenizer has no such sign.
        tokens_per_character: 1 where a token is a character.
    """

    unknown: float | None
    tokens_per_character: float

    @classmethod
    def of(cls, ids: Ids, num_characters: int, unknown_id: int | None) -> Shares:
        """Count, in pieces: ids may be mapped from a file that is larger than the memory.

        Args:
            ids: Of the whole text, int[N].
            num_characters: Of the same text.
            unknown_id: The sign, if there is one.
        """
        unknown = None
        if unknown_id is not None:
            starts = range(0, len(ids), _CHUNK)
            counts = [np.count_nonzero(ids[n : n + _CHUNK] == unknown_id) for n in starts]
            unknown = int(sum(counts)) / max(1, len(ids))
        return cls(unknown, len(ids) / max(1, num_characters))

    def bits_per_character(self, nats_per_token: float) -> float:
        """Of a mean loss per token."""
        return nats_per_token / math.log(2.0) * self.tokens_per_character

    def perplexity_per_character(self, nats_per_token: float) -> float:
        """The same surprise, shared out among the characters."""
        return math.exp(nats_per_token * self.tokens_per_character)

    @property
    def unknown_in_words(self) -> str:
        """For a table."""
        return "-" if self.unknown is None else f"{self.unknown:.2%}"


def shares_in(folder: Path, unknown_id: int | None) -> Shares | None:
    """Of the validation text whose ids lie in a folder; None where they do not.

    Args:
        folder: As `TokenFiles` makes it.
        unknown_id: The sign, if there is one.
    """
    try:
        _, num_characters = json.loads((folder / NOTE).read_bytes())["characters"]
        file = next(folder.glob("validation.u*"), None)
        if file is None:
            return None
        ids: Ids = np.memmap(file, np.uint16 if file.suffix == ".u16" else np.uint32, mode="r")
    except (OSError, ValueError, KeyError):
        return None
    return Shares.of(ids, num_characters, unknown_id)
