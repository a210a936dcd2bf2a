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
    shifted_BV = logits_BV - logits_BV.max(axis=1, keepdims=True)
    # cumsum and not sum: its order of additions does not depend on the shape.
    total_B = np.cumsum(np.exp(shifted_BV), axis=1, dtype=np.float32)[:, -1]
    logprob_BV = shifted_BV - np.log(total_B)[:, None]
    top_id_BN = np.argsort(-logits_BV, axis=1, kind="stable")[:, :num_top]
    return (
        np.take_along_axis(logprob_BV, token_B[:, None], axis=1)[:, 0],
        top_id_BN,
        np.take_along_axis(logprob_BV, top_id_BN, axis=1),
    )
