"""From tokens to vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.models.dropout import Dropout, dropped


class TokenEmbedding(nn.Module):
    """A table of V vectors of width E, what is left out of it while training included.

    Args:
        vocabulary_size: V.
        size: E.
        dropout: Of the vectors' numbers.
        dropout_words: Rate at which a token reads as zeros, wherever it stands in the window.
        tied: Whether the table is the output projection too.
    """

    def __init__(
        self, vocabulary_size: int, size: int, dropout: Dropout, dropout_words: float, *, tied: bool
    ) -> None:
        super().__init__()
        # A tied table has two jobs: unit variance would make the first logits ~sqrt(H) large.
        std = 1.0 / math.sqrt(size) if tied else 1.0
        self.weight = nn.Parameter(torch.empty(vocabulary_size, size).normal_(std=std))
        self.dropout = dropout
        self.dropout_words = dropout_words

    def forward(self, ids_TB: Tensor) -> Tensor:
        """float32[T, B, E]."""
        table_VE: Tensor = self.weight
        if self.training:
            table_VE = dropped(table_VE, self.dropout_words, (len(table_VE), 1))
        embedded_TBE: Tensor = self.dropout(nn.functional.embedding(ids_TB, table_VE))
        return embedded_TBE
