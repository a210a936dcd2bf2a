"""The table of how rows are sampled."""

from __future__ import annotations

import pytest
from hypothesis import given

from service.runtime.sampling import Sampling, SamplingTable
from tests.service.runtime.reference.test_sampler import SAMPLING

_SIZE = 11


def _table(sampling: Sampling) -> SamplingTable:
    table = SamplingTable.neutral(2, _SIZE)
    table.put(1, sampling, _SIZE)
    return table.take(slice(1, 2))


@given(sampling=SAMPLING)
def test_a_plain_row_is_nothing_else(sampling):
    """Or its options would be passed over."""
    table = _table(sampling)

    others_B = table.greedy_B | table.truncates_B(_SIZE) | table.penalised_B
    assert not (table.plain_B & others_B).any()


@pytest.mark.parametrize(
    ("options", "is_plain"),
    [
        ({}, True),
        ({"temperature": 0.7, "top_p": 1.0, "top_k": 11, "num_logprobs": 3}, True),
        ({"temperature": 1e-50}, False),  # 0 as a float32
        ({"top_k": 10}, False),
        ({"frequency_penalty": 0.1}, False),
    ],
)
def test_most_rows_are_plain(options, is_plain):
    """Whatever their temperature, unless that is 0."""
    assert [is_plain] == _table(Sampling(seed=1, **options)).plain_B.tolist()
