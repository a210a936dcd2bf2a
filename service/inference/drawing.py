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
    # No name of an owner begins so: units that are held make other rows of the same prompt.
    held = f"\0{asked.clamps}" if asked.clamps else ""
    return "\0".join(filter(None, (held, asked.identity.owner, asked.cache_salt)))


def require_clampable(asked: TextRequest, model: ServedModel, most: int) -> None:
    """Raise InvalidOption if the units that are to be held are too many, or not the model's."""
    if len(asked.clamps) > most:
        raise InvalidOption(
            "clamp",
            f"clamp: a request may hold at most {most} units here"
            if most
            else "clamp: this server holds no units; --max-clamps allows it",
        )
    widths = {tensor.name: tensor.width for tensor in model.manifest.state}
    held = set()
    for clamp in asked.clamps:
        if clamp.name not in widths:
            names = ", ".join(widths)
            raise InvalidOption(
                "clamp", f"clamp: {model.ref} has no state {clamp.name!r}; it has {names}"
            )
        if clamp.unit >= widths[clamp.name]:
            raise InvalidOption(
                "clamp",
                f"clamp: {clamp.name} has no unit {clamp.unit}: they are 0 to "
                f"{widths[clamp.name] - 1}",
            )
        if (clamp.name, clamp.unit) in held:
            raise InvalidOption("clamp", f"clamp: {clamp.name} {clamp.unit} is held twice")
        held.add((clamp.name, clamp.unit))


def sampling_of(
    asked: TextRequest, model: ServedModel, kept_seed: int, rules: TokenRules | None
) -> Sampling:
    """The request's own options before the model's, and its seed before the one of its past."""
    seed = kept_seed if asked.seed is None else asked.seed
    num_logprobs = asked.logprobs
    if num_logprobs is not None:
        num_logprobs = min(num_logprobs, model.manifest.vocabulary_size)
    options = asked.options.merged(model.manifest.defaults)
    return Sampling(
        seed=seed,
        num_logprobs=num_logprobs,
        rules=rules,
        clamps=asked.clamps,
        **dict(options),
    )
