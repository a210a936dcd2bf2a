"""Counter-based random numbers: the draw at position t of a text is a pure function of (seed, t).

There is no generator and so no generator state: a text that is resumed, forked, replayed or batched
with others draws the same numbers. The function is Philox4x32-10 of Salmon et al., "Parallel Random
Numbers: As Easy as 1, 2, 3" (SC 2011), with the seed as key and the position as counter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UInt64 = npt.NDArray[np.uint64]

_MULTIPLIER = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_NUM_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_FEW = 8
"""So many numbers take less time one by one, in Python, than the 80 calls of numpy for an array."""
_32 = np.uint64(32)


def philox4x32(counter: UInt64, key: UInt64) -> UInt64:
    """Philox4x32-10 on arrays of 32-bit words (each kept in a uint64).

    Args:
        counter: Four words each, uint64[4, ...].
        key: Two words each, uint64[2, ...], of the same number of dimensions.

    Returns:
        Four random words each, below 2^32, uint64[4, ...].
    """
    # The words 0 and 2 go the same way, and so do 1 and 3: two at a time are half of the calls.
    ones = (1,) * (counter.ndim - 1)
    multiplier, weyl = _MULTIPLIER.reshape(2, *ones), _WEYL.reshape(2, *ones)
    even, odd = counter[0::2], counter[1::2]
    for _ in range(_NUM_ROUNDS):
        product = multiplier * even
        even, odd = (product >> _32)[::-1] ^ odd ^ key, (product & _LOW)[::-1]
        key = (key + weyl) & _LOW
    return np.stack([even[0], odd[0], even[1], odd[1]])


def uniforms(seed: UInt64, position: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Uniform numbers in [0, 1), multiples of 2^-23.

    23 bits and not 24: the largest is then 1 - 2^-23, and times any float32 total it stays below
    that total, so that a draw can never fall off the end of a cumulative sum.

    Args:
        seed: One for every row, uint64[B].
        position: Position in the text, int64[..., B].
    """
    if 0 < position.size <= _FEW:
        seeds = seed.tolist() * (position.size // len(seed))
        places = zip(seeds, position.reshape(-1).tolist(), strict=True)
        few = [_first_word(*place) >> 9 for place in places]
        return np.array(few, np.float32).reshape(position.shape) * np.float32(2.0**-23)
    counter = np.zeros((4, *position.shape), np.uint64)
    counter[0], counter[1] = position & 0xFFFFFFFF, position >> 32
    key = np.stack([seed & _LOW, seed >> _32]).reshape(2, *(1,) * (position.ndim - 1), -1)
    first: UInt64 = philox4x32(counter, key)[0]
    return (first >> np.uint64(9)).astype(np.float32) * np.float32(2.0**-23)


def _first_word(seed: int, position: int) -> int:
    """The first of the words of `philox4x32` for a seed and a position, in Python's integers."""
    (multiplier, other), (weyl, other_weyl) = _MULTIPLIER.tolist(), _WEYL.tolist()
    key, other_key = seed & 0xFFFFFFFF, seed >> 32
    a, b, c, d = position & 0xFFFFFFFF, position >> 32, 0, 0
    for _ in range(_NUM_ROUNDS):
        left, right = multiplier * a, other * c
        a, b = right >> 32 ^ b ^ key, right & 0xFFFFFFFF
        c, d = left >> 32 ^ d ^ other_key, left & 0xFFFFFFFF
        key, other_key = key + weyl & 0xFFFFFFFF, other_key + other_weyl & 0xFFFFFFFF
    return a
