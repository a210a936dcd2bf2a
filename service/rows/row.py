"""The whole past of one text as a value.

Shapes: W all state tensors side by side, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.rows.arrays import Bool, Float32, Int32


@dataclass(frozen=True, slots=True)
class RowShape:
    """The sizes of a model's rows: W and V."""

    state_width: int
    vocabulary_size: int


@dataclass(frozen=True, slots=True)
class Row:
    """The whole past of one text, as a value: what is saved, continued, copied, rewound.

    Attributes:
        state_W: All state tensors, side by side.
        logits_V: Of the next token; undefined before the first (then one must be forced).
        present_V: Which ids the text holds: what the repetition penalty looks at.
        generated_V: How often each id was generated: what the other penalties look at.
        num_tokens: Length of the text in tokens, which is the position of its next one.
    """

    state_W: Float32
    logits_V: Float32
    present_V: Bool
    generated_V: Int32
    num_tokens: int

    def __post_init__(self) -> None:
        """Refuse arrays that cannot belong together."""
        if not len(self.logits_V) == len(self.present_V) == len(self.generated_V):
            raise ValueError("logits_V, present_V and generated_V must be of one length")

    @classmethod
    def start(cls, shape: RowShape) -> Row:
        """The row of the empty text."""
        return cls(
            state_W=np.zeros(shape.state_width, np.float32),
            logits_V=np.zeros(shape.vocabulary_size, np.float32),
            present_V=np.zeros(shape.vocabulary_size, np.bool_),
            generated_V=np.zeros(shape.vocabulary_size, np.int32),
            num_tokens=0,
        )

    @property
    def shape(self) -> RowShape:
        """The model's that it belongs to."""
        return RowShape(len(self.state_W), len(self.logits_V))

    @property
    def num_bytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.state_W, self.logits_V, self.present_V, self.generated_V)
        return sum(array.nbytes for array in arrays)
