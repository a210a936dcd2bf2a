"""A whole model as one step, written out: what is exported and served.

Training runs fused layers over windows; this module computes the same from the same weights, one
token for every row, in the equations that stand in the file of each architecture.

Whatever stands on the left of a product lies in [-1, 1] (but for those that are called wide): an
output of a bounded layer does, an embedding is scaled into it column by column, and a residual sum
is divided by the largest that it can be. That is what lets int8 use one fixed scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.contract import Gates, Step
from training.models.language_model import RecurrentLanguageModel

MAX_TABLE_BYTES = 16 << 20
"""Largest lookup table that replaces the embedding and the first input projection."""


class LanguageModelStep(nn.Module):
    """token, state -> logits, next state; the state of layer n is `layer<n>.<name>`.

    Shapes: B rows, E embedding, G what the input contributes to the first layer, V vocabulary.
    """

    table: Tensor

    def __init__(self, model: RecurrentLanguageModel) -> None:
        """Rearrange the weights of a trained model; they are copied."""
        super().__init__()
        layers = model.stack.recurrent_layers
        self.state_widths = model.state_widths
        self.num_states = [len(layer.state_widths) for layer in layers]
        self.residual = model.stack.residual
        embedding_VE = model.embedding.weight.detach()
        bound = embedding_VE.abs().amax(dim=0).clamp_min(1e-12)
        steps = []
        for n, layer in enumerate(layers):
            steps.append(layer.step(bound))
            ones = torch.ones(layer.output_size)
            bound = bound + ones if self.residual and n > 0 else ones
            # Only a residual sum has to be divided by anything.
            self.register_buffer(f"scale{n}", 1.0 / bound)
        self.steps = nn.ModuleList(steps)
        self.output = model.output.step(bound)
        self._look_up(embedding_VE)

    def _look_up(self, embedding_VE: Tensor) -> None:
        """What a token becomes: there are only V different inputs of the first layer."""
        scaled_VE = embedding_VE / embedding_VE.abs().amax(dim=0).clamp_min(1e-12)
        first = self.steps[0]
        assert isinstance(first, Step)
        with torch.no_grad():
            width = first.project(scaled_VE[:1]).shape[1]
            self.is_folded = 4 * len(scaled_VE) * width <= MAX_TABLE_BYTES
            self.register_buffer("table", first.project(scaled_VE) if self.is_folded else scaled_VE)

    @property
    def state_names(self) -> list[str]:
        """Names of the state tensors, in the order of the arguments and results."""
        return list(self.state_widths)

    def forward(self, token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """One step for every row.

        Args:
            token: int64[B].
            state: float32[B, width] each, in the order of `state_names`.

        Returns:
            logits float32[B, V], then the next state in the order of `state_names`.
        """
        logits, next_state, _ = self.read(token, *state)
        return (logits, *next_state)

    def read(self, token: Tensor, *state: Tensor) -> tuple[Tensor, list[Tensor], Gates]:
        """The same, and the gates of all layers: that of layer n is `layer<n>.<name>`."""
        x = total = nn.functional.embedding(token, self.table)
        next_state: list[Tensor] = []
        gates: Gates = {}
        for n, step in enumerate(self.steps):
            assert isinstance(step, Step)
            before, state = state[: self.num_states[n]], state[self.num_states[n] :]
            is_looked_up = n == 0 and self.is_folded
            after, opened = step.advance(x, *before) if is_looked_up else step(x, *before)
            next_state += after
            gates |= {f"layer{n}.{name}": gate for name, gate in opened.items()}
            x = total = after[0] if n == 0 or not self.residual else total + after[0]
            if self.residual and n > 0:
                x = total * self.get_buffer(f"scale{n}")
        return self.output(x), next_state, gates


class ShownStep(LanguageModelStep):
    """The same step with its gates among its results: what they are called is exported with it."""

    @property
    def gate_names(self) -> list[str]:
        """Names of the gates, in the order of the results."""
        state = [torch.zeros(1, width) for width in self.state_widths.values()]
        return list(self.read(torch.zeros(1, dtype=torch.int64), *state)[2])

    def forward(self, token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Logits, the next state, and the gates in the order of `gate_names`."""
        logits, next_state, gates = self.read(token, *state)
        return (logits, *next_state, *gates.values())
