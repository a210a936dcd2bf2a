"""The draw of a position is a pure function, and the right one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.runtime.randomness import philox4x32, uniforms


def words(*values: int) -> np.ndarray:
    """32-bit words as the function takes them."""
    return np.array(values, np.uint64)[:, None]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    """The vectors that the authors publish with their Random123 library."""
    found = philox4x32(words(*counter), words(*key))

    assert expected == tuple(int(word[0]) for word in found)


def test_uniforms_are_below_one_and_flat():
    """In [0, 1), with the mean and variance of a uniform distribution."""
    found = uniforms(np.full(200_000, 7, np.uint64), np.arange(200_000))

    assert np.float32 == found.dtype
    assert 0 <= found.min()
    assert found.max() < 1
    assert abs(found.mean() - 1 / 2) < 0.005
    assert abs(found.var() - 1 / 12) < 0.005


def test_the_largest_uniform_cannot_reach_a_total():
    """Times any total it stays below it, or a draw could fall off the end of a sum."""
    totals = np.random.default_rng(0).uniform(1e-20, 1e20, 100_000).astype(np.float32)
    largest = np.float32(1) - np.float32(2.0**-23)

    assert (totals * largest < totals).all()


def test_a_draw_depends_on_seed_and_position_only():
    """Not on which others are drawn with it."""
    seeds = np.array([1, 2, 2**63 - 1], np.uint64)
    positions = np.array([[0, 5, 10**12], [1, 6, 10**12 + 1]])
    together = uniforms(seeds, positions)

    for k in range(2):
        for b in range(3):
            assert together[k, b] == uniforms(seeds[b : b + 1], positions[k, b : b + 1])[0]
    assert 6 == len(set(together.ravel().tolist()))


@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
    first=st.integers(0, 2**40),
    num_steps=st.integers(1, 4),
)
def test_a_few_are_those_of_many(seeds, first, num_steps):
    """They are computed in another way."""
    seed_B = np.array(seeds, np.uint64)
    position_KB = first + np.arange(40)[:, None] + 3 * np.arange(len(seeds))

    few = uniforms(seed_B, position_KB[:num_steps])

    assert np.float32 == few.dtype
    assert uniforms(seed_B, position_KB)[:num_steps].tolist() == few.tolist()
