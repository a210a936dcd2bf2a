"""Holding units at a value while a text is written: what a unit is for is seen where it is not.

An intervention in the sense of Pearl's do(): wherever the step graph reads the next value of a
clamped state tensor, in a later layer, in the output, or in the cell's own tanh, it reads the value
that it is held at, and so does the next step. It acts from the first token that is read on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.rows.arrays import Float32, Int64


@dataclass(frozen=True, slots=True)
class Clamp:
    """A unit of a state tensor, and what it is held at."""

    name: str
    unit: int
    value: float


class ClampTable:
    """The clamps of some slots.

    Args:
        state_names: The state tensors of the model.
    """

    def __init__(self, state_names: Sequence[str]) -> None:
        self._state_names = tuple(state_names)
        self._of: dict[int, tuple[Clamp, ...]] = {}
        self._none = self._values([])

    def put(self, slot: int, clamps: tuple[Clamp, ...]) -> None:
        """Those of one request."""
        if clamps:
            self._of[slot] = clamps
        elif self._of:
            self._of.pop(slot, None)

    def holds(self, slot_B: Int64) -> bool:
        """Whether anything is held in some rows."""
        return bool(self._of) and any(int(slot) in self._of for slot in slot_B)

    def empty(self) -> ClampTable:
        """One for other slots of the same model."""
        return ClampTable(self._state_names)

    def inputs(self, slot_B: Int64) -> Mapping[str, Int64 | Float32]:
        """The values of a graph's `clamped_at.<state>` and `clamped_to.<state>` for some rows."""
        if not self.holds(slot_B):
            return self._none
        held = [(b, each) for b, slot in enumerate(slot_B) for each in self._of.get(int(slot), ())]
        return self._values(held)

    def _values(self, held: Sequence[tuple[int, Clamp]]) -> Mapping[str, Int64 | Float32]:
        """Those of rows, with what is held in them."""
        values: dict[str, Int64 | Float32] = {}
        for name in self._state_names:
            mine = [(b, each) for b, each in held if each.name == name]
            at = np.array([(b, each.unit) for b, each in mine], np.int64).reshape(-1, 2)
            values[f"clamped_at.{name}"] = at
            values[f"clamped_to.{name}"] = np.array([each.value for _, each in mine], np.float32)
        return values
