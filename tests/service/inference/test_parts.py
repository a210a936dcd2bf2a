"""How the tokens of a burst are handed on."""

import numpy as np
import pytest

from service.engine.request import Chunk
from service.inference.parts import Division, line_of


@pytest.mark.parametrize("num_tokens", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("stream_every", [None, 1, 3])
def test_groups_are_all_of_a_chunk_and_none_is_large(num_tokens, stream_every):
    """In order, without an empty one."""
    division = Division.of(stream_every, with_figures=False)
    groups = list(division.groups(Chunk(np.arange(num_tokens), None)))

    parts = [ids.tolist() for group in groups for ids, _ in group]
    assert list(range(num_tokens)) == [token for ids in parts for token in ids]
    assert all(0 < len(group) <= division.at_once for group in groups)
    assert all(0 < len(ids) <= (stream_every or num_tokens) for ids in parts)


def test_tokens_with_figures_go_in_smaller_groups():
    """They take more of the event loop; a client's wish for still smaller parts counts."""
    plain, figures = (Division.of(None, with_figures=each) for each in (False, True))

    assert (None, True) == (plain.most, figures.at_once < plain.at_once)
    assert figures.most is not None
    assert 2 == Division.of(2, with_figures=True).most
    assert figures.most == Division.of(10_000, with_figures=True).most


def test_what_begins_waits_in_the_line_of_requests():
    """Which is called like the client (`api.bodies`); what goes on does not stand there."""
    assert "10.0.0.1" == line_of("10.0.0.1", begins=True)
    assert "10.0.0.1" != line_of("10.0.0.1", begins=False)
