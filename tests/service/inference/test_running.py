from typing import Any

import numpy as np
import pytest

from service.engine.errors import EngineError
from service.engine.request import Chunk, Failed, TokenLogprobs
from service.inference.reading import read_row


class _OneEvent:
    """A stream that holds one event, and knows whether it was closed."""

    def __init__(self, event):
        self.event = event
        self.closed = False

    async def next(self):
        return self.event

    def close(self):
        self.closed = True


async def test_reading_a_row_fails_with_its_request():
    """The engine's own error is raised, and the stream is closed."""
    error = EngineError("broken")
    stream: Any = _OneEvent(Failed(error))
    with pytest.raises(EngineError) as caught:
        await read_row(stream)

    assert error is caught.value
    assert stream.closed


@pytest.mark.parametrize("most", [None, 1, 2, 3, 7, 100])
def test_parts_of_a_chunk_are_the_chunk(most):
    """Tokens and log-probabilities are cut at the same places, and none is lost."""
    token_N = np.arange(7)
    logprobs = TokenLogprobs(
        chosen_N=-token_N.astype(np.float32),
        top_id_NM=token_N[:, None],
        top_NM=-token_N[:, None].astype(np.float32),
    )
    parts = list(Chunk(token_N, logprobs).parts(most))

    assert token_N.tolist() == [token for ids, _ in parts for token in ids.tolist()]
    for ids, part in parts:
        assert part is not None
        assert len(ids) <= (most or 7)
        assert ids.tolist() == (-part.chosen_N).tolist() == part.top_id_NM[:, 0].tolist()
