"""How a request's tokens are drawn, and what ends its text, as its model has them."""

from __future__ import annotations

from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.models.registry import ServedModel
from service.runtime.rules import TokenRules
from service.runtime.sampling import Sampling


def cleaned_stops(stops: tuple[str, ...], model: ServedModel) -> tuple[str, ...]:
    """Stop strings as the model would write them."""
    cleaned = tuple(map(model.tokenizer.clean, stops))
    if not all(cleaned):
        raise InvalidOption(
            "stop", f"stop: nothing is left of a string once it is cleaned as for {model.ref}"
        )
    return cleaned


def salt_of(asked: TextRequest) -> str:
    """What other prompts must share for this one to go on from them."""
    return "\0".join(filter(None, (asked.identity.owner, asked.cache_salt)))


def sampling_of(
    asked: TextRequest, model: ServedModel, kept_seed: int, rules: TokenRules | None
) -> Sampling:
    """The request's own options before the model's, and its seed before the one of its past."""
    seed = kept_seed if asked.seed is None else asked.seed
    num_logprobs = asked.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    options = asked.options.merged(model.manifest.defaults)
    return Sampling(seed=seed, num_logprobs=num_logprobs, rules=rules, **dict(options))
