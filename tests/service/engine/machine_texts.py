"""Texts of the engine's state machine, and what each of them is alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from service.engine.request import Failed, Finished, Request
from service.engine.stream import TokenStream
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.step import StepGraph
from tests.service.runtime.test_burst import exp

END_ID = 2


@dataclass(eq=False)
class Text:
    """A request that was submitted, and what came of it."""

    request: Request
    stream: TokenStream
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: Finished | Failed | None = None
    rows: list[Row] = field(default_factory=list)
    stops_after: int | None = None
    is_over_time: bool = False

    @property
    def num_written(self) -> int:
        """Tokens that are not those of the prompt."""
        num_read = len(self.request.prompt_T) if self.request.reports_read else 0
        return len(self.tokens) - num_read


def compare(step: StepGraph, text: Text, *, complete: bool) -> Row:
    """A text with the same request alone, step by step, in numpy; returns the row at its end."""
    request = text.request
    alone = StepwiseDecoder(step, capacity=1, end_id=END_ID, exp=exp)
    start = Row.start(alone.row_shape)
    alone.load(0, request.past or start, request.sampling)
    num_tokens = len(text.tokens)
    prompt = request.prompt_T.tolist()
    if request.reports_read:  # the first of its tokens are those of the prompt
        prompt, num_tokens = prompt[:num_tokens], max(0, num_tokens - len(prompt))
    forced = [*prompt, *[SAMPLED] * num_tokens]
    if not forced:
        return request.past or start
    result = alone.burst(
        Burst(
            np.array([0]),
            np.array(forced)[:, None],
            np.array([len(forced)]),
            np.array([True]),
            np.array([request.reports_read]),
        )
    )
    first = 0 if request.reports_read else len(prompt)
    assert text.tokens == result.token_KB[first:, 0].tolist()
    if request.sampling.num_logprobs is not None and text.tokens:
        assert result.logprobs is not None
        assert text.logprobs == result.logprobs.chosen_KB[first:, 0].tolist()
    assert not complete or text.stream.num_sent == len(text.tokens)
    return alone.save(0)
