"""A piece of a text, on its way to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.inference.figures import TokenFigures
from service.inference.usage import Usage

FinishReason = Literal["length", "stop", "eos", "parked"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A text that the answer could be.

    Attributes:
        text: It.
        logprob: Sum of the log-probabilities of its tokens, in nats, by the model's own
            distribution.
        probability: With which it was drawn among the others.
    """

    text: str
    logprob: float
    probability: float


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of text; the last one has a finish reason and the usage.

    Attributes:
        text: What is new.
        num_tokens: Tokens that were written since the last delta.
        figures: Of the tokens whose text is now complete, if log-probabilities were asked for.
        capsule: The past of the text that goes on from here, of the last one if asked for.
        receipt: What the text follows from, as JSON; likewise.
        choices: How probable each of the texts was that it could be; likewise.
        is_followed: Whether the next piece comes at once, so that both can be sent together.
    """

    text: str
    num_tokens: int
    figures: TokenFigures | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    capsule: str | None = None
    receipt: str | None = None
    choices: tuple[Choice, ...] | None = None
    is_followed: bool = False
