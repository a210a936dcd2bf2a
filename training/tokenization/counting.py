"""How often each character comes, of texts of any length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

_CODE_POINTS = 0x110000
_PIECE_CHARACTERS = 1 << 20


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """As `Counter.update` of each text, but ten times as fast."""
    counts = np.zeros(_CODE_POINTS, np.int64)
    together: list[str] = []
    length = 0
    # Short texts together: each count looks at all code points.
    for text in texts:
        together.append(text)
        length += len(text)
        if length >= _PIECE_CHARACTERS:
            counts += _counts("".join(together))
            together, length = [], 0
    counts += _counts("".join(together))
    return Counter({chr(point): int(counts[point]) for point in np.flatnonzero(counts)})


def _counts(text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.bincount(points, minlength=_CODE_POINTS)
