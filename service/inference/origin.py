"""What a text goes on from, and how a model takes what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.turn import Turn
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Origin:
    """What a text goes on from.

    Attributes:
        asked: For the text.
        model: That writes it.
        past: Its row; None: the start.
        seed: What it draws with if the request says nothing.
        turn: Of the session, if it is one.
        prompt_T: What it reads, if that is not the request's prompt.
    """

    asked: TextRequest
    model: ServedModel
    past: Row | None
    seed: int
    turn: Turn | None = None
    prompt_T: Int64 | None = None


def cleaned_stops(stops: tuple[str, ...], model: ServedModel) -> tuple[str, ...]:
    """Stop strings as the model would write them."""
    cleaned = tuple(map(model.tokenizer.clean, stops))
    if not all(cleaned):
        raise InvalidOption(
            "stop", f"stop: nothing is left of a string once it is cleaned as for {model.ref}"
        )
    return cleaned


def sampling_of(asked: TextRequest, model: ServedModel, kept_seed: int) -> Sampling:
    """The request's own options before the model's, and its seed before the one of its past."""
    seed = kept_seed if asked.seed is None else asked.seed
    num_logprobs = asked.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    options = asked.options.merged(model.manifest.defaults)
    return Sampling(seed=seed, num_logprobs=num_logprobs, **dict(options))
