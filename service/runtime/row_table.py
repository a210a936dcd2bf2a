"""Rows of texts in arrays that are made once: what every decoder keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.rows.arrays import Bool, Float32, Int32, Int64
from service.rows.row import Row
from service.runtime.rules import RuleTable
from service.runtime.sampling import Sampling, SamplingTable


class RowTable:
    """`capacity` slots, each with room for a `Row` and its `Sampling`.

    Attributes:
        num_tokens: Length of each slot's text, int64[capacity].
        present: See `Row.present_V`, bool[capacity, V].
        generated: See `Row.generated_V`, int32[capacity, V].
        sampling: One line for each slot.
        rules: Of the slots that have any.
    """

    def __init__(self, capacity: int, state_widths: Sequence[int], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.state = tuple(np.zeros((capacity, width), np.float32) for width in state_widths)
        self.logits = np.zeros((capacity, vocabulary_size), np.float32)
        self.present = np.zeros((capacity, vocabulary_size), np.bool_)
        self.generated = np.zeros((capacity, vocabulary_size), np.int32)
        self.num_tokens = np.zeros(capacity, np.int64)
        self.sampling = SamplingTable.neutral(capacity, vocabulary_size)
        self.rules = RuleTable()
        self._splits = np.cumsum(state_widths)[:-1]

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`."""
        for tensor, part in zip(self.state, np.split(row.state_W, self._splits), strict=True):
            tensor[slot] = part
        self.logits[slot] = row.logits_V
        self.present[slot] = row.present_V
        self.generated[slot] = row.generated_V
        self.num_tokens[slot] = row.num_tokens
        self.sampling.put(slot, sampling, self.vocabulary_size)
        self.rules.put(slot, sampling.rules)

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`."""
        return Row(
            state_W=np.concatenate([tensor[slot] for tensor in self.state]),
            logits_V=self.logits[slot].copy(),
            present_V=self.present[slot].copy(),
            generated_V=self.generated[slot].copy(),
            num_tokens=int(self.num_tokens[slot]),
        )

    def gather(self, slots: Int64 | slice) -> tuple[tuple[Float32, ...], Float32]:
        """State and logits of some rows, to be read only: it may be the table itself."""
        return tuple(tensor[slots] for tensor in self.state), self.logits[slots]

    def scatter(self, slots: Int64 | slice, state: Sequence[Float32], logits: Float32) -> None:
        """The inverse of `gather`."""
        for tensor, rows in zip(self.state, state, strict=True):
            tensor[slots] = rows
        self.logits[slots] = logits

    def count(self, slot_B: Int64, token_KB: Int64, drawn_KB: Bool, taken_KB: Bool) -> None:
        """Note that texts now hold tokens, where `taken_KB`, and which of those were drawn."""
        place_KB = slot_B * self.vocabulary_size + token_KB
        self.present.reshape(-1)[place_KB[taken_KB]] = True
        if drawn_KB.any():
            np.add.at(self.generated.reshape(-1), place_KB[drawn_KB & taken_KB], 1)

    def counts(self, slots: Int64 | slice, needed_B: Bool) -> tuple[Bool, Int32]:
        """`present` and `generated` of some rows, to be read only, and only where `needed_B`."""
        if not needed_B.any():
            slots = slice(0)
        return self.present[slots], self.generated[slots]

    def finite(self, slots: Int64 | slice) -> Bool:
        """Which of some rows hold nothing but numbers, bool[B]."""
        tensors = [tensor[slots] for tensor in (self.logits, *self.state)]
        finite_B = np.ones(len(tensors[0]), np.bool_)
        if not all(np.isfinite(tensor).all() for tensor in tensors):  # seldom, and then which
            for tensor in tensors:
                finite_B &= np.isfinite(tensor).all(axis=1)
        return finite_B


def neighbours(slots: Int64) -> Int64 | slice:
    """`slots` as a slice if they follow each other: then nothing need be copied to read them."""
    first, number = int(slots[0]), len(slots)
    is_range = int(slots[-1]) == first + number - 1
    if is_range and (number == 1 or (slots[1:] - slots[:-1] == 1).all()):
        return slice(first, first + number)
    return slots
