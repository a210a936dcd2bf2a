"""Texts that are not free: held to a pattern, or one of some choices. What goes with that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.token_options import NO_TOKEN_OPTIONS
from service.models.registry import ServedModel
from service.patterns.compiler import PatternCompiler
from service.patterns.pattern import Pattern, PatternRefused
from service.runtime.automaton import Automaton
from service.runtime.sampling import SamplingOptions

_CHOICES = "choices"


async def automaton_of(
    asked: TextRequest, model: ServedModel, compiler: PatternCompiler | None
) -> Automaton | None:
    """What the text is held to; None: nothing.

    Raises:
        InvalidOption: This server holds no texts to patterns, or not to this one.
        Overloaded: Too many patterns wait to be compiled.
    """
    pattern = asked.pattern
    if pattern is None:
        return None
    if compiler is None:
        raise InvalidOption(
            pattern.param,
            f"{pattern.param}: this server holds no texts to patterns; it does with the setting "
            f"--constrained-output",
        )
    try:
        automaton = await compiler.automaton(pattern, model.manifest, model.tokenizer)
    except PatternRefused as error:
        raise InvalidOption(pattern.param, f"{pattern.param}: {error}") from error
    await asyncio.to_thread(model.prepare_to_hold)  # here it holds up no texts of others
    return automaton


def require_whole_meaning(asked: TextRequest) -> None:
    """Raise InvalidOption if something is asked for that a pattern or choices leave no room for."""
    if asked.pattern is not None:
        _refuse(_beside_pattern(asked), asked.pattern.param)
    if asked.choices:
        _refuse(_beside_choices(asked), _CHOICES)


def _refuse(given: Mapping[str, bool], beside: str) -> None:
    for name, is_given in given.items():
        if is_given:
            raise InvalidOption(name, f"{name} has no meaning beside {beside}: leave one out")


def _beside_pattern(asked: TextRequest) -> dict[str, bool]:
    tokens = asked.tokens
    return {
        "stop": bool(asked.stop),
        "logit_bias": bool(tokens.logit_bias),
        "min_tokens": bool(tokens.min_tokens),
        "ignore_eos": tokens.ignore_eos,
        "stop_token_ids": bool(tokens.stop_token_ids),
        "receipt": asked.receipt,
    }


def _beside_choices(asked: TextRequest) -> dict[str, bool]:
    options = {
        name: getattr(asked.options, name) is not None
        for name in SamplingOptions.model_fields
        if name != "temperature"
    }
    return {
        **options,
        "max_tokens": asked.max_tokens is not None,
        "stop": bool(asked.stop),
        "logprobs": asked.logprobs is not None,
        "stream_every": asked.stream_every is not None,
        "receipt": asked.receipt,
        "logit_bias": asked.tokens != NO_TOKEN_OPTIONS,
    }


def form_of(asked: TextRequest) -> dict[str, object]:
    """What the text has to be, as a session keeps it with a turn."""
    if asked.pattern is not None:
        return {asked.pattern.kind: asked.pattern.content}
    return {_CHOICES: list(asked.choices)} if asked.choices else {}


def with_form_of(asked: TextRequest, options: MutableMapping[str, Any]) -> TextRequest:
    """What is asked for, held to what a turn was; takes that out of the turn's options."""
    choices = tuple(options.pop(_CHOICES, ()))
    pattern = None
    for kind in ("regex", "json_schema"):
        if (content := options.pop(kind, None)) is not None:
            pattern = Pattern(kind, content, kind)
    return replace(asked, pattern=pattern, choices=choices)
