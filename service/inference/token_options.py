"""Options about single tokens, and the rules of drawing that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from service.inference.errors import InvalidOption
from service.models.registry import ServedModel
from service.runtime.rules import TokenRules


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """What a request says of single tokens.

    Attributes:
        logit_bias: Ids, and what is added to the logit of each.
        min_tokens: Tokens before which neither the end nor one of `stop_token_ids` is drawn.
        ignore_eos: The sign that ends a text is never drawn.
        stop_token_ids: Ids that end the text before them.
    """

    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()

    def rules(self, model: ServedModel, num_before: int, max_tokens: int) -> TokenRules | None:
        """The rules for a text of a model; None if nothing follows from the options.

        Args:
            model: That writes it.
            num_before: Tokens of the text before the first that is drawn.
            max_tokens: Most that are drawn.

        Raises:
            InvalidOption: The model has no such token, `min_tokens` is more than may be drawn, or
                nothing could be drawn at all.
        """
        size, end = model.manifest.vocabulary_size, model.manifest.special_ids.end
        biased = [token_id for token_id, _ in self.logit_bias]
        _require_ids("logit_bias", biased, model)
        _require_ids("stop_token_ids", self.stop_token_ids, model)
        if self.min_tokens > max_tokens:
            raise InvalidOption(
                "min_tokens", f"min_tokens is {self.min_tokens}, and max_tokens {max_tokens}"
            )
        bias = dict(self.logit_bias)
        if self.ignore_eos and end is not None:
            bias[end] = -math.inf
        held: set[int] = set()
        if self.min_tokens:
            held = {*self.stop_token_ids, *(() if end is None else (end,))}
        never = {token_id for token_id, value in bias.items() if value == -math.inf}
        if len(never | held | set(model.manifest.special_ids.never_sampled)) >= size:
            name = "ignore_eos" if not held else "stop_token_ids"
            raise InvalidOption(name, f"{name}: then there is no token left that could be drawn")
        if not bias and not held:
            return None
        until = num_before + self.min_tokens
        return TokenRules(tuple(bias.items()), tuple(sorted(held)), until)


NO_TOKEN_OPTIONS = TokenOptions()


def _require_ids(param: str, ids: Iterable[int], model: ServedModel) -> None:
    size = model.manifest.vocabulary_size
    for token_id in ids:
        if not 0 <= token_id < size:
            raise InvalidOption(
                param, f"{param}: {model.ref} has no token {token_id}: its ids are 0 to {size - 1}"
            )
