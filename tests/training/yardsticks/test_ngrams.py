"""Counting by hand, sums of one, and a figure that others have found too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.yardsticks.ngrams import NGrams


def ids(*numbers: int) -> np.ndarray:
    """As a text."""
    return np.array(numbers, np.int64)


def test_a_text_that_can_be_counted_by_hand() -> None:
    """0 0 1 0 of three tokens, measured on 0 1 2."""
    grams = NGrams([ids(0, 0, 1, 0)], 3, max_order=2)
    # Of four tokens three are 0, one is 1; two kinds came: P1 = (c + 2/3) / 6.
    one = [(3 + 2 / 3) / 6, (1 + 2 / 3) / 6, (2 / 3) / 6]
    # After 0: once 0, once 1, two kinds; after 1: once 0, one kind.
    two = [one[0], (1 + 2 * one[1]) / 4, (0 + 1 * one[2]) / 2]

    assert grams.probabilities(ids(0, 1, 2)) == pytest.approx(np.array([one, two]))
    assert grams.bits([ids(0, 1, 2)]) == pytest.approx(
        [-sum(map(math.log2, one[1:])) / 2, -sum(map(math.log2, two[1:])) / 2]
    )


def test_no_ngram_goes_from_one_piece_into_the_next() -> None:
    """What stands beside each other by chance is no text."""
    apart = NGrams([ids(0, 0), ids(1, 1)], 2, max_order=2)
    unigram, bigram = apart.probabilities(ids(0, 1))

    assert unigram[1] == pytest.approx(0.5)
    assert bigram[1] == pytest.approx((0 + 1 * 0.5) / 2), "0 came once before a token: 0"


texts = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(st.lists(texts, min_size=1, max_size=3), texts)
def test_probabilities_sum_to_one(pieces: list[list[int]], context: list[int]) -> None:
    """After any context, of any order; a token that never came has its share (V is 5)."""
    grams = NGrams([ids(*piece) for piece in pieces], 5)
    after = [grams.probabilities(ids(*context, token))[:, -1] for token in range(5)]

    assert np.all(np.array(after) > 0)
    assert np.sum(after, axis=0) == pytest.approx(1.0)


@given(texts)
def test_it_is_the_formula(text: list[int]) -> None:
    """Each order against plain counting, by the formula of the docstring."""
    grams = NGrams([ids(*text)], 5, max_order=3)
    measured = [2, *text, 0, 1, 4]
    found = grams.probabilities(ids(*measured))

    def expected(context: tuple[int, ...], token: int) -> float:
        shorter = expected(context[1:], token) if context else 1 / 5
        n = len(context)
        after = [text[i + n] for i in range(len(text) - n) if tuple(text[i : i + n]) == context]
        if not after:
            return shorter
        kinds = len(set(after))
        return (after.count(token) + kinds * shorter) / (len(after) + kinds)

    for order in range(len(found)):
        probabilities = [
            expected(tuple(measured[max(0, i - order) : i]), token)
            for i, token in enumerate(measured)
        ]
        assert found[order] == pytest.approx(probabilities)


def test_of_a_short_text_there_are_no_long_ngrams() -> None:
    """Two tokens have no three."""
    assert NGrams([ids(0, 1)], 2).bits([ids(0, 1, 0)]).shape == (2,)
