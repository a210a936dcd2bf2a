"""The language model that trains: embedding, fused LSTM layers, output projection.

Shapes: T time, B rows, L layers, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.config import ModelConfig


class LSTMState(NamedTuple):
    """Everything the model remembers of a text."""

    h_LBH: Tensor
    c_LBH: Tensor

    def detach(self) -> LSTMState:
        """The same numbers without their history: where truncated back-propagation cuts."""
        return LSTMState(self.h_LBH.detach(), self.c_LBH.detach())


class LSTMLanguageModel(nn.Module):
    """Predicts the next token from the past (Zaremba et al. 2014, arXiv:1409.2329)."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        """Draw the initial weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size)
        self.lstm = nn.LSTM(
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
            dropout=config.dropout_between if config.num_layers > 1 else 0.0,
        )
        self.projection = nn.Linear(config.hidden_size, vocabulary_size)
        self.dropout_embedding = nn.Dropout(config.dropout_embedding)
        self.dropout_output = nn.Dropout(config.dropout_output)
        if config.tied:
            self.projection.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        config = self.config
        if config.tied:
            # One table with two jobs: unit variance would make the first logits ~sqrt(H) large.
            nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(config.embedding_size))
        else:
            nn.init.uniform_(self.projection.weight, -0.1, 0.1)
        nn.init.zeros_(self.projection.bias)
        for layer in range(config.num_layers):
            bias_ih = getattr(self.lstm, f"bias_ih_l{layer}")
            bias_hh = getattr(self.lstm, f"bias_hh_l{layer}")
            nn.init.zeros_(bias_ih)
            nn.init.zeros_(bias_hh)
            # A forget gate that begins open (Jozefowicz et al. 2015). torch's gate order: i f g o.
            with torch.no_grad():
                bias_ih[config.hidden_size : 2 * config.hidden_size].fill_(1.0)

    def forward(self, ids_TB: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Read a window.

        Args:
            ids_TB: int64[T, B].
            state: float32[L, B, H] twice, where the text before the window left off.

        Returns:
            logits float32[T, B, V] for the token after each position, and the state at the end.
        """
        embedded_TBE = self.dropout_embedding(self.embedding(ids_TB))
        hidden_TBH, (h_LBH, c_LBH) = self.lstm(embedded_TBE, (state.h_LBH, state.c_LBH))
        logits_TBV: Tensor = self.projection(self.dropout_output(hidden_TBH))
        return logits_TBV, LSTMState(h_LBH, c_LBH)

    def zero_state(self, batch_size: int) -> LSTMState:
        """The state before the first token of a text."""
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        return LSTMState(torch.zeros(shape), torch.zeros(shape))

    def num_parameters(self) -> int:
        """Number of trained weights; a tied table counts once."""
        return sum(parameter.numel() for parameter in self.parameters())
