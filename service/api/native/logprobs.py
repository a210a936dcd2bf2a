"""Log-probabilities as they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.artifacts.tokenizer import Tokenizer
from service.inference.figures import TokenFigures

PIECE = 64
"""Tokens whose log-probabilities are made at once: a token with 10 candidates takes 10 us."""


def token_logprobs(figures: TokenFigures, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """A `TokenLogprob` for each, made without validating what we know."""
    name = tokenizer.token_text
    return [
        {
            "id": token_id,
            "token": name(token_id),
            "logprob": logprob,
            "top": [
                {"id": top_id, "token": name(top_id), "logprob": top_logprob}
                for top_id, top_logprob in zip(top_ids, top_logprobs, strict=True)
            ],
        }
        for token_id, logprob, top_ids, top_logprobs in zip(
            figures.id_N.tolist(),
            figures.chosen_N.tolist(),
            figures.top_id_NM.tolist(),
            figures.top_NM.tolist(),
            strict=True,
        )
    ]


def in_pieces(figures: TokenFigures, tokenizer: Tokenizer) -> Iterator[list[dict[str, Any]]]:
    """The same, some at a time."""
    for start in range(0, len(figures), PIECE):
        yield token_logprobs(figures.cut(start, start + PIECE), tokenizer)
