"""Counter-based random numbers: the draw at position t of a text is a pure function of (seed, t).

There is no generator and so no generator state: a text that is resumed, forked, replayed or batched
with others draws the same numbers. The function is Philox4x32-10 of Salmon et al., "Parallel Random
Numbers: As Easy as 1, 2, 3" (SC 2011), with the seed as key and the position as counter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_NUM_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox4x32(
    counter: tuple[npt.NDArray[np.uint64], ...], key: tuple[npt.NDArray[np.uint64], ...]
) -> tuple[npt.NDArray[np.uint64], ...]:
    """Philox4x32-10 on arrays of 32-bit words (each kept in a uint64).

    Args:
        counter: Four arrays of equal shape.
        key: Two arrays that broadcast to it.

    Returns:
        Four arrays of random words below 2^32.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_NUM_ROUNDS):
        product0 = _MULTIPLIER[0] * c0
        product1 = _MULTIPLIER[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _32) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _32) ^ c3 ^ k1,
            product0 & _LOW,
        )
        k0 = (k0 + np.uint64(_WEYL[0])) & _LOW
        k1 = (k1 + np.uint64(_WEYL[1])) & _LOW
    return c0, c1, c2, c3


def uniforms(
    seed: npt.NDArray[np.uint64], position: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Uniform numbers in [0, 1), multiples of 2^-23.

    23 bits and not 24: the largest is then 1 - 2^-23, and times any float32 total it stays below
    that total, so that a draw can never fall off the end of a cumulative sum.

    Args:
        seed: One for every row, uint64[B].
        position: Position in the text, int64[..., B].
    """
    counter = position.astype(np.uint64)
    zero = np.zeros_like(counter)
    words = philox4x32((counter & _LOW, counter >> _32, zero, zero), (seed & _LOW, seed >> _32))
    return (words[0] >> np.uint64(9)).astype(np.float32) * np.float32(2.0**-23)
