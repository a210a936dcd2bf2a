"""What an architecture is to the rest of the room: a layer that trains, a step that serves.

One file for each architecture, each with two classes over the same weights:

- a `Layer` reads a whole window, as fast as torch can: that is what trains;
- a `Step` reads one token for every row, in the equations of the paper: that is what is exported.

`training.parity` proves that they agree. `language_model` stacks layers, `step` stacks steps; both
know no architecture.

Shapes: T time, B rows, E width of the input, H width of the output, G what the input contributes to
the sums inside a layer, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What is remembered of B texts: float32[B, width] each, in the order of the state's names."""
Gates = dict[str, Tensor]
"""What stands between one state and the next, by the names of the paper: float32[B, width] each."""


class Layer(nn.Module, ABC):
    """One recurrent layer.

    Attributes:
        input_size: E.
        output_size: H.
        state_widths: Its state tensors by name, the output first.
        is_bounded: Whether every output lies in [-1, 1]: then int8 needs no calibration.
    """

    input_size: int
    output_size: int
    state_widths: Mapping[str, int]
    is_bounded: bool = True

    @abstractmethod
    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window.

        Args:
            x_TBE: float32[T, B, E].
            state: Before the window.

        Returns:
            The outputs, float32[T, B, H], and the state after the window.
        """

    @abstractmethod
    def step(self, bound_E: Tensor) -> Step:
        """The same as one step, with a copy of the weights.

        Args:
            bound_E: The step's input will be x / bound_E: within [-1, 1].
        """


class Step(nn.Module, ABC):
    """One layer, one token for every row.

    What depends on nothing but the input stands apart in `project`, since the first layer's input
    is one of V rows of the embedding: while V is small it is looked up instead of computed.
    """

    @abstractmethod
    def project(self, x_BE: Tensor) -> Tensor:
        """What the input contributes, float32[B, G]."""

    @abstractmethod
    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """The next state, whose first tensor is the output, and the gates that made it."""

    def forward(self, x_BE: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """`advance` after `project`; a step that can do both in one product does."""
        return self.advance(self.project(x_BE), *state)
