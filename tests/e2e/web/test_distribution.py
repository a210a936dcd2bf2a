"""The chart's mathematics are those of the sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.runtime.reference.sampler import draw
from service.runtime.sampling import Sampling, SamplingTable

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SIZE = 10
DRAWS = 4000
_AFTER = """async ([logprobs, sampling, size]) => {
  const { after } = await import("./web/distribution.js");
  return after(logprobs, sampling, size);
}"""


OPTIONS: tuple[dict[str, Any], ...] = (
    {"temperature": 1.0},
    {"temperature": 0.0},
    {"temperature": 0.4},
    {"temperature": 1.7, "top_k": 4},
    {"temperature": 0.8, "top_p": 0.7},
    {"temperature": 1.0, "min_p": 0.2},
    {"temperature": 1.3, "top_k": 7, "top_p": 0.8, "min_p": 0.05},
)


def test_what_is_shown_is_what_is_drawn(page: Page):
    """Of a vocabulary of which all tokens are shown, by thousands of draws of the reference."""
    logits = -np.sort(-np.random.default_rng(5).normal(0, 1.5, SIZE)).astype(np.float32)
    logprobs = [float(p) for p in logits - np.log(np.exp(logits).sum())]
    uniform_B = ((np.arange(DRAWS) + 0.5) / DRAWS).astype(np.float32)
    nothing_BV = np.zeros((DRAWS, SIZE), np.int32)
    table = SamplingTable.neutral(DRAWS, SIZE)
    for options in OPTIONS:
        for row in range(DRAWS):
            table.put(row, Sampling(seed=0, **options), SIZE)
        drawn = draw(np.tile(logits, (DRAWS, 1)), nothing_BV > 0, nothing_BV, table, uniform_B)
        frequencies = np.bincount(drawn, minlength=SIZE) / DRAWS

        sampling = {"top_k": None, "top_p": None, "min_p": None} | options
        shown = page.evaluate(_AFTER, [logprobs, sampling, SIZE])

        assert shown["probabilities"] == pytest.approx(frequencies, abs=2 / DRAWS), options
        assert shown["others"] == pytest.approx(0, abs=1e-6)


def test_the_others_keep_their_share(page: Page):
    """Tokens that are not shown are one bar, which the options shorten as they do the others."""
    logprobs = [float(np.log(0.05))] * SIZE
    given = {"temperature": 1.0, "top_k": None, "top_p": None, "min_p": None}
    for options, others in (({}, 0.5), ({"top_k": 10}, 0), ({"top_k": 15}, 0.2), ({"min_p": 1}, 0)):
        shown = page.evaluate(_AFTER, [logprobs, given | options, 30])
        assert shown["others"] == pytest.approx(others), options
        assert sum(shown["probabilities"]) + shown["others"] == pytest.approx(1)
