"""What is answered to whoever asks for several texts."""

from __future__ import annotations

from typing import Literal

from service.api.native.schemas import Body, ChoiceProbability, TokenLogprob, Usage
from service.inference.receipts import Receipt


class SeveralText(Body):
    """One of several texts; `seed` alone gives it again."""

    index: int
    text: str
    num_tokens: int
    finish_reason: Literal["length", "stop", "eos", "parked"]
    seed: int
    mean_logprob: float | None = None
    logprobs: list[TokenLogprob] | None = None
    capsule: str | None = None
    receipt: Receipt | None = None
    choice_probabilities: list[ChoiceProbability] | None = None


class SeveralResponse(Body):
    """The texts of a generation with `n` above 1; the usage is of all that were written."""

    id: str
    model: str
    usage: Usage
    texts: list[SeveralText]
