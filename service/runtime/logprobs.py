"""Log-probabilities of what was drawn, for those who ask for them."""

from __future__ import annotations

import numpy as np

from service.rows.arrays import Bool, Float32, Int64
from service.runtime.decoder import Logprobs
from service.runtime.sampling import NO_LOGPROBS, SamplingTable

_LOGITS_AT_ONCE = 1 << 16


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


def drawn_logprobs(
    table: SamplingTable,
    logits_KLV: Float32,
    top_id_KLN: Int64,
    token_KB: Int64,
    told_KB: Bool,
) -> Logprobs | None:
    """Log-probabilities of what was drawn, or scored, in the rows that ask for them."""
    row_L = np.flatnonzero(table.num_logprobs_B != NO_LOGPROBS)
    if not row_L.size:
        return None
    shape = (*token_KB.shape, top_id_KLN.shape[2])
    chosen_KB = np.zeros(token_KB.shape, np.float32)
    top_id_KBN, top_KBN = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    told_k, told_l = told_KB[:, row_L].nonzero()
    # Some at a time: what they need stays in the processor's cache meanwhile.
    size = max(1, _LOGITS_AT_ONCE // logits_KLV.shape[2])
    for start in range(0, len(told_k), size):
        k, row = told_k[start : start + size], told_l[start : start + size]
        b = row_L[row]
        top_id_KBN[k, b] = top_id_KLN[k, row]
        chosen_KB[k, b], top_KBN[k, b] = logprobs_of(
            logits_KLV[k, row], token_KB[k, b], top_id_KBN[k, b]
        )
    return Logprobs(chosen_KB, top_id_KBN, top_KBN)
