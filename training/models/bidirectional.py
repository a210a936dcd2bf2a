"""A model that scores: what stands at a place, given all that stands before and after it.

Schuster & Paliwal 1997, doi:10.1109/78.650093; as a language model of two directions that meet at a
place: Peters et al. 2018, arXiv:1802.05365, here with one softmax over both. Its loss is a
pseudo-likelihood (Besag 1975) and must not be compared with that of a model which knows only the
past. It cannot write: a step has not seen what comes after it. So `export` refuses it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.models.contract import State
from training.models.dropout import Dropout
from training.models.embedding import TokenEmbedding
from training.models.language_model import LanguageModel, Reading, Stack
from training.models.output import Output


class BidirectionalLanguageModel(LanguageModel):
    """One stack reads the window from the left, the other from its end.

    The left one carries its state from window to window; the right one begins anew at the end of
    each, as it would have to begin at the end of the text.

    Args:
        embedding: The beginning.
        forward_stack: Left to right.
        backward_stack: Right to left.
        dropout: Of both outputs.
        output: The end, of twice the width.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        forward_stack: Stack,
        backward_stack: Stack,
        dropout: Dropout,
        output: Output,
    ) -> None:
        super().__init__()
        self.vocabulary_size = len(embedding.weight)
        self.embedding = embedding
        self.forward_stack = forward_stack
        self.backward_stack = backward_stack
        self.dropout = dropout
        self.output = output

    def read(self, ids_TB: Tensor, targets_TB: Tensor, state: State) -> Reading:
        """Target t is told from ids 0..t and from targets t+1.. of the window."""
        before_TBH, state = self.forward_stack(self.embedding(ids_TB), state)
        # Read from the last target to the second; what is known before that is nothing.
        later = self.embedding(targets_TB[1:].flip(0))
        nothing_1BH = before_TBH.new_zeros(1, before_TBH.shape[1], self.backward_stack.output_size)
        if len(later):
            zero = self.backward_stack.zero_state(ids_TB.shape[1])
            read_TBH, _ = self.backward_stack(later, zero)
            after_TBH = torch.cat([read_TBH.flip(0), nothing_1BH])
        else:
            after_TBH = nothing_1BH
        hidden_TBH = torch.cat([before_TBH, after_TBH], dim=2)
        dropped_TBH = self.dropout(hidden_TBH)
        nats_N = self.output.losses(dropped_TBH.flatten(0, 1), targets_TB.flatten())
        return Reading(nats_N.view_as(targets_TB), hidden_TBH, dropped_TBH, state)

    def zero_state(self, batch_size: int) -> State:
        """Of the stack that reads from the left."""
        return self.forward_stack.zero_state(batch_size)
