"""Rules about single ids: what is added to their logits, and which may not be drawn yet.

They come before everything else that changes logits, and only few requests have any: a burst
without one pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.rows.arrays import Bool, Float32, Int64


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The rules of one request.

    Attributes:
        bias: Ids, each once, and what is added to the logit of each: finite, or -inf for what is
            never drawn.
        held: Ids that are not drawn while the text is shorter than `held_until`.
        held_until: Tokens, those that were read included.
    """

    bias: tuple[tuple[int, float], ...] = ()
    held: tuple[int, ...] = ()
    held_until: int = 0


@dataclass(frozen=True, slots=True)
class RulesOfRows:
    """The rules of the B rows of a burst of K steps.

    Attributes:
        bias_BV: What is added to the logits.
        held_BV: Ids that may be held.
        held_KB: Whether they are, in each step.
    """

    bias_BV: Float32
    held_BV: Bool
    held_KB: Bool

    @classmethod
    def none(cls, num_steps: int, vocabulary_size: int) -> RulesOfRows:
        """Of no rows, where none has any."""
        return cls(
            np.zeros((0, vocabulary_size), np.float32),
            np.zeros((0, vocabulary_size), np.bool_),
            np.zeros((num_steps, 0), np.bool_),
        )

    def ruled(self, logits_BV: Float32, k: int, rows: Int64) -> Float32:
        """Logits in step `k`, of some of the rows."""
        biased_BV: Float32 = logits_BV + self.bias_BV[rows]
        held_BV = self.held_BV[rows] & self.held_KB[k, rows][:, None]
        return np.where(held_BV, np.float32(-np.inf), biased_BV)


@dataclass(frozen=True, slots=True)
class _Line:
    """The rules of a slot in arrays: they are written into every burst."""

    bias_id_N: Int64
    bias_N: Float32
    held_id_M: Int64
    held_until: int

    @classmethod
    def of(cls, rules: TokenRules) -> _Line:
        return cls(
            np.array([token_id for token_id, _ in rules.bias], np.int64),
            np.array([bias for _, bias in rules.bias], np.float32),
            np.array(rules.held, np.int64),
            rules.held_until,
        )


class RuleTable:
    """The rules of some slots."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def put(self, slot: int, rules: TokenRules | None) -> None:
        """Those of one request."""
        if rules is not None:
            self._lines[slot] = _Line.of(rules)
        elif self._lines:
            self._lines.pop(slot, None)

    def of(
        self, slot_B: Sequence[int] | Int64, positions_KB: Int64, vocabulary_size: int
    ) -> RulesOfRows | None:
        """Those of a burst's rows; None if no row has any.

        Args:
            slot_B: Their slots.
            positions_KB: Length of each row's text before each step.
            vocabulary_size: V.
        """
        if not self._lines:
            return None
        found = [(b, self._lines[int(s)]) for b, s in enumerate(slot_B) if int(s) in self._lines]
        if not found:
            return None
        bias_BV = np.zeros((len(slot_B), vocabulary_size), np.float32)
        held_BV = np.zeros(bias_BV.shape, np.bool_)
        until_B = np.zeros(len(slot_B), np.int64)
        for b, line in found:
            bias_BV[b, line.bias_id_N] = line.bias_N
            held_BV[b, line.held_id_M] = True
            until_B[b] = line.held_until
        return RulesOfRows(bias_BV, held_BV, positions_KB < until_B)
