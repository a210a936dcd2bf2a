"""Token ids as they are kept: in as few bytes each as the largest one needs."""

from __future__ import annotations

import numpy as np

from service.rows.arrays import Int64

_TYPES = {size: np.dtype(f"<u{size}") for size in (1, 2, 4)}


def pack_ids(id_T: Int64) -> bytes:
    """The bytes that one id takes, 1, 2 or 4; and the ids, little-endian."""
    most = int(id_T.max(initial=0))
    size = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    return bytes([size]) + id_T.astype(_TYPES[size]).tobytes()


def unpack_ids(content: bytes) -> Int64:
    """The ids, int64[T]."""
    return np.frombuffer(content, _TYPES[content[0]], offset=1).astype(np.int64)
