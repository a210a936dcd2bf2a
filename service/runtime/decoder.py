"""The nouns of decoding, and the Protocol between the engine that plans and the runtime that runs.

Shapes: B rows of one burst, K steps of one burst, V vocabulary, W all state tensors side by side.

A row's next token is drawn from `logits_V`, then read: reading a token gives the next state and the
next logits. Reading a prompt is the same with the token given instead of drawn, so that there is
no prefill phase and no decode phase, only rows with forced tokens and rows without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from service.rows.arrays import Bool, Float32, Int64
from service.rows.row import Row, RowShape
from service.runtime.automaton import ConstraintsOfRows
from service.runtime.sampling import Sampling

SAMPLED = -1
"""In `Burst.forced_KB`: draw this token. In `BurstResult.token_KB`: the row took no part."""


@dataclass(frozen=True, slots=True)
class Burst:
    """K steps to run.

    Attributes:
        slot_B: The slots that take part, each once.
        forced_KB: Token to read, or SAMPLED.
        num_steps_B: How many of the K steps each row takes part in, at least one.
        keep_B: Whether a row that stops before the last step is needed afterwards; where it is not,
            the slot may then hold anything. Keeping costs time.
        scored_B: Whether tokens that a row reads have log-probabilities as well, not only those
            that it draws; None: nowhere. Needs the logits at each step.
        constraints: What the tokens that each row draws are held to; None: no row's are.
        interrupted: One flag, which another thread may set while the burst runs: it then ends
            after the next step that leaves all rows with their logits, and each has taken as many
            as there were. A burst that only reads may run to its end. None: nobody will.
    """

    slot_B: Int64
    forced_KB: Int64
    num_steps_B: Int64
    keep_B: Bool
    scored_B: Bool | None = None
    constraints: ConstraintsOfRows | None = None
    interrupted: Bool | None = None

    def first(self, num_steps: int) -> Burst:
        """So many steps of it."""
        if num_steps == len(self.forced_KB):
            return self
        forced_KB, num_steps_B = self.forced_KB[:num_steps], np.minimum(self.num_steps_B, num_steps)
        return replace(self, forced_KB=forced_KB, num_steps_B=num_steps_B)


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Log-probabilities under the model's own distribution: before penalties and temperature.

    Attributes:
        chosen_KB: Of the token that was drawn, or read and scored.
        top_id_KBN: The N most probable ids, best first.
        top_KBN: Their log-probabilities.
    """

    chosen_KB: Float32
    top_id_KBN: Int64
    top_KBN: Float32

    def first(self, num_steps: int) -> Logprobs:
        """Those of so many steps."""
        steps = slice(num_steps)
        return Logprobs(self.chosen_KB[steps], self.top_id_KBN[steps], self.top_KBN[steps])


@dataclass(frozen=True, slots=True)
class BurstResult:
    """What a burst did.

    Attributes:
        token_KB: The tokens that were read, SAMPLED where a row took no part any more; of an
            interrupted burst K is how far it came.
        num_steps_B: Steps that each row took: all it was given, or fewer when its text ended or
            the burst was interrupted.
        ended_B: The row drew its end id, or its text is all that its constraint lets it be.
        finite_B: The row's state and logits are numbers; a row that is False here is unusable.
        logprobs: Present when some row of the burst asked for them.
        constraints: Where each row's text now is; present when they were given.
    """

    token_KB: Int64
    num_steps_B: Int64
    ended_B: Bool
    finite_B: Bool
    logprobs: Logprobs | None
    constraints: ConstraintsOfRows | None = None


class Decoder(Protocol):
    """Owns `capacity` slots for rows of one model and advances them. One thread uses it."""

    capacity: int
    row_shape: RowShape

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`, to be sampled as `sampling` says."""

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`; the inverse of `load`."""

    def burst(self, burst: Burst) -> BurstResult:
        """Advance the rows of `burst`; all other slots stay as they are."""

    def next_tokens(self, slot_B: Int64) -> Int64:
        """The tokens that rows will draw in their next bursts.

        A row has its logits before the model reads what is drawn from them, so a text can begin a
        step earlier. SAMPLED where a token ends its text, or is not known.

        Args:
            slot_B: Rows that have read something, whose `Sampling` is plain, and that are held to
                no constraint: nobody looks at that here.
        """
