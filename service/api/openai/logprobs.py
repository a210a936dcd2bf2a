"""Log-probabilities as OpenAI's completions have them: lists side by side, with places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.artifacts.tokenizer import Tokenizer
from service.inference.figures import TokenFigures

PIECE = 64
"""Tokens that are told of at once: one with ten candidates takes about 10 us."""


class LogprobsWriter:
    """Tells of the tokens of one text, in order.

    Args:
        tokenizer: Of the model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = tokenizer.incremental()
        self._offset = 0

    def unscored(self, ids: Sequence[int]) -> dict[str, list[Any]]:
        """Tokens without a probability: the first ones of a text."""
        return {
            "tokens": [self._tokenizer.token_text(token_id) for token_id in ids],
            "token_logprobs": [None for _ in ids],
            "top_logprobs": [None for _ in ids],
            "text_offset": [self._place(token_id) for token_id in ids],
        }

    def scored(self, figures: TokenFigures) -> dict[str, list[Any]]:
        """Tokens with theirs; the token itself is always among the best."""
        name = self._tokenizer.token_text
        ids, chosen = figures.id_N.tolist(), figures.chosen_N.tolist()
        tops = zip(figures.top_id_NM.tolist(), figures.top_NM.tolist(), strict=True)
        best = [
            {name(top_id): logprob for top_id, logprob in zip(top_ids, logprobs, strict=True)}
            for top_ids, logprobs in tops
        ]
        for token_id, logprob, top in zip(ids, chosen, best, strict=True):
            top.setdefault(name(token_id), logprob)
        return {
            "tokens": [name(token_id) for token_id in ids],
            "token_logprobs": chosen,
            "top_logprobs": best,
            "text_offset": [self._place(token_id) for token_id in ids],
        }

    def skip(self, ids: Sequence[int]) -> None:
        """Tokens that are part of the text, and not told of."""
        for token_id in ids:
            self._place(token_id)

    def _place(self, token_id: int) -> int:
        """Where a token's text begins."""
        place = self._offset
        self._offset += len(self._decoder.push(token_id))
        return place


def joined(parts: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """All parts in a row."""
    names = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    return {name: [each for part in parts for each in part[name]] for name in names}
