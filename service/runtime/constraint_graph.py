"""Constraints as ONNX nodes: which ids a row may draw now, and what they lead to.

The tables of all automata of a burst lie one after the other in one list, so that the state of a
row is a place in it, and what an id leads to is one look further: at the place plus the id's class.
Only rows that are held to something are looked at: the others cost a copy of their logits.

Shapes: as in `automaton`; M rows that are held to an automaton, F places in the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.runtime.automaton import COMPLETE, Automaton, Constraint, ConstraintsOfRows
from service.runtime.nodes import INT64, Nodes

INPUTS: Mapping[str, tuple[int, int]] = {
    "next_F": (INT64, 1),
    "class_MV": (INT64, 2),
    "place_M1": (INT64, 2),
    "row_M": (INT64, 1),
}
"""Inputs of a burst graph that holds rows to automata: element type and rank.

next_F: for a place plus a class the next place, or less than 0: barred. class_MV: of each row that
is held, the class of each id. place_M1: where it is. row_M: which row it is.
"""

_COMPLETE = 0
"""The place of rows whose text is complete."""


def constraint_values(
    constraints: ConstraintsOfRows | None, vocabulary_size: int
) -> dict[str, npt.NDArray[Any]]:
    """The values of INPUTS."""
    held = [(b, each) for b, each in enumerate(constraints or ()) if each is not None]
    starts, next_F = _joined([constraint for _, constraint in held])
    class_MV = np.zeros((len(held), vocabulary_size), np.int64)
    place_M1 = np.zeros((len(held), 1), np.int64)
    for m, (_, constraint) in enumerate(held):
        automaton = constraint.automaton
        class_MV[m] = automaton.class_V
        place_M1[m] = starts[automaton] + constraint.state * automaton.next_SC.shape[1]
    return {
        "next_F": next_F,
        "class_MV": class_MV,
        "place_M1": place_M1,
        "row_M": np.array([b for b, _ in held], np.int64),
    }


def _joined(constraints: list[Constraint]) -> tuple[dict[Automaton, int], npt.NDArray[np.int64]]:
    """Where the table of each automaton begins in the list, and the list."""
    automata = list(dict.fromkeys(constraint.automaton for constraint in constraints))
    most_classes = max((automaton.next_SC.shape[1] for automaton in automata), default=0)
    # A text that is complete stays so, whatever its row draws until the burst is over.
    parts = [np.full(most_classes, _COMPLETE, np.int64)]
    starts, size = {}, most_classes
    for automaton in automata:
        starts[automaton] = size
        next_SC = automaton.next_SC.astype(np.int64)
        places = np.where(next_SC >= 0, size + next_SC * next_SC.shape[1], next_SC)
        parts.append(np.where(next_SC == COMPLETE, _COMPLETE, places).reshape(-1))
        size += next_SC.size
    return starts, np.concatenate(parts)


class ConstraintGraph:
    """Writes the nodes of one step.

    Args:
        g: The nodes of the step.
        place_M1: The name of the places before it.
    """

    def __init__(self, g: Nodes, place_M1: str) -> None:
        self._of, self._constant = g.names.of, g.names.constant
        self._place_M1 = place_M1
        place_MV = g.op("Add", place_M1, self._of("class_MV"))
        self._next_MV = g.op("Gather", self._of("next_F"), place_MV)

    def allowed(self, g: Nodes, logits_BV: str) -> str:
        """The logits, and -inf for what is barred."""
        barred_MV = g.op("Less", self._next_MV, self._constant(0, np.int64))
        logits_MV = g.op("Gather", logits_BV, self._of("row_M"), axis=0)
        never = self._constant(-np.inf, np.float32)
        return self._put(g, logits_BV, g.op("Where", barred_MV, never, logits_MV))

    def after(self, g: Nodes, token_B: str, sampled_B: str) -> str:
        """The places after a token. Only what is drawn counts."""
        row_M, axis = self._of("row_M"), self._constant([1], np.int64)
        token_M1 = g.op("Unsqueeze", g.op("Gather", token_B, row_M), axis)
        sampled_M1 = g.op("Unsqueeze", g.op("Gather", sampled_B, row_M), axis)
        next_M1 = g.op("GatherElements", self._next_MV, token_M1, axis=1)
        return g.op("Where", sampled_M1, next_M1, self._place_M1)

    def going_on(self, g: Nodes, goes_on_B1: str, place_M1: str) -> str:
        """Which rows go on: not those whose text is complete at its place, bool[B, 1]."""
        is_complete_M1 = g.op("Equal", place_M1, self._constant(_COMPLETE, np.int64))
        goes_on_M1 = g.op("Gather", goes_on_B1, self._of("row_M"), axis=0)
        goes_on_M1 = g.op("And", goes_on_M1, g.op("Not", is_complete_M1))
        return self._put(g, goes_on_B1, goes_on_M1)

    def _put(self, g: Nodes, all_BX: str, some_MX: str) -> str:
        """All rows, with those that are held as `some_MX` has them."""
        row_M1 = g.op("Unsqueeze", self._of("row_M"), self._constant([1], np.int64))
        return g.op("ScatterND", all_BX, row_M1, some_MX)
