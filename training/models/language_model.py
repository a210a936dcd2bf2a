"""Language models: embedding, a stack of recurrent layers, probabilities of the next token.

Zaremba et al. 2014, arXiv:1409.2329. Shapes: T time, B rows, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.models.contract import Layer, State
from training.models.dropout import Dropout
from training.models.embedding import TokenEmbedding
from training.models.output import Output


@dataclass(frozen=True)
class Reading:
    """What reading a window gives.

    Attributes:
        nats_TB: Cross-entropy of each target.
        hidden_TBH: Of the last layer.
        dropped_TBH: The same after dropout.
        state: After the window.
    """

    nats_TB: Tensor
    hidden_TBH: Tensor
    dropped_TBH: Tensor
    state: State


class LanguageModel(nn.Module, ABC):
    """What training and evaluation know of a model."""

    vocabulary_size: int
    output: Output

    @abstractmethod
    def read(self, ids_TB: Tensor, targets_TB: Tensor, state: State) -> Reading:
        """Read a window and be told what came next, int64[T, B] both."""

    @abstractmethod
    def zero_state(self, batch_size: int) -> State:
        """The state before the first token of a text."""

    def num_parameters(self) -> int:
        """Number of trained weights; a tied table counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


class Stack(nn.Module):
    """Recurrent layers on top of each other.

    Args:
        layers: From the input upward.
        dropout: Between them.
        residual: Whether each layer but the first is added to its input instead of replacing it
            (He et al. 2016, arXiv:1512.03385; on LSTMs: Wu et al. 2016, arXiv:1609.08144).
    """

    def __init__(self, layers: Sequence[Layer], dropout: Dropout, *, residual: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = dropout
        self.residual = residual

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; the state of all layers, one after the other."""
        next_state: list[Tensor] = []
        for n, layer in enumerate(self.recurrent_layers):
            y_TBH, after = layer(x_TBE if n == 0 else self.dropout(x_TBE), state[: self._num(n)])
            state = state[self._num(n) :]
            next_state += after
            x_TBE = x_TBE + y_TBH if self.residual and n > 0 else y_TBH
        return x_TBE, tuple(next_state)

    @property
    def recurrent_layers(self) -> list[Layer]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    @property
    def output_size(self) -> int:
        """H of the last layer."""
        return self.recurrent_layers[-1].output_size

    @property
    def state_widths(self) -> dict[str, int]:
        """All state tensors, `layer<n>.<name>`, in order."""
        return {
            f"layer{n}.{name}": width
            for n, layer in enumerate(self.recurrent_layers)
            for name, width in layer.state_widths.items()
        }

    def zero_state(self, batch_size: int) -> State:
        """Zeros of all widths."""
        return tuple(torch.zeros(batch_size, width) for width in self.state_widths.values())

    def _num(self, n: int) -> int:
        return len(self.recurrent_layers[n].state_widths)


class RecurrentLanguageModel(LanguageModel):
    """Predicts the next token from the past.

    Args:
        embedding: The beginning.
        stack: The layers.
        dropout: Of the last layer's output.
        output: The end.
    """

    def __init__(
        self, embedding: TokenEmbedding, stack: Stack, dropout: Dropout, output: Output
    ) -> None:
        super().__init__()
        self.vocabulary_size = len(embedding.weight)
        self.embedding = embedding
        self.stack = stack
        self.dropout = dropout
        self.output = output

    def read(self, ids_TB: Tensor, targets_TB: Tensor, state: State) -> Reading:
        """See `LanguageModel`."""
        hidden_TBH, dropped_TBH, state = self._hidden(ids_TB, state)
        nats_N = self.output.losses(dropped_TBH.flatten(0, 1), targets_TB.flatten())
        return Reading(nats_N.view_as(targets_TB), hidden_TBH, dropped_TBH, state)

    def forward(self, ids_TB: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits float32[T, B, V] for the token after each position, and the state at the end."""
        _, dropped_TBH, state = self._hidden(ids_TB, state)
        return self.output(dropped_TBH.flatten(0, 1)).unflatten(0, ids_TB.shape), state

    def zero_state(self, batch_size: int) -> State:
        """The state before the first token of a text."""
        return self.stack.zero_state(batch_size)

    @property
    def state_widths(self) -> dict[str, int]:
        """The state tensors by name, in order."""
        return self.stack.state_widths

    def _hidden(self, ids_TB: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        hidden_TBH, state = self.stack(self.embedding(ids_TB), state)
        return hidden_TBH, self.dropout(hidden_TBH), state
