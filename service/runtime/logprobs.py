"""Log-probabilities of what was drawn, for those who ask for them."""

from __future__ import annotations

import numpy as np

from service.rows.arrays import Float32, Int64


def logprobs(logits_BV: Float32, token_B: Int64, num_top: int) -> tuple[Float32, Int64, Float32]:
    """Log-probabilities under the model's own distribution.

    Returns:
        Those of `token_B`, float32[B]; the `num_top` best ids, int64[B, N], ties by lower id; and
        theirs, float32[B, N].
    """
    top_id_BN = np.argsort(-logits_BV, axis=1, kind="stable")[:, :num_top]
    chosen_B, top_BN = logprobs_of(logits_BV, token_B, top_id_BN)
    return chosen_B, top_id_BN, top_BN


def logprobs_of(logits_BV: Float32, token_B: Int64, id_BN: Int64) -> tuple[Float32, Float32]:
    """The same of given ids.

    Returns:
        Those of `token_B`, float32[B], and of `id_BN`, float32[B, N].
    """
    shifted_BV = logits_BV - logits_BV.max(axis=1, keepdims=True)
    # cumsum and not sum: its order of additions does not depend on the shape.
    total_B = np.cumsum(np.exp(shifted_BV), axis=1, dtype=np.float32)[:, -1]
    logarithm_B1 = np.log(total_B)[:, None]
    chosen_B1 = np.take_along_axis(shifted_BV, token_B[:, None], axis=1) - logarithm_B1
    return chosen_B1[:, 0], np.take_along_axis(shifted_BV, id_BN, axis=1) - logarithm_B1
