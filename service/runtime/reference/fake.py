"""A model without weights, for tests of everything above the runtime: exact and fast.

Its state is a count and a hash of all that was read, its logits a function of them, so that a state
that leaks, is lost, or is read twice changes every later token.
"""

from __future__ import annotations

import numpy as np

from service.rows.arrays import Float32, Int64
from service.runtime.step import State

_PRIME = 65_521  # hash * multiplier stays an exact float64, and the hash an exact float32
_MULTIPLIER = 251


class FakeStep:
    """A `Step` computed in integers: the same for a row alone and among any others."""

    def __init__(self, vocabulary_size: int = 7) -> None:
        self.vocabulary_size = vocabulary_size
        self.state_widths: tuple[int, ...] = (1, 2)

    def __call__(self, token_B: Int64, state: State) -> tuple[Float32, State]:
        """Read one token in every row; see `Step`."""
        count_B1, hash_B2 = state
        hash_B = (hash_B2[:, 0].astype(np.int64) * _MULTIPLIER + token_B + 1) % _PRIME
        mixed_BV = (hash_B[:, None] * (np.arange(self.vocabulary_size) * 2 + 3)) % 1_009
        logits_BV = (mixed_BV.astype(np.float32) / np.float32(250)).astype(np.float32)
        next_hash_B2 = np.stack([hash_B, -hash_B], axis=1).astype(np.float32)
        return logits_BV, (count_B1 + np.float32(1), next_hash_B2)
