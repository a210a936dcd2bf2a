"""n-grams with interpolated Witten-Bell smoothing: what counting alone knows of a text.

    P(w | h) = (c(hw) + T(h) * P(w | h')) / (c(h) + T(h))

h is what stands before w (n-1 tokens), h' the same without its first, c counts, and T(h) is how
many different tokens came after h. Below all is 1/V, so that nothing is impossible; after an h that
never came, P(w | h) = P(w | h'). (Witten & Bell 1991, "The zero-frequency problem", method C;
interpolated as in Chen & Goodman 1998.)

All orders are counted at once, by numbering the n-grams that there are: that of order n is the pair
(number of its first n-1 tokens, last token), so no two of them are ever taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 5
_NONE = -1
Numbers = NDArray[np.int64]
Tokens = NDArray[np.integer]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length.

    Attributes:
        keys: number of the context * V + last token, int64[G], ascending.
        counts: How often each came, int64[G].
        num_after: c(h) of each context, int64[C].
        kinds_after: T(h) of each context, int64[C].
    """

    keys: Numbers
    counts: Numbers
    num_after: Numbers
    kinds_after: Numbers

    def find(self, keys: Numbers) -> Numbers:
        """The number of each n-gram, -1 of those that never came."""
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, _NONE)


class NGrams:
    """Counts of a text; `bits` measures another one by them.

    Args:
        sequences: Pieces of text as ids, int[N] each, 0 <= id < `vocabulary_size`; no n-gram goes
            from one into the next.
        vocabulary_size: V.
        max_order: n.
    """

    def __init__(
        self, sequences: Sequence[Tokens], vocabulary_size: int, max_order: int = MAX_ORDER
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self._orders: list[_Order] = []
        tokens, places = _joined(sequences)
        contexts = np.zeros(len(tokens), np.int64)  # of order 1: the empty one
        num_contexts = 1
        for order in range(1, max_order + 1):
            is_whole = (contexts != _NONE) & (places >= order - 1)
            keys, numbers, counts = np.unique(
                contexts[is_whole] * vocabulary_size + tokens[is_whole],
                return_inverse=True,
                return_counts=True,
            )
            if len(keys) == 0:
                break  # the text is shorter than that
            before = keys // vocabulary_size
            self._orders.append(
                _Order(
                    keys,
                    counts,
                    np.bincount(before, counts, num_contexts).astype(np.int64),
                    np.bincount(before, minlength=num_contexts),
                )
            )
            grams = np.full(len(tokens), _NONE, np.int64)
            grams[is_whole] = numbers
            contexts, num_contexts = _moved(grams), len(keys)

    def probabilities(self, ids: Tokens) -> NDArray[np.float64]:
        """P of each token by n-grams of each order: float64[n, N], of ids int[N].

        The first token has nothing before it, the second one token, and so on.
        """
        tokens = ids.astype(np.int64)
        below = np.full(len(tokens), 1.0 / self.vocabulary_size)
        contexts = np.zeros(len(tokens), np.int64)
        found = []
        for order in self._orders:
            is_known = contexts != _NONE
            numbers = np.full(len(tokens), _NONE, np.int64)
            numbers[is_known] = order.find(
                contexts[is_known] * self.vocabulary_size + tokens[is_known]
            )
            counts = np.where(numbers == _NONE, 0, order.counts[numbers])
            # A context that is the end of the text has come, and nothing after it.
            after = np.where(is_known, order.num_after[contexts], 0)
            kinds = np.where(is_known, order.kinds_after[contexts], 0)
            has_come = after > 0
            below = np.where(
                has_come, (counts + kinds * below) / np.maximum(after + kinds, 1), below
            )
            found.append(below)
            contexts = _moved(numbers)
        # Of orders that the text is too short for, what the longest one says.
        return np.array(found)

    def bits(self, sequences: Sequence[Tokens]) -> NDArray[np.float64]:
        """Mean bits of each token but the first of each sequence, by order: float64[n].

        These are the predictions of a model that reads a sequence from its first token on.
        """
        costs = [-np.log2(self.probabilities(ids)[:, 1:]) for ids in sequences]
        total = sum(cost.sum(axis=1) for cost in costs)
        mean: NDArray[np.float64] = np.asarray(total / sum(cost.shape[1] for cost in costs))
        return mean


def _joined(sequences: Sequence[Tokens]) -> tuple[Numbers, Numbers]:
    """All tokens, and the place of each in its sequence; int64[N] both."""
    tokens = np.concatenate([np.zeros(0, np.int64), *(ids.astype(np.int64) for ids in sequences)])
    places = [np.arange(len(ids), dtype=np.int64) for ids in sequences]
    return tokens, np.concatenate([np.zeros(0, np.int64), *places])


def _moved(grams: Numbers) -> Numbers:
    """The n-gram that ends before each token: the context of the next order."""
    return np.concatenate([np.full(min(1, len(grams)), _NONE, np.int64), grams[:-1]])
