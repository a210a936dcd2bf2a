"""Which ids a text may go on with: a finite automaton over tokens.

So Willard & Louf, "Efficient Guided Generation for Large Language Models" (2023): what a text has
to match is compiled once, for one vocabulary, to a table of which ids each state allows and which
state each of them leads to. A step then costs a look into the table.

Shapes: S states, C classes of ids, V vocabulary, B rows, K steps, M constrained rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.rows.arrays import Bool, Int64

BARRED = -1
"""In a table: the id is not allowed in this state."""
COMPLETE = -2
"""In a table: after this id the text is complete. Of a text: it is."""

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False, slots=True)
class Automaton:
    """What texts of one vocabulary have to match.

    From each state a complete text can be reached: there are no dead ends.

    Attributes:
        next_SC: The state after an id of each class, BARRED, or COMPLETE; a text begins in 0.
        class_V: The class of each id: those of one class lead to the same everywhere.
    """

    next_SC: Int32
    class_V: Int32

    def after(self, state: int, token_id: int) -> int:
        """The state after an id, or COMPLETE."""
        return int(self.next_SC[state, self.class_V[token_id]])

    @property
    def num_bytes(self) -> int:
        """Memory of the arrays."""
        return self.next_SC.nbytes + self.class_V.nbytes


@dataclass(frozen=True, slots=True)
class Constraint:
    """An automaton, and the state in it that a text has come to; COMPLETE at its end."""

    automaton: Automaton
    state: int = 0

    def allowed_V(self) -> Bool:  # noqa: N802
        """Which ids the text may go on with."""
        automaton = self.automaton
        allowed_V: Bool = (automaton.next_SC[self.state] != BARRED)[automaton.class_V]
        return allowed_V

    def read(self, token_N: Int64) -> tuple[Constraint, int]:
        """The constraint after the first of some tokens, and how many of them it has taken.

        It takes all, or those to the end of a complete text.
        """
        state, num_taken = self.state, 0
        for token_id in token_N.tolist():
            if state == COMPLETE:
                break
            state = self.automaton.after(state, token_id)
            num_taken += 1
        return Constraint(self.automaton, state), num_taken

    @property
    def is_complete(self) -> bool:
        """Whether the text is."""
        return self.state == COMPLETE


ConstraintsOfRows = Sequence[Constraint | None]
"""Of the B rows of a burst; None: of a row that may draw any id."""
